"""What the services of OpenClaw Buddy share."""

__version__ = "0.1.0"

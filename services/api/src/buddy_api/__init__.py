"""The REST API of OpenClaw Buddy."""

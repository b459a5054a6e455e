"""Watches one OpenClaw gateway."""

"""Runs the jobs of one OpenClaw node."""

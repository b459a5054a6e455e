"""Streams chat, panel and terminals of one OpenClaw node."""

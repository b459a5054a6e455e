"""What Buddy does, one verb per module; here only what more than one service runs."""

"""What only a worker does: one verb per module."""

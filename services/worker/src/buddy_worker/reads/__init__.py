"""Filling the node's read model: one module per resource, and what decides when each is read."""

"""The routes: one module per group, each body one call."""

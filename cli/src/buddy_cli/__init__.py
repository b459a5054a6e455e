"""The `buddy` command: the whole system on one machine."""

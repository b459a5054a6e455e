"""All outside I/O: each module turns foreign exceptions into ours."""

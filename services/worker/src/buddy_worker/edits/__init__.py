"""What each change does to a config, as functions that change it in place and know nothing else."""

"""One module per group of jobs; each task claims its row and calls one use case."""

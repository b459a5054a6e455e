"""`python -m buddy_worker --lane fast`."""

from buddy_worker.main import main

main()

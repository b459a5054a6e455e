"""`python -m buddy_worker --lane fast`."""

from buddy_common.entry import run_entry
from buddy_worker.main import main

run_entry(main)

"""`python -m buddy_watchdog`."""

from buddy_common.entry import run_entry
from buddy_watchdog.main import main

run_entry(main)

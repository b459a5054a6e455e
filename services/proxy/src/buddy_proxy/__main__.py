"""`python -m buddy_proxy`."""

from buddy_common.entry import run_entry
from buddy_proxy.main import main

run_entry(main)

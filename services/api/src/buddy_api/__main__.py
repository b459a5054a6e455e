"""`python -m buddy_api`."""

from buddy_api.main import main
from buddy_common.entry import run_entry

run_entry(main)

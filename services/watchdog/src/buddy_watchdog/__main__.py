"""`python -m buddy_watchdog`."""

from buddy_watchdog.main import main

main()

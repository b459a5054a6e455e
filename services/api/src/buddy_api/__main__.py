"""`python -m buddy_api`."""

from buddy_api.main import main

main()

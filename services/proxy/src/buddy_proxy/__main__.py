"""`python -m buddy_proxy`."""

from buddy_proxy.main import main

main()

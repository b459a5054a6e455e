"""Types that cross a process or a file boundary."""

"""A soak: all of Buddy under mixed load while a seeded schedule breaks its parts."""

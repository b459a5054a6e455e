"""Stand-ins: real processes and real sockets, only smaller and faster than the originals."""

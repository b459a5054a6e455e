"""Ports that are free at this moment, and that no test beside this one is given, too."""

import itertools
import os
import socket

# below those that Linux gives to clients and to who asks for any: what is free of those may soon be taken
FIRST, EACH, RANGES = 20_000, 4_000, 3


def _numbers() -> "itertools.cycle[int]":
    """Return the ports of this process: each of the tests that run side by side has a range of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, offset = FIRST + worker % RANGES * EACH, os.getpid() % EACH  # for two runs on one machine
    return itertools.cycle([*range(first + offset, first + EACH), *range(first, first + offset)])


_ports = _numbers()


def free_port() -> int:
    return next(port for port in itertools.islice(_ports, EACH) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as servers do: what a closed connection leaves behind is in nobody's way
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

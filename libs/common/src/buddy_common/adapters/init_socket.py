"""Whether the first process of the gateway's container takes requests; standard library only."""

import os
import socket

CLIENT_SECONDS = 5.0  # one that asks for more time keeps the dead unburied


def listens(path: str | os.PathLike[str]) -> bool:
    """Whether a process answers at the path; one that stops its container does not any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(CLIENT_SECONDS)
        try:
            client.connect(os.fspath(path))
        except OSError:
            return False
        return True

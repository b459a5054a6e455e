"""The first process of the gateway's container: starts what it is asked to, buries all, outlives the gateway.

Run as `python -m buddy_worker.container_init SOCKET STOP_SECONDS [PROGRAM …]`; the program is started once,
at the beginning. Whoever may use the socket (mode 0600, the same user) sends one line of JSON,
`{"command": […, null, …], "environment": {…}, "cwd": "…"}`, and with it the descriptors for the output, for
the report, whose number takes the place of null, and of locks. The answer is `{}` or `{"error": "…"}`.
`ping SOCKET` instead asks whether it listens.
"""

import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from buddy_common.adapters.init_socket import CLIENT_SECONDS, listens
from buddy_common.adapters.keeper import SET_CHILD_SUBREAPER, descendants

LOOK_AGAIN_MS = 100
_MOST_DESCRIPTORS = 16
_MOST_BYTES = 4 * 1024 * 1024
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid; unix(7)


class ContainerInit:
    """Starts programs for others and reaps whatever ends, until SIGTERM ends everything."""

    def __init__(self, path: str, *, stop_seconds: float) -> None:
        self._stop_seconds = stop_seconds
        self._stopping = False
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, _wake_only)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._listener = _listen(path)
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        self._poll.register(self._listener, select.POLLIN)

    def run(self, first: list[str]) -> None:
        """Start the first program, if any, and serve; return when a signal has stopped us and all others."""
        if first:
            with suppress(OSError):  # the socket is there for whoever wants to try again
                subprocess.Popen(first, start_new_session=True)  # noqa: S603 - our own command line
        while not self._stopping:
            self._wait(None)
            _bury()
        self._poll.unregister(self._listener)
        self._listener.close()
        self._end_all()

    def _wait(self, milliseconds: int | None) -> None:
        for descriptor, _ in self._poll.poll(milliseconds):
            if descriptor == self._woken:
                os.read(self._woken, 4096)
            elif not self._stopping:
                self._serve()

    def _serve(self) -> None:
        with suppress(OSError):  # it has left; what it asked for is done or not, as its report says
            client, _ = self._listener.accept()
            with client:
                client.settimeout(CLIENT_SECONDS)
                if _uid_of(client) == os.geteuid():
                    client.sendall(json.dumps(_answer(client)).encode() + b"\n")

    def _end_all(self) -> None:
        """Ask everyone to end, also who is started meanwhile; kill who has not done so in time."""
        kill_at = time.monotonic() + self._stop_seconds
        asked: set[int] = set()
        while _bury():
            number = signal.SIGTERM if time.monotonic() < kill_at else signal.SIGKILL
            for pid in descendants():
                if number == signal.SIGKILL or pid not in asked:
                    asked.add(pid)
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            self._wait(LOOK_AGAIN_MS)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _listen(path: str) -> socket.socket:
    """Listen at the path.

    Raises:
        SystemExit: another one does so already.
    """
    if listens(path):
        raise SystemExit(f"buddy: another container has {path}: one gateway, one container.")
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - as below
    with suppress(FileNotFoundError):  # what a killed one has left
        os.unlink(path)  # noqa: PTH108 - this process stays small
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen()
    return listener


def _uid_of(client: socket.socket) -> int:
    """Return who asks: Linux says it, elsewhere the socket's mode must do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    found = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[1])


def _answer(client: socket.socket) -> dict[str, str]:
    descriptors: list[int] = []
    try:
        _start(_read_request(client, descriptors), descriptors)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        return {"error": f"{type(exc).__name__}: {exc}"}
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return {}


def _read_request(client: socket.socket, descriptors: list[int]) -> dict[str, Any]:
    line, received, _, _ = socket.recv_fds(client, 65536, _MOST_DESCRIPTORS)
    descriptors += received
    while not line.endswith(b"\n"):
        part = client.recv(65536)
        if not part or len(line) > _MOST_BYTES:
            raise ValueError("the request is no line")
        line += part
    return dict(json.loads(line))


def _start(request: dict[str, Any], descriptors: list[int]) -> None:
    output, report, *locks = descriptors
    command = [str(report) if word is None else str(word) for word in request["command"]]
    subprocess.Popen(  # noqa: S603 - an argument list of a process that could run it itself
        command,
        env=request["environment"],
        cwd=request["cwd"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(report, *locks),
        start_new_session=True,
    )


def _bury() -> bool:
    """Collect whoever ended; whether anyone is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _wake_only(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, this leaves the dead to us."""


def main(arguments: list[str]) -> None:
    """Do as the arguments say.

    Raises:
        SystemExit: nobody listens, when that was the question; or somebody else does.
    """
    if arguments[0] == "ping":
        raise SystemExit(0 if listens(arguments[1]) else 1)
    path, stop_seconds, *first = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # where it is not the first process
    ContainerInit(path, stop_seconds=float(stop_seconds)).run(first)


if __name__ == "__main__":
    main(sys.argv[1:])

# pathlib alone would cost a tenth of this program's memory:
# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH120, PTH123, PTH208
"""The parent of what Buddy starts: a program that lives as long as what it keeps, so a small one.

Run by its path as `python -IS keeper.py …`; the standard library is all it needs.

    job CONTROL STATUS STOP_SECONDS MARK PROGRAM [ARGUMENT …]
        Starts the program at the first byte from the descriptor CONTROL. A second one, or its end
        (whoever held the other end is gone), or SIGTERM ends all that the program started: SIGTERM,
        STOP_SECONDS, SIGKILL. STATUS gets a JSON line when the program has ended, `{"code": 0,
        "signal": null}`, or cannot be executed, `{"error": "FileNotFoundError", "errno": 2,
        "message": "…"}`, and `{"done": true}` when nothing of it is left. The environment variable
        MARK tells whose they are, should this process be killed. Other inherited descriptors are
        locks: held here, and in the program too, which then goes on under the lock.
    talk INPUT CONTROL STATUS STOP_SECONDS MARK PROGRAM [ARGUMENT …]
        The same; the program reads from the descriptor INPUT.
    terminal CONTROL STATUS STOP_SECONDS MARK PROGRAM [ARGUMENT …]
        The same, but our stdin is a terminal, which becomes the program's own, in a session of its own.
    gateway RECORD REPORT PROGRAM [ARGUMENT …]
        Starts the program in a session of its own, without locks, and never ends it. Other inherited
        descriptors are locks, held until the file RECORD says `{"pid": 7, "started": 1.23, "boot": "…"}`.
        REPORT then gets the same as one JSON line, or an error as above; a `problem` in it says why RECORD
        could not be written. RECORD also gets `code`, `signal` and `ended_at` once the gateway has ended;
        nobody else may write it.

Both end when the last descendant has; on Linux also those that left the session.
"""

import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import sys
import termios
import time
from contextlib import suppress
from types import FrameType

SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_LOOK_AGAIN_MS = 100
_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_TO_RESET = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}  # whoever ignored one: Python, nohup, …


class Job:
    """A program of a job and all that it starts."""

    def __init__(self, control: int, status: int, stop_seconds: float, *, stdin: int | None = None) -> None:
        self._control = control
        self._stdin = stdin
        self._status = status
        self._stop_seconds = stop_seconds
        self._going = False
        self._stop = False
        self._kill_at: float | None = None
        self._asked: set[int] = set()
        _keep_to_ourselves(control)
        _keep_to_ourselves(status)
        if stdin is not None:
            _keep_to_ourselves(stdin)
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in _HANDLED:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def run(self, mark: str, arguments: list[str], *, terminal: bool) -> None:
        """Start the program once we are told to, and stay until nothing of it is left."""
        while not (self._going or self._stop):
            self._listen()
        if self._stop:
            return
        os.environ[mark] = f"{os.getpid()}:{_started(os.getpid())}"
        try:
            program = _start(arguments, own_session=terminal, stdin=self._stdin, terminal=terminal)
        except OSError as exc:
            _tell(self._status, _failure(exc, arguments[0]))
        else:
            while self._reap(program):
                if self._stop:
                    self._end_all()
                self._listen()
        _tell(self._status, {"done": True})

    def _listen(self) -> None:
        """Wait for a child that ended, a signal, or a word from the caller."""
        for descriptor, _ in self._poll.poll(None if self._kill_at is None else _LOOK_AGAIN_MS):
            if descriptor == self._woken:
                os.read(self._woken, 4096)
                continue
            word = b""
            with suppress(ConnectionError):
                word = os.read(self._control, 1)
            self._stop |= self._going or not word
            self._going = True
            if not word:
                self._poll.unregister(self._control)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop = True

    def _reap(self, program: int) -> bool:
        """Collect whoever ended; whether anyone is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == program:
                _tell(self._status, _ending(status))

    def _end_all(self) -> None:
        """Ask everyone to end, also who was just started; kill who has not done so in time."""
        now = time.monotonic()
        if self._kill_at is None:
            self._kill_at = now + self._stop_seconds
        number = signal.SIGTERM if now < self._kill_at else signal.SIGKILL
        for pid in descendants():
            if number == signal.SIGKILL or pid not in self._asked:
                self._asked.add(pid)
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)


def keep_gateway(record: str, report: int, arguments: list[str]) -> None:
    """Start the gateway, say who it is, and how it ended; no signal to us is one to it."""
    for number in _HANDLED:
        signal.signal(number, _ignore)
    for descriptor in _ours():
        _keep_to_ourselves(descriptor)
    os.umask(0o022)  # the usual one: the agents' workspaces are their owner's business, not ours
    try:
        gateway = _start(arguments, own_session=True)
    except OSError as exc:
        return _tell(report, _failure(exc, arguments[0]))
    identity: dict[str, object] = {"pid": gateway, "started": _started(gateway), "boot": _boot()}
    told = identity | _write(record, identity)
    ours = _read(record)  # before anybody knows of it, who may start the next one
    _close_all_but(report)  # the locks: from here on, whoever looks finds the gateway
    _tell(report, told)
    os.close(report)
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return None
        if pid == gateway and _read(record) == ours:  # else the next gateway was quicker
            _write(record, identity | _ending(status) | {"ended_at": round(time.time(), 3)})


def _start(
    arguments: list[str], *, own_session: bool, stdin: int | None = None, terminal: bool = False
) -> int:
    """Start a program; its stdin is empty unless one is given or a terminal, its signals as by default.

    Raises:
        OSError: it cannot be executed.
    """
    failed, fail = os.pipe()  # a successful exec closes it
    pid = os.fork()  # posix_spawn knows no sessions in Pythons that were built for old systems
    if pid == 0:
        _execute(arguments, fail, own_session=own_session, stdin=stdin, terminal=terminal)
    os.close(fail)
    number = os.read(failed, 16)
    os.close(failed)
    if number:
        os.waitpid(pid, 0)
        raise OSError(int(number), os.strerror(int(number)))
    return pid


def _execute(
    arguments: list[str], fail: int, *, own_session: bool, stdin: int | None, terminal: bool
) -> None:
    number = errno.EINVAL
    try:
        if own_session:
            os.setsid()
        if terminal:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        else:
            os.dup2(os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin, 0)
        signal.set_wakeup_fd(-1)
        for each in _TO_RESET:
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(arguments[0], arguments)  # noqa: S606 - without a shell is how we want it
    except OSError as exc:
        number = exc.errno or number
    finally:
        os.write(fail, str(number).encode())
        os._exit(127)


def _failure(exc: OSError, program: str) -> dict[str, object]:
    reason = exc.strerror
    if exc.errno == errno.ENOENT and os.path.exists(program):
        reason = "the interpreter that its first line names does not exist"
    return {"error": type(exc).__name__, "errno": exc.errno, "message": f"{program}: {reason}"}


def _ending(status: int) -> dict[str, object]:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return {"code": code, "signal": None}
    try:
        return {"code": None, "signal": signal.Signals(-code).name}
    except ValueError:  # a real-time signal
        return {"code": None, "signal": f"SIG{-code}"}


def descendants() -> list[int]:
    """Return who came of us; without /proc 0, our process group: SIGKILL ends us with it."""
    if sys.platform != "linux":
        return [0]
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError):
                children.setdefault(int(_stat(int(name))[1]), []).append(int(name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat that follow the name: state, parent, …"""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _started(pid: int) -> float | None:
    """Return what `processes.identify` says; None where the system has no /proc."""
    try:
        return round(int(_stat(pid)[19]) / os.sysconf("SC_CLK_TCK"), 2)
    except FileNotFoundError:
        return None


def _boot() -> str:
    return (_read("/proc/sys/kernel/random/boot_id") or b"").decode().strip()


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _write(path: str, record: dict[str, object]) -> dict[str, object]:
    """Replace the file whole; a full disk is reported, and never a reason to leave the gateway."""
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as exc:
        with suppress(OSError):
            os.unlink(temporary)
        return {"problem": f"{path}: {exc.strerror}"}
    return {}


def _tell(descriptor: int, news: dict[str, object]) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(descriptor, json.dumps(news).encode() + b"\n")


def _keep_to_ourselves(descriptor: int) -> None:
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keywords


def _close_all_but(kept: int) -> None:
    for descriptor in _ours():
        if descriptor != kept:
            os.close(descriptor)


def _ours() -> list[int]:
    """Return the descriptors that we were given beside the usual three."""
    found = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the one that listed them
            os.fstat(int(name))
            found.append(int(name))
    return [descriptor for descriptor in found if descriptor > 2]  # noqa: PLR2004 - stderr


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, this is not handed on to the program."""


def main(arguments: list[str]) -> None:
    """Lead a session, adopt orphans, and do as the arguments say."""
    with suppress(PermissionError):  # we do already
        os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stdin = int(arguments.pop(1)) if arguments[0] == "talk" else None
    if arguments[0] == "gateway":
        record, report, *program = arguments[1:]
        keep_gateway(record, int(report), program)
    else:
        control, status, stop_seconds, mark, *program = arguments[1:]
        terminal = arguments[0] == "terminal"
        Job(int(control), int(status), float(stop_seconds), stdin=stdin).run(mark, program, terminal=terminal)


if __name__ == "__main__":
    main(sys.argv[1:])

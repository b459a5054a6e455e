"""A real PostgreSQL server in a folder of its own, on a socket that only its user and root can reach."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

START_SECONDS = 120  # 3 s idle
STOP_SECONDS = 30
USER = "buddy"
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")  # the server refuses to run as root
MISSING = (
    "No PostgreSQL server found: neither `initdb` and `postgres` on PATH nor /usr/lib/postgresql/*/bin."
    " Debian and Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server;"
    " macOS: brew install postgresql."
)
# nothing of it outlives the tests, so nothing has to reach the disk
SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses="),
    "timezone=Asia/Shanghai",  # as on a server that is not ours: its zone must not show
)


def server_programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`, the newest one where Debian keeps several."""
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found is not None]
    folders += sorted(DEBIAN_PROGRAMS.glob("[0-9]*/bin"), key=lambda path: -int(path.parent.name))
    return next((path for path in folders if (path / "postgres").exists()), None)


class PostgresServer:
    """One server; every test gets a database of its own."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # directly in /tmp: a socket's path is short, and another user must be able to get there
        self._folder = Path(tempfile.mkdtemp(prefix="buddy-pg.", dir="/tmp"))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = _unprivileged_account()
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[str] | None = None
        self._said: deque[str] = deque(maxlen=50)
        self._ready = threading.Event()
        self._reader: threading.Thread | None = None
        self._admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        self._made = 0

    def start(self) -> None:
        """Make the folder of the server and wait until it takes connections."""
        data = str(self._folder / "data")
        options = ["--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"]
        self._run("initdb", "--pgdata", data, "--username", USER, *options)
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        arguments = [str(self._programs / "postgres"), "-D", data, "-k", str(self._folder), *settings]
        self._process = subprocess.Popen(arguments, **self._surroundings(), stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        if not self._ready.wait(START_SECONDS):
            raise RuntimeError("PostgreSQL did not start:\n" + "".join(self._said))

    def stop(self) -> None:
        """End the server and remove all that it wrote."""
        self._admin.dispose()
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # ends its connections, too
            try:
                self._process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(timeout=STOP_SECONDS)
            if self._reader is not None:
                self._reader.join(timeout=STOP_SECONDS)
            if self._process.stderr is not None:
                self._process.stderr.close()
        shutil.rmtree(self._folder)

    def make_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database like the template and return its URL."""
        with self._admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return self._url(name)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Lend a database like the template; what is still connected at the end is cut off."""
        self._made += 1
        name = f"test{self._made}"
        yield self.make_database(name, template=template)
        with self._admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))

    def _url(self, name: str) -> str:
        url = URL.create("postgresql+psycopg", USER, database=name, query={"host": str(self._folder)})
        return url.render_as_string(hide_password=False)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            **self._surroundings(),
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            check=False,
            timeout=START_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}")

    def _surroundings(self) -> dict[str, Any]:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        return {"cwd": self._folder, "env": environment, "text": True, **self._as_user}

    def _listen(self, pipe: IO[str]) -> None:
        for line in pipe:
            self._said.append(line)
            if "ready to accept connections" in line:
                self._ready.set()


def _unprivileged_account() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"PostgreSQL does not run as root, and there is none of the users {UNPRIVILEGED}.")

"""What must be true before anything is started; each failure is one clear line."""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from buddy_cli.children import redis_answers
from buddy_cli.failures import (
    DatabaseUnusableError,
    FolderError,
    PortInUseError,
    RedisUnreachableError,
)
from buddy_common.adapters.processes import bind_problem, find_listener, port_is_free
from buddy_common.adapters.secret_file import resolve_token
from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import upgrade
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.settings import AuthSettings, HomeSettings


def require_folder(folder: Path) -> None:
    """Create the folder, private to its owner, and make sure that files can be made in it.

    Raises:
        FolderError: they cannot.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".write-test"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        raise FolderError(
            f"Cannot write to {folder} ({os.strerror(exc.errno or 0)})."
            " Make it writable, or set BUDDY_HOME to another folder."
        ) from exc


def require_port(host: str, port: int, *, use: str, remedy: str) -> None:
    """Make sure that a server can listen there.

    Raises:
        PortInUseError: it is taken; the line names who has it.
    """
    if port_is_free(host, port):
        return
    holder = find_listener(port)
    if holder is None and (reason := bind_problem(host, port)):
        raise PortInUseError(f"Nothing can listen on {host} port {port} for {use}: {reason}. {remedy}")
    raise PortInUseError(f"Port {port} for {use} is taken by {holder or 'another program'}. {remedy}")


def require_redis(url: str) -> None:
    """Make sure that the Redis that was named answers.

    Raises:
        RedisUnreachableError: it does not.
    """
    try:
        where = redis_address(url)
        answered = asyncio.run(redis_answers(url))
    except ValueError:  # its text may hold a part of the password
        raise RedisUnreachableError(
            "The Redis URL is not usable: it must be redis://[user]:[password]@host:port/number, with special"
            " characters of the password written as %2F and so on."
        ) from None
    if not answered:
        raise RedisUnreachableError(
            f"Cannot reach Redis at {where}. Check --redis-url (address, password) and that it runs."
        )


def redis_address(url: str) -> str:
    """Return host and port of a Redis URL without its password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname or parts.path}:{port or 6379}"


def require_database(url: str) -> None:
    """Open the database and bring its schema up to date.

    Raises:
        DatabaseUnusableError: it cannot be opened or migrated.
    """
    engine: Engine | None = None
    try:
        engine = open_engine(url)
        upgrade(engine)
    except DatabaseUnavailableError as exc:
        raise DatabaseUnusableError(exc.message.splitlines()[0]) from exc
    finally:
        if engine is not None:
            engine.dispose()


def database_address(url: str) -> str:
    """Return a database URL without user, password and query."""
    return make_url(url).set(username=None, password=None, query={}).render_as_string()


def require_token(auth: AuthSettings, home: HomeSettings) -> str:
    """Return the token.

    Raises:
        FolderError: its file can be neither read nor made.
    """
    try:
        return resolve_token(auth, home)
    except OSError as exc:
        raise FolderError(f"Cannot read or make {home.token_file} ({exc.strerror or exc}).") from exc

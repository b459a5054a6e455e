"""The nodes that have registered."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlmodel import Session

from buddy_common.db import nodes
from buddy_common.db.engine import Database
from common.racing import race


def touch(database: Database, name: str, hostname: str = "host-1") -> None:
    database.call(lambda session: nodes.touch(session, name, hostname=hostname))


def test_first_touch_registers_the_node(database: Database) -> None:
    before = datetime.now(UTC)
    touch(database, "local")

    (node,) = database.call(nodes.listing)

    assert (node.name, node.hostname) == ("local", "host-1")
    assert before <= node.registered_at == node.last_seen_at


def test_later_touch_notes_the_new_hostname_and_keeps_the_first_time(database: Database) -> None:
    touch(database, "local")
    (first,) = database.call(nodes.listing)

    touch(database, "local", "host-2")

    (node,) = database.call(nodes.listing)
    assert node.hostname == "host-2"
    assert node.registered_at == first.registered_at
    assert node.last_seen_at > first.last_seen_at


def test_workers_that_touch_at_once_leave_one_row(database: Database) -> None:
    for number in range(5):
        race(2, partial(touch, database, f"node-{number}"))

    assert database.call(nodes.names) == [f"node-{number}" for number in range(5)]


def test_worker_that_finds_the_node_registered_meanwhile_notes_that_it_was_seen(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL, where both look before either writes; SQLite lets only one of them look."""
    touch(database, "local")
    really_seen = nodes._seen
    looks = iter([False])

    def seen(session: Session, name: str, columns: dict[str, Any]) -> bool:
        return next(looks, True) and really_seen(session, name, columns)

    monkeypatch.setattr(nodes, "_seen", seen)
    touch(database, "local", "host-2")

    (node,) = database.call(nodes.listing)
    assert node.hostname == "host-2"


def test_nodes_are_listed_by_name(database: Database) -> None:
    for name in ("vps-2", "local", "vps-1"):
        touch(database, name)

    assert database.call(nodes.names) == ["local", "vps-1", "vps-2"]
    assert [node.name for node in database.call(nodes.listing)] == ["local", "vps-1", "vps-2"]


def test_the_address_of_a_nodes_proxy_follows_the_setting(database: Database) -> None:
    for url in ("https://n1.example", None):
        database.call(lambda session, url=url: nodes.touch(session, "local", hostname="h", proxy_url=url))  # type: ignore[misc]  # mypy does not see the default's type
        assert database.call(lambda session: nodes.proxy_url(session, "local")) == url
    assert database.call(lambda session: nodes.proxy_url(session, "unknown")) is None

"""A reading goes to the gateway, to the command or to the files, whichever can tell."""

from dataclasses import replace

import pytest

from buddy_common.schemas.resources import Resource
from buddy_worker.reads.refresher import COMMAND_EVERY_SECONDS
from buddy_worker.reads.table import Read
from worker.reads.recorded import NEW, OLD, recorded_hello
from worker.reads.scene import BOTS, CHAT, PLUGINS, SKILLS, Published, Scene


async def test_gateway_is_asked_first(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.latest == {
        Resource.SKILLS: Published("of the gateway", "rpc", SKILLS.fresh_seconds, of_gateway=True)
    }
    assert scene.commands.runs == 0


async def test_command_tells_what_the_gateway_does_not_know(scene: Scene) -> None:
    scene.link.hello = recorded_hello(OLD)

    await scene.refresher.refresh(PLUGINS)

    assert scene.read_model.latest == {
        Resource.PLUGINS: Published("of the command", "cli", 3 * COMMAND_EVERY_SECONDS, of_gateway=True)
    }


async def test_files_tell_what_neither_does(scene: Scene) -> None:
    scene.config.config = {"chat": "on"}

    await scene.refresher.refresh(CHAT)

    assert scene.read_model.latest == {
        Resource.CHAT: Published(
            {"of the files": {"chat": "on"}}, "file", CHAT.fresh_seconds, of_gateway=True
        )
    }


async def test_what_cannot_be_read_in_any_way_is_not_published(scene: Scene) -> None:
    hello = recorded_hello(NEW)
    scene.link.hello = replace(hello, methods=frozenset())

    await scene.refresher.refresh(replace(SKILLS, command=None))

    assert scene.read_model.published == []


async def test_text_is_short_and_keeps_its_characters(scene: Scene) -> None:
    scene.link.answer = {"name": "一号", "emoji": "🤖"}

    await scene.refresher.refresh(SKILLS)

    assert scene.read_model.texts == ['{"name":"一号","emoji":"🤖"}']


async def test_reads_see_what_was_read_before(scene: Scene) -> None:
    await scene.refresher.refresh(SKILLS)

    files = scene.refresher.files()

    assert files.last == {Resource.SKILLS: "of the gateway"}
    assert files.state_dir == scene.config.folder


@pytest.mark.parametrize(
    ("version", "read", "needs"),
    [
        (NEW, PLUGINS, False),
        (OLD, PLUGINS, True),
        (OLD, SKILLS, False),
        (None, SKILLS, True),
        (None, BOTS, False),
        (None, CHAT, False),
    ],
)
def test_command_is_needed_where_the_gateway_does_not_tell(
    scene: Scene, version: str | None, read: Read, *, needs: bool
) -> None:
    scene.link.hello = None if version is None else recorded_hello(version)

    assert scene.refresher.needs_command(read) is needs

"""One stream, many readers, real files."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from buddy_proxy import log_feed
from buddy_proxy.log_feed import LogFeed, Publish, Reader, ReaderLimits

LIMITS = ReaderLimits(lines=100)


class Files:
    """A source whose files the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "a.log"
        self.now = [self.log]
        self.looks = 0

    def files(self) -> list[Path]:
        self.looks += 1
        return self.now

    def history(self) -> list[list[Path]]:
        return [[self.log.with_suffix(".1"), self.log]]

    def secrets(self) -> list[str]:
        return ["the secret"]

    def write(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(log_feed, "LOOK_SECONDS", 0.01)
    return Files(tmp_path)


@pytest.fixture
async def feed(files: Files) -> AsyncIterator[LogFeed]:
    feed = LogFeed(files, limits=LIMITS)
    yield feed
    await feed.close()


async def take(reader: Reader, count: int) -> list[str | None]:
    async with asyncio.timeout(5):
        return [await reader.get() for _ in range(count)]


async def test_a_reader_gets_the_last_lines_and_then_every_new_one(feed: LogFeed, files: Files) -> None:
    files.log.with_suffix(".1").write_text("older\n")
    files.write("one", "two")

    async with feed.reader(2) as (history, reader):
        files.write("three", "four")
        assert history == ["one", "two"]
        assert await take(reader, 2) == ["three", "four"]
        async with feed.reader(10) as (later, _):
            assert later == ["older", "one", "two", "three", "four"]
        async with feed.reader(0) as (none, _):
            assert none == []


async def test_no_line_is_lost_or_told_twice_whenever_a_reader_comes(feed: LogFeed, files: Files) -> None:
    lines = [f"line {number}" for number in range(300)]
    seen: list[list[str | None]] = []

    async def read() -> None:
        async with feed.reader(5000) as (history, reader):
            seen.append([*history, *await take(reader, len(lines) - len(history))])

    async with feed.reader(0) as (_, keeps_it_going):
        readers = []
        for place, line in enumerate(lines):
            files.write(line)
            if place % 60 == 10:
                readers.append(asyncio.create_task(read()))
            if place % 20 == 0:
                await take(keeps_it_going, 1)
        await asyncio.gather(*readers)

    assert seen == [lines] * 5


async def test_files_are_read_once_however_many_read_along(feed: LogFeed, files: Files) -> None:
    async with feed.reader(0) as (_, first):
        async with feed.reader(0) as (_, second):
            files.write("one")
            assert await take(first, 1) == await take(second, 1) == ["one"]
            assert sum("_follow_files" in str(task.get_coro()) for task in tasks()) == 1
        files.write("two")
        assert await take(first, 1) == ["two"]


async def test_nobody_looks_while_nobody_reads(feed: LogFeed, files: Files) -> None:
    async with feed.reader(0):
        pass

    assert not any("LogFeed" in str(task.get_coro()) for task in tasks())
    files.write("meanwhile")
    async with feed.reader(10) as (history, reader):
        assert history == ["meanwhile"]
        files.write("and then")
        assert await take(reader, 1) == ["and then"]


def tasks() -> set[asyncio.Task[object]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_slow_reader_is_told_how_many_lines_it_lost(feed: LogFeed, files: Files) -> None:
    async with feed.reader(0) as (_, slow), feed.reader(0) as (_, quick):
        for start in range(0, 200, 50):
            files.write(*(f"line {number}" for number in range(start, start + 50)))
            await take(quick, 50)

        frames = await take(slow, 101)

    assert json.loads(str(frames[0])) == {"type": "LOG_LOST", "lines": 100}
    assert frames[1:] == [f"line {number}" for number in range(100, 200)]


async def test_the_room_of_a_reader_is_bounded_in_size_too() -> None:
    reader = Reader(ReaderLimits(lines=100, size=10))

    reader.put("123456")
    reader.put("123456")
    reader.put("a line that is larger than all the room")

    assert await take(reader, 1) == ['{"type": "LOG_LOST", "lines": 3}']
    reader.put("next")
    assert await take(reader, 1) == ["next"]
    reader.end()
    assert await take(reader, 1) == [None]


async def test_a_file_that_appears_is_followed_and_one_that_is_out_of_date_let_go(
    feed: LogFeed, files: Files, tmp_path: Path
) -> None:
    files.write("yesterday")
    async with feed.reader(10) as (history, reader):
        assert history == ["yesterday"]
        files.now = [tmp_path / "b.log"]
        (tmp_path / "b.log").write_text("today\n")
        assert await take(reader, 1) == ["today"]
        assert list(feed._files) == [tmp_path / "b.log"]


async def test_secrets_are_masked_in_history_and_in_new_lines(feed: LogFeed, files: Files) -> None:
    files.write("the secret is out")
    async with feed.reader(10) as (history, reader):
        files.write("now the secret as well")
        assert [*history, *await take(reader, 1)] == ["*** is out", "now *** as well"]


async def test_what_is_kept_is_bounded(feed: LogFeed, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_feed, "KEPT_BYTES", 50)
    async with feed.reader(0) as (_, reader):
        files.write(*("0123456789" for _ in range(20)))
        await take(reader, 20)
        async with feed.reader(5000) as (history, _):
            assert len(history) == 5


async def test_news_of_another_origin_come_between_the_lines(files: Files) -> None:
    async def news(publish: Publish) -> None:
        publish("news")

    feed = LogFeed(files, limits=LIMITS, news=news)
    async with feed.reader(0) as (_, reader):
        assert await take(reader, 1) == ["news"]
    await feed.close()


async def test_a_stream_that_fails_ends_its_readers_and_begins_anew_for_the_next(files: Files) -> None:
    broken = True

    async def news(publish: Publish) -> None:
        if broken:
            raise RuntimeError("a bug")
        publish("news")

    feed = LogFeed(files, limits=LIMITS, news=news)
    async with feed.reader(0) as (_, reader):
        assert await take(reader, 1) == [None]
        broken = False
        async with feed.reader(0) as (_, second):
            assert await take(second, 1) == ["news"]
    await feed.close()


async def test_closing_ends_the_readers(feed: LogFeed) -> None:
    async with feed.reader(0) as (_, reader):
        await feed.close()
        assert await take(reader, 1) == [None]

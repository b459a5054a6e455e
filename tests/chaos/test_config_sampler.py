"""What an onlooker makes of `openclaw.json` and of its backups."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.config_history import ConfigHistory
from buddy_common.adapters.openclaw_program import OpenClawProgram
from buddy_common.schemas.backups import BackupReason
from chaos.config_judge import by_openclaw, evenly, judge_all
from chaos.config_sampler import BackupKeeper, ConfigSampler, Expected
from chaos.facts import Facts, Window
from chaos.faults import corrupt
from chaos.schedule import Act
from fakes.openclaw_program import install_fake_openclaw
from real_openclaw import Generation, RealOpenClaw


def content(**changes: Any) -> bytes:
    config = {
        "gateway": {"port": 1, "auth": {"token": "t-1"}},
        "agents": {"entries": {"main": {}, "bot_1": {}}},
        **changes,
    }
    return json.dumps(config, indent=2).encode()


GOOD = content()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "openclaw.json"
    file.write_bytes(GOOD)
    return file


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
def sampler(file: Path, facts: Facts) -> ConfigSampler:
    sampler = ConfigSampler(file, facts)
    sampler.expect()
    return sampler


def shows(sampler: ConfigSampler, file: Path, *contents: bytes) -> None:
    for one in contents:
        file.write_bytes(one)
        sampler.look()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"", "not whole"),
        (GOOD[:9], "not whole"),
        (b"{}", "without the gateway's token"),
        (content(gateway={"auth": {"token": "another"}}), "without the gateway's token"),
        (content(agents={"entries": {"main": {}}}), "without the agents bot_1"),
        (content(agents=None), "without the agents bot_1, main"),
    ],
)
def test_a_stretch_in_which_something_is_missing_is_told(
    sampler: ConfigSampler, file: Path, facts: Facts, bad: bytes, why: str
) -> None:
    shows(sampler, file, GOOD, bad, GOOD)

    (broken,) = facts.config_broken
    assert broken.why == why
    assert broken.began <= broken.ended
    assert facts.config_looks == 3


def test_a_stretch_has_the_reason_that_it_had(sampler: ConfigSampler, file: Path, facts: Facts) -> None:
    shows(sampler, file, GOOD, b"", GOOD[:9], b"{}", GOOD)

    assert [broken.why for broken in facts.config_broken] == ["not whole", "without the gateway's token"]


def test_a_config_that_is_broken_in_the_end_is_told(sampler: ConfigSampler, file: Path, facts: Facts) -> None:
    file.write_bytes(GOOD[:9])
    with sampler:
        sampler.look()

    assert [broken.why for broken in facts.config_broken] == ["not whole"]


def test_a_first_config_without_token_or_agents_proves_nothing() -> None:
    with pytest.raises(ValueError, match="no token or no agents"):
        Expected.of(b"{}")


def test_the_contents_that_others_have_written_are_kept_once_each(
    sampler: ConfigSampler, file: Path, facts: Facts
) -> None:
    other = content(ui={})
    shows(sampler, file, GOOD, other, GOOD, b"{}")
    corrupt_at = sampler.seen[-1].at
    file.write_bytes(GOOD)
    corrupt(file, Act.UNKNOWN_KEY)
    sampler.look()
    facts.corruptions.append(Window(corrupt_at, sampler.seen[-1].at))

    assert sampler.written_by_others() == [GOOD, other]


def test_a_spoiled_content_outside_of_a_fault_is_somebody_elses(sampler: ConfigSampler, file: Path) -> None:
    _, spoiled = corrupt(file, Act.BAD_PLUGIN)
    sampler.look()

    assert sampler.written_by_others() == [spoiled]


def test_backups_stay_known_that_buddy_has_let_go_of(tmp_path: Path) -> None:
    history = ConfigHistory(tmp_path / "home" / "nodes" / "local" / "backups", keep=1)
    keeper = BackupKeeper(tmp_path / "home", tmp_path / "kept")
    keeper.look()  # before there is any
    reasons = (BackupReason.BEFORE_REPAIR, BackupReason.BEFORE_CHANGE, BackupReason.KNOWN_GOOD)
    for number, reason in enumerate(reasons, 1):
        history.add(b"%d" % number, {}, reason=reason)
        keeper.look()

    assert len(history.listing()) == 1
    kept = [(one.reason, one.content) for one in keeper.backups()]
    assert kept == [(BackupReason.KNOWN_GOOD, b"3"), (BackupReason.BEFORE_REPAIR, b"1")]


def test_of_many_contents_some_are_judged_evenly_and_the_first_and_last_too() -> None:
    contents = [str(number).encode() for number in range(100)]

    chosen = evenly(contents, 4)

    assert chosen == [b"0", b"33", b"66", b"99"]
    assert evenly(contents[:3], 4) == contents[:3]


def test_each_refusal_is_told(tmp_path: Path) -> None:
    def judge(content: bytes, folder: Path) -> str | None:
        return f"{folder.name} is refused" if content == b"bad" else None

    assert judge_all(judge, [b"good", b"bad"], tmp_path) == ["content-1 is refused"]


def test_the_program_is_asked_about_a_content_and_its_refusal_is_told(tmp_path: Path) -> None:
    fake = install_fake_openclaw(tmp_path / "openclaw", port=1)
    found = OpenClawProgram(fake.program, os.environ["PATH"], "1")
    judge = by_openclaw(RealOpenClaw(Generation.NEW, found, fake.config_dir))

    refusals = judge_all(judge, [b"{}", content(fake={"invalid": "no such key"}), b"{"], tmp_path)

    assert len(refusals) == 2
    assert refusals[0].startswith("exit 1: ")
    assert "no such key" in refusals[0]
    assert str(tmp_path / "content-1" / "openclaw.json") in refusals[0]

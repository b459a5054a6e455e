"""OpenClaw's own copy of its config follows what we write, so that OpenClaw does not put the old one back."""

import json
from pathlib import Path

import pytest

from buddy_common.adapters.config_files import ConfigFiles
from buddy_common.adapters.last_good import keep_in_step
from buddy_common.adapters.live_config import LiveConfig
from buddy_common.schemas.backups import ROOT


def config_of(folder: Path) -> tuple[Path, Path]:
    config, copy = folder / "openclaw.json", folder / "openclaw.json.last-good"
    for path in (config, copy):
        path.write_text(json.dumps({"meta": {}, "models": {"providers": {"p": {"note": "x" * 900}}}}))
        path.chmod(0o600)
    return config, copy


def test_the_copy_is_what_a_change_wrote(tmp_path: Path) -> None:
    config, copy = config_of(tmp_path)

    ConfigFiles(config).write({config: b"{}\n"})

    assert copy.read_bytes() == config.read_bytes() == b"{}\n"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_the_copy_is_what_a_restore_wrote(tmp_path: Path) -> None:
    config, copy = config_of(tmp_path)

    LiveConfig(config).write({ROOT: b"{}\n"})

    assert copy.read_bytes() == config.read_bytes() == b"{}\n"


@pytest.mark.parametrize(
    "content", [b'{"gateway": {"mode": "local"}}', b'{"meta": {}}'], ids=["no meta", "half as long"]
)
def test_what_looks_damaged_is_the_newest_backup_as_well_and_none_is_lost(
    tmp_path: Path, content: bytes
) -> None:
    config, copy = config_of(tmp_path)
    newest, second, third = (config.with_name(f"{config.name}.bak{end}") for end in ("", ".1", ".2"))
    newest.write_bytes(copy.read_bytes())
    second.write_text("earlier")
    before = newest.read_bytes()

    ConfigFiles(config).write({config: content})

    assert [file.read_bytes() for file in (newest, second, third)] == [content, before, b"earlier"]


def test_what_looks_sound_leaves_the_backups_alone(tmp_path: Path) -> None:
    config, copy = config_of(tmp_path)
    newest = config.with_name(f"{config.name}.bak")
    newest.write_bytes(copy.read_bytes())
    content = json.dumps({"meta": {}, "models": {"providers": {"p": {"note": "y" * 900}}}}).encode()

    ConfigFiles(config).write({config: content})

    assert newest.read_bytes() != content


def test_an_included_file_has_no_copy(tmp_path: Path) -> None:
    config, copy = config_of(tmp_path)
    part = tmp_path / "models.json5"
    part.write_text("{}")
    before = copy.read_bytes()

    ConfigFiles(config).write({part: b'{"a": 1}'})

    assert copy.read_bytes() == before


def test_none_is_made_where_there_is_none(tmp_path: Path) -> None:
    keep_in_step(tmp_path / "openclaw.json", b"{}", has_meta=False)

    assert list(tmp_path.iterdir()) == []

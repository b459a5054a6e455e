"""Reading and creating `openclaw.json`."""

import json
from functools import partial
from pathlib import Path

import pytest

from buddy_common.adapters.config_file import DEFAULT_PORT, configured_port, read_config, write_first_config
from buddy_common.errors import GatewayConfigError
from common.racing import race

JSON5 = """\ufeff// written by hand
{
  gateway: {          /* no quotes needed */
    port: 0x4965,
    'mode': "local",
  },
  list: [1, 2,],
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "openclaw.json"


@pytest.fixture
def folder(file: Path) -> Path:
    file.parent.mkdir()
    return file.parent


def test_json5_is_read_as_openclaw_reads_it(file: Path, folder: Path) -> None:
    file.write_text(JSON5, encoding="utf-8")

    assert read_config(file) == {"gateway": {"port": 18789, "mode": "local"}, "list": [1, 2]}
    assert file.read_text(encoding="utf-8") == JSON5
    assert list(folder.iterdir()) == [file]


def test_missing_file_is_no_config_and_no_failure(file: Path) -> None:
    assert read_config(file) is None
    assert not file.parent.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n",
        b'{"gateway": {"port": 18789}',
        b"{port: }",
        b"{} and more",
        b'\xff\xfe{\x00}\x00',
        b"\x00\x00\x00\x00",
        b"[" * 100_000,
    ],
    ids=["empty", "blank", "cut off", "no value", "two values", "UTF-16", "zeros", "deep"],
)  # fmt: skip
def test_broken_file_is_told_by_name_and_left_alone(file: Path, folder: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(GatewayConfigError) as failure:
        read_config(file)

    assert str(file) in failure.value.message
    assert file.read_bytes() == content
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("content", ["[]", "null", "18789", '"{}"'])
def test_anything_but_an_object_is_refused(file: Path, folder: Path, content: str) -> None:
    file.write_text(content)

    with pytest.raises(GatewayConfigError, match="holds no object"):
        read_config(file)


def test_folder_in_the_place_of_the_file_is_refused(file: Path) -> None:
    file.mkdir(parents=True)

    with pytest.raises(GatewayConfigError, match="cannot be read"):
        read_config(file)


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"gateway": {}},
        {"gateway": None},
        {"gateway": [1]},
        {"gateway": {"port": None}},
        {"gateway": {"port": True}},
        {"gateway": {"port": "4000"}},
        {"gateway": {"port": 0}},
        {"gateway": {"port": -1}},
        {"gateway": {"port": 65536}},
        {"port": 4000},
    ],
)
def test_port_that_is_none_is_the_default(config: dict[str, object] | None) -> None:
    assert configured_port(config) == DEFAULT_PORT == 18789


@pytest.mark.parametrize("port", [1, 4000, 65535])
def test_port_that_is_set_counts(port: int) -> None:
    assert configured_port({"gateway": {"port": port}}) == port


def test_first_config_is_local_private_and_has_a_token(file: Path) -> None:
    assert write_first_config(file)

    config = read_config(file)
    assert config is not None
    assert (config["gateway"]["mode"], config["gateway"]["bind"]) == ("local", "loopback")
    assert config["gateway"]["auth"]["mode"] == "token"
    assert len(config["gateway"]["auth"]["token"]) >= 43  # 256 bits
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text()) == config  # plain JSON is JSON5 that every tool reads


def test_every_first_config_has_a_token_of_its_own(tmp_path: Path) -> None:
    files = [tmp_path / name / "openclaw.json" for name in ("a", "b")]
    for file in files:
        write_first_config(file)

    assert files[0].read_text() != files[1].read_text()


@pytest.mark.parametrize("content", ["", "{ broken", "{}", JSON5], ids=["empty", "broken", "object", "JSON5"])
def test_existing_file_is_never_touched(file: Path, folder: Path, content: str) -> None:
    file.write_text(content, encoding="utf-8")
    file.chmod(0o644)
    before = file.stat()

    assert not write_first_config(file)

    assert file.read_text(encoding="utf-8") == content
    assert (file.stat().st_mode, file.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert list(folder.iterdir()) == [file]


def test_dangling_link_is_not_followed(file: Path, folder: Path) -> None:
    file.symlink_to(folder / "elsewhere.json")

    assert not write_first_config(file)

    assert not (folder / "elsewhere.json").exists()


def test_of_writers_at_once_one_wins_and_all_see_its_whole_file(tmp_path: Path) -> None:
    def write_and_read(file: Path) -> tuple[bool, str]:
        return write_first_config(file), file.read_text()

    for turn in range(30):
        file = tmp_path / str(turn) / "openclaw.json"
        outcomes = race(8, partial(write_and_read, file))

        assert sorted(created for created, _ in outcomes) == [*[False] * 7, True]
        assert {content for _, content in outcomes} == {file.read_text()}

"""What `openclaw.json` and the files that it includes say together."""

from pathlib import Path

import pytest

from buddy_common.adapters.config_include import MAX_DEPTH, read_effective_config
from buddy_common.errors import GatewayConfigError


def write(folder: Path, **files: str) -> Path:
    """Write `<name>.json` files, and return the main one."""
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return folder / "openclaw.json"


def test_no_file_is_no_config(tmp_path: Path) -> None:
    assert read_effective_config(tmp_path / "openclaw.json") is None


def test_a_config_without_includes_is_read_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, openclaw="{gateway: {port: 1, list: [1, {a: 2}]}} // JSON5")

    assert read_effective_config(path) == {"gateway": {"port": 1, "list": [1, {"a": 2}]}}


def test_an_include_takes_the_place_of_its_object(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        openclaw='{gateway: {$include: "./gateway.json"}, agents: {x: [{$include: "gateway.json"}]}}',
        gateway="{port: 19000, bind: 'lan'}",
    )

    gateway = {"port": 19000, "bind": "lan"}
    assert read_effective_config(path) == {"gateway": gateway, "agents": {"x": [gateway]}}


def test_of_several_the_later_wins_and_siblings_win_over_all(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        openclaw='{$include: ["./one.json", "./two.json"], gateway: {port: 3}}',
        one="{gateway: {port: 1, bind: 'lan', auth: {mode: 'token'}}}",
        two="{gateway: {port: 2, auth: {token: 't'}}}",
    )

    assert read_effective_config(path) == {
        "gateway": {"port": 3, "bind": "lan", "auth": {"mode": "token", "token": "t"}}
    }


def test_an_include_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    path = write(tmp_path, openclaw='{gateway: {$include: "parts/a.json"}}')
    write(tmp_path / "parts", a='{$include: "b.json"}', b="{port: 5}")

    assert read_effective_config(path) == {"gateway": {"port": 5}}


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        ('{$include: "missing.json"}', "does not exist"),
        ('{$include: "../outside.json"}', "outside"),
        ('{$include: "/etc/hostname"}', "outside"),
        ("{$include: 7}", "must name a file"),
        ('{$include: "broken.json"}', "not valid JSON5"),
        ('{$include: "openclaw.json"}', f"deeper than {MAX_DEPTH}"),
    ],
)
def test_an_include_that_cannot_be_followed_is_told(tmp_path: Path, main: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "outside.json").write_text("{}")
    path = write(tmp_path / "folder", openclaw=main, broken="{")

    with pytest.raises(GatewayConfigError, match=reason):
        read_effective_config(path)


def test_a_link_that_leads_outside_is_outside(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "outside.json").write_text("{}")
    (tmp_path / "folder" / "link.json").symlink_to(tmp_path / "outside.json")

    with pytest.raises(GatewayConfigError, match="outside"):
        read_effective_config(write(tmp_path / "folder", openclaw='{$include: "link.json"}'))


def test_further_folders_are_allowed_by_openclaws_own_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "part.json").write_text("{port: 7}")
    monkeypatch.setenv("OPENCLAW_INCLUDE_ROOTS", str(tmp_path / "shared"))
    path = write(tmp_path / "folder", openclaw='{gateway: {$include: "../shared/part.json"}}')

    assert read_effective_config(path) == {"gateway": {"port": 7}}

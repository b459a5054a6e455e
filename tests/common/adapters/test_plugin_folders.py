"""The folders of plugins come back as they were."""

import json
from pathlib import Path

import pytest

from buddy_common.adapters.plugin_folders import PluginFolders
from buddy_common.errors import StateUnwritableError


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    folder = tmp_path / "extensions"
    add(folder, "voice", "@scope/voice")
    return folder


@pytest.fixture
def folders(extensions: Path, tmp_path: Path) -> PluginFolders:
    return PluginFolders(extensions, tmp_path / "copies")


def add(extensions: Path, name: str, package: str) -> Path:
    folder = extensions / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": package}))
    return folder


def test_a_changed_folder_comes_back(folders: PluginFolders, extensions: Path) -> None:
    folders.keep("voice")
    (extensions / "voice" / "package.json").write_text("other")
    (extensions / "voice" / "more.js").touch()

    folders.put_back("voice")

    assert [path.name for path in (extensions / "voice").iterdir()] == ["package.json"]
    assert "@scope/voice" in (extensions / "voice" / "package.json").read_text()


def test_a_removed_folder_comes_back_until_it_is_forgotten(folders: PluginFolders, extensions: Path) -> None:
    folders.keep("voice")
    (extensions / "voice").rename(extensions / "elsewhere")

    folders.put_back("voice")
    assert folders.names() == {"voice", "elsewhere"}

    folders.forget()
    (extensions / "voice").rename(extensions / "moved")
    folders.put_back("voice")
    assert folders.names() == {"moved", "elsewhere"}


def test_of_what_is_new_only_the_package_is_removed(folders: PluginFolders, extensions: Path) -> None:
    before = folders.names()
    add(extensions, "new", "new-package")
    add(extensions, "somebody-elses", "other-package")
    (extensions / "no-package").mkdir()

    folders.remove_new(before, package="new-package")

    assert folders.names() == {"voice", "somebody-elses", "no-package"}


def test_a_link_to_a_developers_folder_is_neither_copied_nor_removed(
    folders: PluginFolders, extensions: Path, tmp_path: Path
) -> None:
    before = folders.names()
    linked = add(tmp_path / "work", "linked", "linked")
    (extensions / "linked").symlink_to(linked)

    folders.keep("linked")
    folders.remove_new(before, package="linked")

    assert not (tmp_path / "copies").exists()
    assert (linked / "package.json").exists()


def test_without_any_plugin_there_is_nothing_to_keep(tmp_path: Path) -> None:
    folders = PluginFolders(tmp_path / "none", tmp_path / "copies")
    folders.keep("voice")
    folders.put_back("voice")
    assert folders.names() == frozenset()


def test_a_folder_that_cannot_be_copied_is_told(extensions: Path, tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("in the way")
    with pytest.raises(StateUnwritableError, match="voice"):
        PluginFolders(extensions, tmp_path / "copies").keep("voice")

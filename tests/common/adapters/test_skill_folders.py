"""Taking the folder of a skill away, and no other folder."""

import errno
import json
import shutil
import stat
from pathlib import Path

import pytest

from buddy_common.adapters import skill_folders
from buddy_common.adapters.skill_folders import archive_skill, forget_skill
from buddy_common.errors import SkillElsewhereError, StateUnwritableError
from fakes.disks import be_on_another_disk


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    skill = tmp_path / "workspace" / "skills" / "mine"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("mine")
    (skill / "run.sh").touch(mode=0o755)
    (tmp_path / "state" / "skills").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "SKILL.md").write_text("precious")
    return tmp_path / "workspace"


def take(workspace: Path, folder: Path) -> tuple[Path, Path]:
    top = workspace.parent
    return archive_skill(folder, owners=[workspace, top / "state"], archive=top / "buddy" / "archive")


def test_skill_is_in_the_archive_and_not_in_the_workspace(workspace: Path) -> None:
    archived, owner = take(workspace, workspace / "skills" / "mine")

    assert not (workspace / "skills" / "mine").exists()
    assert archived.parent == workspace.parent / "buddy" / "archive" / "skills"
    assert archived.name.startswith("mine-")
    assert (archived / "SKILL.md").read_text() == "mine"
    assert owner == workspace


def test_skill_of_the_state_is_the_states(workspace: Path) -> None:
    state = workspace.parent / "state"
    (state / "skills" / "group" / "shared").mkdir(parents=True)

    archived, owner = take(workspace, state / "skills" / "group" / "shared")

    assert (archived.is_dir(), owner) == (True, state)
    assert (state / "skills" / "group").is_dir()


@pytest.mark.parametrize(
    "path",
    ["precious", "workspace", "workspace/skills", "state", "state/skills", "workspace/skills/../x", ".."],
)
def test_what_is_no_folder_below_skills_stays(workspace: Path, path: str) -> None:
    with pytest.raises(SkillElsewhereError):
        take(workspace, workspace.parent / path)

    assert (workspace / "skills" / "mine" / "SKILL.md").exists()
    assert (workspace.parent / "precious" / "SKILL.md").exists()


def test_skill_that_is_not_there_is_nowhere(workspace: Path) -> None:
    with pytest.raises(SkillElsewhereError):
        take(workspace, workspace / "skills" / "missing")


def test_folder_of_skills_that_leads_elsewhere_is_not_followed(workspace: Path) -> None:
    (workspace / "skills" / "link").symlink_to(workspace.parent)

    with pytest.raises(SkillElsewhereError):
        take(workspace, workspace / "skills" / "link" / "precious")

    assert (workspace.parent / "precious" / "SKILL.md").exists()


def test_folder_that_became_a_link_after_the_check_is_not_followed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "skills" / "link").symlink_to(workspace.parent)
    monkeypatch.setattr(skill_folders, "_find_owner", lambda *_: (workspace, ("link",)))

    with pytest.raises(SkillElsewhereError):
        take(workspace, workspace / "skills" / "link" / "precious")

    assert (workspace.parent / "precious" / "SKILL.md").exists()


@pytest.mark.parametrize("other_disk", [False, True])
def test_skill_that_is_a_link_goes_without_what_it_leads_to(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, *, other_disk: bool
) -> None:
    (workspace / "skills" / "linked").symlink_to(workspace.parent / "precious")
    if other_disk:
        be_on_another_disk(monkeypatch)

    archived, _ = take(workspace, workspace / "skills" / "linked")

    assert archived.is_symlink()
    assert not (workspace / "skills" / "linked").is_symlink()
    assert (workspace.parent / "precious" / "SKILL.md").exists()


def test_archive_on_another_disk_gets_a_copy(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be_on_another_disk(monkeypatch)

    archived, _ = take(workspace, workspace / "skills" / "mine")

    assert (archived / "SKILL.md").read_text() == "mine"
    assert stat.S_IMODE((archived / "run.sh").stat().st_mode) & 0o100
    assert list((workspace / "skills").iterdir()) == []


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), shutil.Error([("a", "b", "c")])])
def test_full_disk_leaves_the_skill(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    def fail(_source: Path, target: Path, **_: object) -> None:
        target.mkdir()
        raise failure

    be_on_another_disk(monkeypatch)
    monkeypatch.setattr(shutil, "copytree", fail)

    with pytest.raises(StateUnwritableError):
        take(workspace, workspace / "skills" / "mine")

    assert (workspace / "skills" / "mine" / "SKILL.md").read_text() == "mine"
    assert list((workspace.parent / "buddy" / "archive" / "skills").iterdir()) == []


def write_lock(owner: Path, text: str, *, folder: str = ".clawhub") -> Path:
    file = owner / folder / "lock.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o640)
    return file


@pytest.mark.parametrize("folder", [".clawhub", ".clawdhub"])
def test_skill_is_taken_out_of_what_was_installed(workspace: Path, folder: str) -> None:
    skills = {"mine": {"version": "1.0.0"}, "other": {"version": "2.0.0"}}
    file = write_lock(workspace, json.dumps({"version": 1, "skills": skills}), folder=folder)

    assert forget_skill(workspace, "mine") is True

    assert json.loads(file.read_text()) == {"version": 1, "skills": {"other": {"version": "2.0.0"}}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert forget_skill(workspace, "mine") is False


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"skills": []}', '{"skills": {"x": 1}}'])
def test_what_does_not_name_the_skill_stays_as_it_is(workspace: Path, text: str) -> None:
    file = write_lock(workspace, text)

    assert forget_skill(workspace, "mine") is False
    assert file.read_text() == text


def test_list_that_is_a_link_is_left_alone(workspace: Path) -> None:
    target = workspace.parent / "target.json"
    target.write_text('{"skills": {"mine": {}}}')
    (workspace / ".clawhub").mkdir()
    (workspace / ".clawhub" / "lock.json").symlink_to(target)

    assert forget_skill(workspace, "mine") is False
    assert target.read_text() == '{"skills": {"mine": {}}}'


def test_list_that_cannot_be_written_is_told(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_lock(workspace, '{"skills": {"mine": {}}}')
    monkeypatch.setattr(skill_folders, "replace_file", fail)

    with pytest.raises(StateUnwritableError, match=r"lock\.json"):
        forget_skill(workspace, "mine")

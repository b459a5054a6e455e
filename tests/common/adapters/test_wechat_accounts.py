"""The plugin's own files of its accounts, as Buddy reads and takes them away."""

import json
from pathlib import Path

import pytest

from buddy_common.adapters import wechat_accounts
from buddy_common.adapters.wechat_accounts import WechatAccounts
from buddy_common.errors import StateUnwritableError
from buddy_common.schemas.wechat import PLUGIN

ACCOUNT, RAW, OTHER = "b0f5-im-bot", "b0f5@im.bot", "c1a6-im-bot"
SAVED = {"token": "secret", "savedAt": "2026-11-20T10:00:00.000Z", "userId": "user", "baseUrl": "https://w"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the plugin keeps its accounts; two are bound, one has no file yet."""
    found = tmp_path / PLUGIN / "accounts"
    found.mkdir(parents=True)
    (found.parent / "accounts.json").write_text(json.dumps([ACCOUNT, OTHER]))
    return found


@pytest.mark.parametrize("name", [ACCOUNT, RAW])
def test_without_its_token_an_account_is_the_same_session(tmp_path: Path, folder: Path, name: str) -> None:
    (folder / f"{name}.json").write_text(json.dumps(SAVED))
    (folder / f"{name}.json").chmod(0o640)
    accounts = WechatAccounts(tmp_path)
    before = accounts.find(ACCOUNT)

    accounts.drop_token(ACCOUNT)

    assert accounts.find(ACCOUNT) == before
    assert accounts.ids() == [ACCOUNT, OTHER]
    assert not [file for file in folder.iterdir() if "secret" in file.read_text()]
    assert (folder / f"{ACCOUNT}.json").stat().st_mode & 0o777 == 0o640


def test_an_account_whose_token_is_the_one_of_all_has_a_file_of_its_own_after_it(
    tmp_path: Path, folder: Path
) -> None:
    """The plugin takes the token of `credentials/` for each account without a file."""
    WechatAccounts(tmp_path).drop_token(ACCOUNT)

    assert json.loads((folder / f"{ACCOUNT}.json").read_bytes()) == {}


def test_an_account_stays_listed_until_all_of_it_is_gone(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object) -> None:
        raise StateUnwritableError("locked")

    accounts = WechatAccounts(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(wechat_accounts, "forget_messages", held)
        with pytest.raises(StateUnwritableError):
            accounts.remove(ACCOUNT)
    listed = accounts.ids()
    accounts.remove(ACCOUNT)

    assert listed == [ACCOUNT, OTHER]
    assert accounts.ids() == [OTHER]

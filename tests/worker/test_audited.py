"""The audit says of each change what was before and what is now, and no secret."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from buddy_common.db import events
from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.schemas.backups import BackupReason
from buddy_common.schemas.bot_file_jobs import WriteBotFileJob
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.plugin_jobs import SetPluginJob
from buddy_common.schemas.wechat import PLUGIN
from buddy_common.schemas.wechat_jobs import InstallWechatJob, UnbindWechatJob
from buddy_worker.tasks import backups
from buddy_worker.usecases import wechat_channel
from buddy_worker.usecases.change_config import change_config
from buddy_worker.usecases.install_wechat import install_wechat
from buddy_worker.usecases.unbind_wechat import unbind_wechat
from buddy_worker.usecases.write_bot_file import write_bot_file
from buddy_worker.wiring import Wiring
from fakes.openclaw_program import FakeOpenClaw
from worker.plugin_jobs import done, failed, install, run, there, uninstall, update
from worker.wechat_scene import ACCOUNT, ChannelGateway, bind

pytestmark = pytest.mark.timeout(40)  # programs are started

SECRET = "sk-0123456789abcdefghij"


async def audit(w: Wiring) -> str | None:
    """Return the detail of the newest event, which is that of the change."""
    newest = (await w.database.run(events.listing))[0]
    assert newest.status is EventStatus.SUCCESS
    return newest.detail


async def test_a_change_of_the_config_tells_each_key_and_masks_its_secrets(w: Wiring) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["gateway"]["mode"] = "remote"
        config["models"] = {"providers": {"a": {"apiKey": SECRET, "baseUrl": "https://a.example"}}}

    done(
        await run(
            w,
            SetPluginJob(id="voice", enabled=True),
            lambda running: change_config(running, edit, base_hash=None),
        )
    )

    detail = await audit(w)
    assert detail is not None
    assert 'gateway.mode: "local" → "remote"' in detail
    assert "models: null → " in detail
    assert "https://a.example" in detail
    assert SECRET not in detail
    assert "sk-…ghij" in detail


async def test_what_is_installed_updated_and_removed_is_told_with_its_versions(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    fake_openclaw.configure(update_to={"voice": "1.2"})
    result = done(await install(w, "voice@1.0"))
    assert await audit(w) == 'plugin voice: null → {"version": "1.0", "enabled": true}'
    assert "made" not in result

    done(await update(w))
    assert await audit(w) == 'plugin voice: "1.0" → "1.2"'

    done(await uninstall(w, "voice"))
    assert await audit(w) == 'plugin voice: {"version": "1.2", "enabled": true} → null'


async def test_a_failure_tells_its_reason_instead(w: Wiring, fake_openclaw: FakeOpenClaw) -> None:
    fake_openclaw.configure(install_refuses="requires OpenClaw >=2027")

    failed(await install(w, "voice"), "openclaw_cli_failed")

    newest = (await w.database.run(events.listing))[0]
    assert newest.status is EventStatus.FAILED
    assert "requires OpenClaw >=2027" in (newest.detail or "")


async def test_a_file_is_told_by_size_and_hash(w: Wiring, tmp_path: Path) -> None:
    old, new = "old text", "the new text"
    (tmp_path / "SOUL.md").write_text(old)

    def told(text: str) -> str:
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f'{{"size": {len(text)}, "sha256": "{digest}"}}'

    for name, before in (("SOUL.md", told(old)), ("NEW.md", "null")):
        job = WriteBotFileJob(bot="main", name=name, content=new)
        done(
            await run(
                w,
                job,
                lambda running: write_bot_file(
                    tmp_path, name=running.payload.name, content=new, if_match=None
                ),
            )
        )
        assert await audit(w) == f"{name}: {before} → {told(new)}"


async def test_a_restore_tells_both_backups_and_the_keys_that_differ(
    w: Wiring, fake_openclaw: FakeOpenClaw
) -> None:
    now = json.loads(fake_openclaw.config_file.read_bytes())
    wanted = json.dumps(now | {"logging": {"level": "debug"}, "auth": {"token": SECRET}}).encode()
    backup = await asyncio.to_thread(w.host.history.add, wanted, {}, reason=BackupReason.MANUAL)

    result = done(await run(w, RestoreBackupJob(name=backup.name), backups._restore))

    detail = await audit(w)
    assert detail is not None
    assert detail.startswith(f'openclaw.json: "{result["previous"]}" → "{backup.name}"; ')
    assert 'logging: null → {"level": "debug"}' in detail
    assert SECRET not in detail


async def test_a_backup_is_told_by_its_name(w: Wiring) -> None:
    result = done(await run(w, MakeBackupJob(), backups._make))

    assert await audit(w) == f'backup: null → "{result["name"]}"'


async def test_wechat_tells_its_versions_and_who_is_bound_no_more(
    w: Wiring, fake_openclaw: FakeOpenClaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wechat_channel, "call_gateway", ChannelGateway(rows=None).connect)
    there(fake_openclaw, PLUGIN, version="2.4.6")

    done(await run(w, InstallWechatJob(), install_wechat))
    detail = await audit(w)
    assert detail is not None
    before, after = ({"version": version, "enabled": True} for version in ("2.4.6", "2.4.9"))
    assert detail.startswith(f"plugin {PLUGIN}: {json.dumps(before)} → {json.dumps(after)}; ")
    assert "channels: null → " in detail

    bind(fake_openclaw, ACCOUNT)
    done(
        await run(
            w, UnbindWechatJob(account=ACCOUNT), lambda running: unbind_wechat(running, account=ACCOUNT)
        )
    )
    assert await audit(w) == f'account {ACCOUNT}: "bound" → null'

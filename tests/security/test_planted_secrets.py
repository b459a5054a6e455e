"""A whole system is given secrets, changed, broken and asked; then each is looked for wherever Buddy writes.

The files that may have a secret are named with it. That list is short, and each entry must be needed.
"""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from e2e.machine import Machine, until
from fakes.echoing_provider import EchoingProvider
from fakes.openclaw_program import FakeOpenClaw
from fakes.ports import free_port
from openclaw_system import running_system
from real_openclaw import Generation
from security import ledger
from security.planted import Scan, Secret, files_below, keys_of, rows_of
from security.secret_forms import lines_with, server_with
from security.visitor import (
    CONFIG,
    QUARANTINE,
    SAID,
    Planted,
    Visitor,
    look_at_backups,
    plant,
    read_all,
    sign_in,
    use_backups,
    use_models,
)

pytestmark = [pytest.mark.security, pytest.mark.timeout(600)]

REPORT_SECONDS = 60
DOCTOR_SAYS = "The doctor has something to say."


def unbind(visitor: Visitor) -> None:
    """Begin to unbind the account, and think better of it: this gateway never says that it is gone."""
    answer = visitor.ask("DELETE", "/v1/wechat/accounts/b0f5-im-bot", headers={"Prefer": "respond-async"})
    task_id = answer.json()["data"]["taskID"]
    visitor.ask("POST", f"/v1/tasks/{task_id}/cancel")
    visitor.buddy.finish_task(task_id)


def command_lines(machine: Machine) -> Iterator[tuple[str, bytes]]:
    """Yield the arguments of every process: any account of the host may read them."""
    for process in [*machine.services(), *machine.openclaws()]:
        with contextlib.suppress(psutil.Error):
            yield process.name(), "\0".join(process.cmdline()).encode()


def scan(visitor: Visitor, planted: Planted, said: Callable[[], bytes]) -> Scan:
    """Look everywhere, while all runs."""
    machine = visitor.buddy.machine
    scan = Scan(planted.all)
    scan.look_all("answer", visitor.answers)
    scan.look_all("process", command_lines(machine))
    scan.look_all("broker key", keys_of(machine.broker_url))
    scan.look_all("row", rows_of(machine.home / "buddy.db"))
    scan.look_all("file", files_below(machine.folder))
    scan.look("output", "buddy commands", said())
    return scan


def commands(machine: Machine) -> bytes:
    """Return what `buddy status` and a `buddy up` that is refused say."""
    outs: list[subprocess.CompletedProcess[str]] = [machine.run("status"), machine.run("up")]
    return "".join(done.stdout + done.stderr for done in outs).encode()


@pytest.fixture
def provider() -> Iterator[EchoingProvider]:
    provider = EchoingProvider()
    yield provider
    provider.close()


def bind_wechat(fake: FakeOpenClaw, secret: Secret) -> None:
    """Have two accounts bound: one is unbound later, and the other stays."""
    folder = fake.config_dir / "openclaw-weixin" / "accounts"
    folder.mkdir(parents=True)
    accounts = ["b0f5-im-bot", "c1a2-im-bot"]
    (folder.parent / "accounts.json").write_text(json.dumps(accounts))
    for account in accounts:
        saved = {"token": secret.value, "savedAt": "2026-11-20T10:00:00.000Z", "userId": "u@im.wechat"}
        (folder / f"{account}.json").write_text(json.dumps(saved))


def alert_address(planted: Planted) -> str:
    """Return where alerts go: nobody is there, so that the failure is told."""
    return f"json://buddy:{planted.alert.value}@127.0.0.1:{free_port()}/{planted.alert.value}"


@pytest.fixture
def planted() -> Planted:
    return plant(
        config=CONFIG, quarantine=QUARANTINE, wechat="openclaw/state/openclaw-weixin/accounts/*", said=SAID
    )


@pytest.fixture
def machine(planted: Planted, tmp_path: Path) -> Iterator[Machine]:
    """A machine with secrets in its environment, in its config and in what the WeChat plugin keeps."""
    folder = tmp_path / "machine"
    folder.mkdir()
    machine = Machine(
        folder,
        BUDDY_TOKEN=planted.token.value,
        BUDDY_ALERT_URLS=alert_address(planted),
        BUDDY_STEADY_SECONDS="1",
        BUDDY_CHECK_INTERVAL_SECONDS="1",
    )
    fake = machine.fake
    auth = {"mode": "token", "token": planted.gateway.value}
    config = {
        "gateway": {"mode": "local", "port": fake.port, "auth": auth},
        "mcp": {"servers": {"all-forms": server_with(planted.in_config)}},
        "fake": {},
    }
    fake.config_file.write_text(json.dumps(config))
    said = "\n".join([DOCTOR_SAYS, *lines_with(planted.in_text)])
    (fake.config_dir / "doctor.txt").write_text(said)
    bind_wechat(fake, planted.wechat)
    yield machine
    machine.close()


def test_no_secret_leaves_its_place(machine: Machine, planted: Planted, provider: EchoingProvider) -> None:
    buddy = machine.up()
    buddy.wait_for_output("✓ gateway")
    visitor = Visitor(buddy)
    sign_in(visitor, planted)
    use_models(visitor, planted, provider)
    visitor.done("/v1/openclaw/bots/add", id="bot_1", model="echo/m-1")
    config = {"apiKey": planted.provider.value, "mcp": server_with(planted.in_config)}
    visitor.change("/v1/openclaw/bots/update", id="bot_1", config=config)
    visitor.change("/v1/openclaw/plugins/install", spec="voice")
    use_backups(visitor)
    visitor.change("/v1/settings/alerts/test")
    break_the_start(visitor, planted)
    look_at_backups(visitor)
    read_all(visitor)
    unbind(visitor)

    found = scan(visitor, planted, lambda: commands(machine))

    ledger.add("planted secrets, fake OpenClaw", found.looked, len(found.found))
    assert found.found == []
    assert found.looked["file"] > 10
    assert found.looked["row"] > 50
    assert found.looked["broker key"] > 5
    assert found.looked["answer"] > 80
    assert found.expected == found.allowed, "an exception that nothing needs"


def break_the_start(visitor: Visitor, planted: Planted) -> None:
    """Have the gateway refuse an entry that holds a secret; the watchdog takes it out and reports.

    The report has a difference with each form of a secret, and what the doctor says.
    """
    fake = visitor.buddy.machine.fake
    config = json.loads(fake.config_file.read_bytes())
    config["channels"] = {"ghost-chat": {"token": planted.provider.value}}
    config["mcp"]["servers"]["again"] = server_with(planted.in_config)
    new = fake.config_file.with_suffix(".new")
    new.write_text(json.dumps(config))
    new.replace(fake.config_file)
    visitor.change("/v1/gateway/restart")

    def quarantined() -> bool:
        rows = visitor.ask("GET", "/v1/heal/quarantine").json()["data"]["quarantine"]
        return bool(rows)

    until(quarantined, seconds=REPORT_SECONDS, what="the entry is in quarantine")

    def reported() -> bool:
        ask = visitor.buddy.request  # the answers of so many tries need not be looked through
        rows = ask("GET", "/v1/heal/reports").json()["data"]["reports"]
        texts = (ask("GET", f"/v1/heal/reports/{row['name']}").text for row in rows)
        return any(DOCTOR_SAYS in text for text in texts)

    until(reported, seconds=REPORT_SECONDS, what="there is a report, and the doctor's word is in it")


@pytest.fixture
def planted_in_the_real_one() -> Planted:
    return plant(config=("openclaw/*", "home/nodes/local/backups/*"))


def test_no_secret_leaves_its_place_with_the_real_openclaw(
    planted_in_the_real_one: Planted, provider: EchoingProvider, tmp_path: Path
) -> None:
    """OpenClaw's own folder may have what is in its config; its log and all that Buddy writes may not."""
    planted = planted_in_the_real_one
    environment = {"BUDDY_TOKEN": planted.token.value, "BUDDY_ALERT_URLS": alert_address(planted)}
    folder = tmp_path / "machine"
    folder.mkdir()
    with running_system(Generation.NEW, folder, **environment) as system:
        planted.gateway = replace(planted.gateway, value=system.openclaw.token)
        visitor = Visitor(system.buddy)
        sign_in(visitor, planted)
        use_models(visitor, planted, provider)
        visitor.done("/v1/openclaw/bots/add", id="bot_1", model="echo/m-1")
        use_backups(visitor)
        visitor.change("/v1/settings/alerts/test")
        visitor.done("/v1/gateway/restart")
        read_all(visitor)

        found = scan(visitor, planted, lambda: commands(system.buddy.machine))

    ledger.add("planted secrets, real OpenClaw", found.looked, len(found.found))
    assert found.found == []
    assert found.looked["answer"] > 60

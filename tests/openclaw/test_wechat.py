"""The real WeChat plugin in the real OpenClaw; only WeChat itself is a stand-in on this machine."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest

from eventually import wait_until
from fakes.ilink import ACCOUNT, USER, Ilink
from openclaw_system import System, running_system
from real_openclaw import Generation

pytestmark = [pytest.mark.openclaw, pytest.mark.timeout(600)]
PATH = "/v1/wechat/qrcode"
PLUGIN = "openclaw-weixin"
VERSIONS = {Generation.NEW: "2.4.9", Generation.OLD: "2.1.6"}
HOSTILE = "https://evil.example/q\x1b]0;title\x07\nhttps://liteapp.weixin.qq.com.evil.example/q"
SECONDS = 240


@dataclass
class Listener:
    """Who follows a login; its events are read in a thread."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    raw: str = ""
    problem: Exception | None = None

    def until(self, name: str, **data: Any) -> dict[str, Any]:
        """Wait for an event of this name that says so."""

        def find() -> dict[str, Any] | None:
            assert self.problem is None, self.problem
            return next(
                (said for event, said in list(self.events) if event == name and data.items() <= said.items()),
                None,
            )

        found = wait_until(find, lambda said: said is not None, seconds=SECONDS)
        assert found is not None
        return found

    def states(self) -> list[str]:
        """Return the states in the order in which they were told, without repetitions."""
        said = [data["state"] for event, data in self.events if event == "status"]
        return [state for index, state in enumerate(said) if index == 0 or said[index - 1] != state]


@dataclass
class Wechat:
    """A system, and the service that its plugin logs in to."""

    system: System
    ilink: Ilink
    generation: Generation

    def status(self) -> dict[str, Any]:
        """Return what the API says of the channel now."""
        found: dict[str, Any] = self.system.buddy.get("/v1/wechat/config/status", refresh="true").json()[
            "data"
        ]
        return found

    def state(self) -> str | None:
        """Return how the account does, None where it is not bound."""
        rows = {row["appId"]: row["state"] for row in self.status()["accounts"]}
        return rows.get(ACCOUNT)

    def until_state(self, state: str | None) -> None:
        wait_until(self.state, lambda found: found == state, seconds=90)

    def install(self) -> dict[str, Any]:
        answer = self.system.buddy.post("/v1/wechat/install")
        assert answer.status_code == 202, answer.text
        return self.system.buddy.finish_task(answer.json()["data"]["taskID"])

    def ensure_installed(self) -> None:
        """Install the plugin unless it is there."""
        status = self.status()
        if not (status["installed"] and status["enabled"]):
            task = self.install()
            assert task["status"] == "Completed", task

    @contextlib.contextmanager
    def listening(self, **query: str) -> Iterator[Listener]:
        """Follow the login; leaving the block hangs up."""
        listener = Listener()
        with contextlib.ExitStack() as stack:
            buddy = self.system.buddy
            headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {buddy.token}"}
            client = stack.enter_context(httpx.Client(headers=headers, timeout=SECONDS, trust_env=False))
            answer = stack.enter_context(client.stream("GET", f"{buddy.url}{PATH}", params=query))
            assert answer.status_code == 200, answer.read()
            thread = threading.Thread(target=_read, args=(answer, listener), daemon=True)
            thread.start()
            yield listener

    def log_in(self) -> dict[str, Any]:
        """Scan and confirm; return the end."""
        handed_out = len(self.ilink.codes)
        with self.listening(fresh="true") as listener:
            self.ilink.until_codes(handed_out + 1)
            listener.until("qrcode")
            self.ilink.phone("confirmed")
            return listener.until("done")

    def ensure_bound(self) -> None:
        if self.state() != "connected":
            assert self.log_in()["error"] is None

    def logins(self) -> list[int]:
        """Return the pids of what keeps the logins that run on this system."""
        found = []
        for process in self.system.buddy.machine.openclaws():
            with contextlib.suppress(psutil.NoSuchProcess):
                command = process.cmdline()
                if "talk" in command and command[-4:] == ["channels", "login", "--channel", PLUGIN]:
                    found.append(process.pid)
        return found


def _read(answer: httpx.Response, listener: Listener) -> None:
    name = ""
    try:
        for line in answer.iter_lines():
            listener.raw += f"{line}\n"
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                listener.events.append((name, json.loads(line.removeprefix("data: "))))
    except ValueError as exc:  # told by whoever waits
        listener.problem = exc
    except (httpx.HTTPError, httpx.StreamError, OSError):  # the test has hung up
        return


@pytest.fixture(
    scope="module", params=[Generation.NEW, pytest.param(Generation.OLD, marks=pytest.mark.faults)], ids=str
)
def wechat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wechat]:
    generation = Generation(request.param)
    ilink = Ilink()
    try:
        environment = {**ilink.environment, "BUDDY_WECHAT_GRACE_SECONDS": "3", "BUDDY_WAIT_SECONDS": "1"}
        with running_system(
            generation, tmp_path_factory.mktemp(f"wechat-{generation}"), **environment
        ) as system:
            yield Wechat(system, ilink, generation)
    finally:
        ilink.close()


def test_without_the_plugin_a_login_is_refused_with_what_to_do(wechat: Wechat) -> None:
    answer = wechat.system.buddy.get(PATH)

    assert (answer.status_code, answer.json()["data"]["error"]) == (409, "wechat_not_installed")
    assert "POST /v1/wechat/install" in answer.json()["message"]
    assert wechat.logins() == []


def test_the_plugin_is_installed_on_and_once_more_does_no_harm(wechat: Wechat) -> None:
    first = wechat.install()
    second = wechat.install()

    assert first["status"] == second["status"] == "Completed", (first, second)
    assert (first["result"]["version"], first["result"]["installed"]) == (VERSIONS[wechat.generation], True)
    assert second["result"]["installed"] is False
    status = wechat.status()
    assert (status["installed"], status["enabled"]) == (True, True)
    assert status["pluginVersion"] == VERSIONS[wechat.generation]
    assert wechat.system.is_ready()


def test_a_login_through_both_forms_with_all_that_can_happen_binds_the_account(wechat: Wechat) -> None:
    wechat.ensure_installed()
    ilink, buddy = wechat.ilink, wechat.system.buddy
    ilink.images = [HOSTILE]

    with wechat.listening() as first:
        ilink.until_codes(1)
        ilink.phone("expired")
        code = first.until("qrcode")
        with wechat.listening() as second:
            assert second.until("qrcode")["qrcode_url"] == code["qrcode_url"]
            fresh = refresh(wechat, code, first, second)
            one_shot = buddy.get(PATH).json()["data"]
            assert len(wechat.logins()) == 1
            scan(wechat, first)
            second.until("status", state="scanned")
            ilink.phone("confirmed")
            done = [listener.until("done") for listener in (first, second)]

    assert (one_shot["qrcode_url"], one_shot["cached"]) == (fresh, True)
    assert code["qrcode_url"].startswith("https://liteapp.weixin.qq.com/q/standin?qrcode=standin2&")
    assert code["qrcode_png"].startswith("data:image/png;base64,")
    assert first.states()[:3] == ["starting", "expired", "waiting_scan"]
    # JSON writes an escape in letters
    assert not [word for word in ("evil", "\x1b", "\\u001b") if word in first.raw]
    assert done[0] == done[1]
    assert (done[0]["state"], done[0]["account"], done[0]["channel"]) == ("confirmed", ACCOUNT, "running")
    assert wechat.logins() == []
    assert_received(wechat)
    task = buddy.finish_task(done[0]["taskID"])
    assert (task["status"], "standin" in json.dumps(task)) == ("Completed", False)


def refresh(wechat: Wechat, code: dict[str, Any], *listeners: Listener) -> str:
    """Let the code expire once more; return the address of the next one, which everybody is shown."""
    wechat.ilink.phone("expired")
    wechat.ilink.until_codes(3)
    fresh = str(code["qrcode_url"]).replace("standin2", "standin3")
    for listener in listeners:
        assert listener.until("qrcode", qrcode_url=fresh)["qrcode_png"] != code["qrcode_png"]
    return fresh


def scan(wechat: Wechat, listener: Listener) -> None:
    """Scan the code; the newer plugin lets WeChat ask for a number, and the first one is wrong."""
    ilink, buddy = wechat.ilink, wechat.system.buddy
    if wechat.generation is Generation.OLD:
        ilink.phone("scaned")
        return
    ilink.phone("need_verifycode")
    listener.until("status", state="need_verifycode")
    assert buddy.post(f"{PATH}/verify", code="0000").status_code == httpx.codes.OK
    listener.until("status", message="The number was not the right one")
    assert buddy.post(f"{PATH}/verify", code=ilink.right_number).status_code == httpx.codes.OK
    listener.until("status", state="scanned")
    assert ilink.numbers == ["0000", ilink.right_number]


def assert_received(wechat: Wechat) -> None:
    """Check that the gateway asks WeChat for messages, and that the account is listed so."""
    wechat.ilink.until_polled(token=wechat.ilink.token)
    wechat.until_state("connected")
    (account,) = wechat.status()["accounts"]
    assert (account["userId"], account["running"]) == (USER, True)


@pytest.mark.faults
def test_who_asks_after_the_end_gets_to_know_it_and_starts_nothing(wechat: Wechat) -> None:
    wechat.ensure_installed()
    end = wechat.log_in()
    handed_out = len(wechat.ilink.codes)

    again = wechat.system.buddy.get(PATH).json()["data"]

    assert (again["state"], again["taskID"], again["cached"]) == ("confirmed", end["taskID"], True)
    assert len(wechat.ilink.codes) == handed_out


@pytest.mark.faults
def test_a_login_that_everybody_has_left_ends_with_its_process(wechat: Wechat) -> None:
    wechat.ensure_installed()
    with wechat.listening(fresh="true") as listener:
        task_id = listener.until("qrcode")["taskID"]
        (pid,) = wechat.logins()

    task = wechat.system.buddy.finish_task(task_id)

    assert (task["status"], task["errorCode"]) == ("Failed", "wechat_login_timeout"), task
    assert not psutil.pid_exists(pid)


@pytest.mark.faults
def test_a_session_that_wechat_has_ended_is_told_and_a_new_login_mends_it(wechat: Wechat) -> None:
    wechat.ensure_installed()
    wechat.ensure_bound()
    wechat.ilink.stale = True
    wechat.until_state("session_expired")

    wechat.ilink.stale = False
    wechat.ilink.token = "bot-token-2"
    end = wechat.log_in()

    assert (end["error"], end["channel"]) == (None, "running")
    assert_received(wechat)


@pytest.mark.faults
def test_while_the_gateway_is_down_an_account_is_bound_and_waits_for_it(wechat: Wechat) -> None:
    wechat.ensure_installed()
    wechat.system.ensure_stopped()
    wechat.ilink.token = "bot-token-3"

    end = wechat.log_in()

    assert (end["error"], end["channel"]) == (None, "gateway_down")
    wechat.system.ensure_running()
    assert_received(wechat)


def test_an_unbound_account_is_gone_for_the_gateway_too(wechat: Wechat) -> None:
    wechat.ensure_installed()
    wechat.ensure_bound()

    answer = wechat.system.buddy.request("DELETE", f"/v1/wechat/accounts/{ACCOUNT}").json()
    task = wechat.system.buddy.finish_task(answer["data"]["taskID"])

    assert task["status"] == "Completed", task
    assert wechat.status()["accounts"] == []
    folder = wechat.system.openclaw.config_dir / PLUGIN
    assert json.loads((folder / "accounts.json").read_bytes()) == []
    assert not [file for file in (folder / "accounts").iterdir() if ACCOUNT in file.name]
    wechat.ilink.updates.clear()
    with wechat.listening(fresh="true"):  # takes longer than a poll for messages
        wechat.ilink.until_codes(len(wechat.ilink.codes) + 1)
    assert wechat.ilink.updates == []
    assert wechat.system.is_ready()

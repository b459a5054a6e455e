"""One machine for end-to-end tests: a home, ports of its own, an OpenClaw, and `buddy` commands."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from buddy_common.settings import ALL_SETTINGS
from fakes.openclaw_program import FakeOpenClaw, install_fake_openclaw
from fakes.ports import free_port
from real_openclaw import RealOpenClaw

BUDDY = Path(sys.executable).with_name("buddy")
READY_SECONDS = 60
REAL_READY_SECONDS = 280  # the real OpenClaw on a machine under load; a test may take 300 s
RUN_SECONDS = 20
STOP_SECONDS = 10  # what an operator waits after Ctrl-C


def until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Machine:
    """Where `buddy` runs; a process of it is known by its working directory, which all inherit."""

    def __init__(self, folder: Path, openclaw: RealOpenClaw | None = None, **environment: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.openclaw: FakeOpenClaw | RealOpenClaw = openclaw or install_fake_openclaw(
            folder / "openclaw", port=free_port()
        )
        self.patience_seconds = READY_SECONDS if openclaw is None else REAL_READY_SECONDS
        self.web_port, self.watchdog_port, self.flower_port = free_port(), free_port(), free_port()
        ours = {
            str(name)
            for settings in ALL_SETTINGS
            for field in settings.model_fields.values()
            for name in getattr(field.validation_alias, "choices", [])
        }
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ours},
            "BUDDY_HOME": str(self.home),
            "BUDDY_OPENCLAW": str(self.openclaw.program),
            "OPENCLAW_CONFIG_DIR": str(self.openclaw.config_dir),
            "WEB_PORT": str(self.web_port),
            "BUDDY_WATCHDOG_PORT": str(self.watchdog_port),
            "BUDDY_FLOWER_PORT": str(self.flower_port),
            "BUDDY_PROXY_PORT": str(free_port()),
            **environment,
        }
        self._started: list[Buddy] = []

    @property
    def fake(self) -> FakeOpenClaw:
        """The OpenClaw of a machine that has no real one."""
        assert isinstance(self.openclaw, FakeOpenClaw)
        return self.openclaw

    @property
    def state(self) -> dict[str, Any]:
        """What a running `buddy up` says about itself; empty when there is none."""
        try:
            state: dict[str, Any] = json.loads((self.home / "run" / "up.json").read_bytes())
        except FileNotFoundError:
            return {}
        return state

    @property
    def broker_url(self) -> str:
        """The URL of the embedded broker."""
        record = json.loads((self.home / "run" / "broker.json").read_bytes())
        return f"redis://:{record['password']}@127.0.0.1:{record['port']}/0"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which must come within 20 seconds."""
        with subprocess.Popen(
            [BUDDY, *arguments],
            env=self.environment | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=RUN_SECONDS)
            except subprocess.TimeoutExpired as exc:
                process.terminate()
                out, err = process.communicate(timeout=READY_SECONDS)
                raise TimeoutError(f"`buddy {' '.join(arguments)}` does not end: {out}{err}") from exc
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str, **environment: str) -> "Buddy":
        """Start `buddy up` and return at once."""
        buddy = Buddy(self, list(arguments), self.environment | environment)
        self._started.append(buddy)
        return buddy

    def up(self, *arguments: str, **environment: str) -> "Buddy":
        """Start `buddy up` and wait until it is ready."""
        buddy = self.start(*arguments, **environment)
        buddy.wait_ready()
        return buddy

    def services(self) -> list[psutil.Process]:
        """Return all processes of this machine but those of OpenClaw."""
        return [process for process in self._processes() if not self._openclaw(process)]

    def gateways(self) -> list[psutil.Process]:
        """Return the processes that are a gateway, and not what keeps or helps one."""
        return [process for process in self._processes() if self._is_gateway(self._openclaw(process))]

    def openclaws(self) -> list[psutil.Process]:
        """Return all processes of OpenClaw, and those that keep one."""
        return [process for process in self._processes() if self._openclaw(process)]

    def close(self) -> None:
        """Stop what runs; what does not stop is ended by force and told.

        Raises:
            RuntimeError: something did not stop, or was left.
        """
        stuck = [buddy for buddy in self._started if not buddy.stop()]
        left = [(process.pid, process.cmdline()) for process in self.services()]
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if stuck or left:
            raise RuntimeError(f"{len(stuck)} did not stop in time; left running: {left}")

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and Path(process.cwd()).is_relative_to(self.folder):
                    yield process

    def _is_gateway(self, command: list[str]) -> bool:
        if command and command[0].startswith("openclaw-gateway"):  # the name that the real one gives itself
            return True
        program = str(self.openclaw.program)
        at = command.index(program) if program in command[:3] else None  # after its interpreter and options
        return at is not None and command[at + 1 : at + 3] == ["gateway", "run"]

    def _openclaw(self, process: psutil.Process) -> list[str]:
        """Return the command line, if it is one of OpenClaw: a program of it, or what a gateway started."""
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            state_dir = process.environ().get("OPENCLAW_STATE_DIR")
            if str(self.openclaw.program) in command or state_dir == str(self.openclaw.config_dir):
                return command
        return []


class Buddy:
    """A `buddy up` that was started, in a session of its own as in a terminal."""

    def __init__(self, machine: Machine, arguments: list[str], environment: dict[str, str]) -> None:
        self.machine = machine
        self.url = f"http://127.0.0.1:{machine.web_port}"
        self._output = machine.folder / f"up-{time.monotonic_ns()}.txt"
        with self._output.open("wb") as file:
            self.process = subprocess.Popen(
                [BUDDY, "up", *arguments],
                env=environment,
                cwd=machine.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # as a shell does; a zombie would look like a process that does not end
        threading.Thread(target=self.process.wait, daemon=True).start()

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._output.read_text()

    @property
    def token(self) -> str:
        """What the API takes."""
        given = self.machine.environment.get("BUDDY_TOKEN")
        return given or (self.machine.home / "token").read_text().strip()

    @property
    def children(self) -> dict[str, int]:
        """The pids of the children by name."""
        return {name: child["pid"] for name, child in self.machine.state.get("children", {}).items()}

    def wait_ready(self) -> None:
        """Wait until it says that it is ready, and is."""
        self.until(lambda: " ready " in self.output and self.is_ready(), what="ready")

    def wait_for_output(self, text: str) -> None:
        """Wait until it has written this."""
        self.until(lambda: text in self.output, what=text)

    def is_ready(self) -> bool:
        """Whether `/ready` is 200 now."""
        try:
            return self.get("/ready").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def until(self, condition: Callable[[], bool], *, what: str, seconds: float | None = None) -> None:
        """Wait until something is true; fail early when the process has ended."""

        def met() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"buddy up ended with {self.process.returncode}: {self.output}")
            return condition()

        try:
            until(met, seconds=seconds or self.machine.patience_seconds, what=what)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}\n{self.output}") from exc

    def get(self, path: str, **query: str) -> httpx.Response:
        """Ask the API."""
        return self.request("GET", path, params=query)

    def post(self, path: str, **payload: Any) -> httpx.Response:
        """Ask the API for a change."""
        return self.request("POST", path, json=payload or None)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the API with our token."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, trust_env=False, **options)

    def status(self) -> dict[str, Any]:
        """What the API says of the gateway."""
        data: dict[str, Any] = self.get("/v1/openclaw/status").json()["data"]
        return data

    def submit(self, path: str, **payload: Any) -> str:
        """Submit the job at `path` and return the id of its task."""
        at_once = {"Prefer": "respond-async"}
        answer = self.request("POST", path, json=payload or None, headers=at_once)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise RuntimeError(f"{path}: {answer.text}")
        return str(answer.json()["data"]["taskID"])

    def finish(self, path: str, **payload: Any) -> dict[str, Any]:
        """Submit the job at `path` and return it as it ended."""
        return self.finish_task(self.submit(path, **payload))

    def finish_task(self, task_id: str) -> dict[str, Any]:
        """Wait for the end of a task and return it."""
        *_, last = self.follow(task_id)
        return last

    def follow(self, task_id: str) -> Iterator[dict[str, Any]]:
        """Return each version of a task that is seen, up to its end."""
        deadline = time.monotonic() + self.machine.patience_seconds
        wait = "0"
        while time.monotonic() < deadline:
            answer = self.get("/v1/tasks/status", taskId=task_id, wait=wait)
            if answer.status_code != httpx.codes.OK:
                raise RuntimeError(f"{task_id}: {answer.text}")
            task: dict[str, Any] = answer.json()["data"]
            yield task
            if task["endTime"] is not None:
                return
            wait = "5"
        raise TimeoutError(f"{task_id} has not ended: {task}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> bool:
        """Send a signal and wait; False when it had to be killed after all."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(timeout=STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True

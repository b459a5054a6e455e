"""What a gateway makes of a change: the words of both generations, and silence."""

from collections.abc import Iterator
from typing import cast

import pytest

from buddy_common.errors import GatewayStartError
from buddy_common.ports import Gateway
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases.follow_startup import Patience
from buddy_worker.usecases import confirm_change as module
from buddy_worker.usecases.confirm_change import Applied, RefusedChangeError, Witness, confirm_change
from fakes.progress import RecordingProgress

PROCESS = ProcessIdentity(pid=4711, started=1.0, name="openclaw-gateway", is_gateway=True)
UP, DOWN = Probe(live=True, started=True, ready=True), Probe(live=False, ready=False)
PATIENCE = Patience(ceiling_seconds=2, stall_seconds=1, drain_seconds=0.6)


class SaidGateway:
    """A gateway that says one line after the other, and answers probes in turn; the last answer stays."""

    def __init__(
        self, *lines: str, probes: tuple[Probe, ...] = (UP,), ends: ProcessExit | None = None
    ) -> None:
        self._lines: Iterator[str] = iter(lines)
        self._probes = list(probes)
        self._ends = ends

    async def poll_exit(self, _process: ProcessIdentity) -> ProcessExit | None:
        return self._ends

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        line = next(self._lines, None)
        return ([] if line is None else [line]), position + 1

    async def service_lines(
        self, _process: ProcessIdentity, position: str | None
    ) -> tuple[list[str], str | None]:
        return [], position

    async def probe(self) -> Probe:
        return self._probes.pop(0) if len(self._probes) > 1 else self._probes[0]

    async def listener(self) -> ProcessIdentity | None:
        return PROCESS

    async def belongs_to(self, listener: ProcessIdentity, process: ProcessIdentity) -> bool:
        return listener == process

    async def cpu_seconds(self, _process: ProcessIdentity) -> float:
        return 0.0

    async def successor(self, _process: ProcessIdentity) -> ProcessIdentity | None:
        return None

    async def hold_down(self) -> bool:
        return False

    async def log_command(self, _process: ProcessIdentity) -> str | None:
        return None


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are for real machines."""
    monkeypatch.setattr(module, "DECIDES_SECONDS", 0.6)
    monkeypatch.setattr(module, "AFTERMATH_SECONDS", 0.1)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)


async def confirm(
    gateway: SaidGateway,
    *,
    process: ProcessIdentity | None = PROCESS,
    acknowledged: bool = False,
    restarts: bool = False,
) -> Applied:
    witness = Witness(cast("Gateway", gateway), process, {}, 0, None)
    return await confirm_change(
        witness, acknowledged=acknowledged, restarts=restarts, progress=RecordingProgress(), patience=PATIENCE
    )


@pytest.mark.parametrize(
    "line",
    [
        "[reload] config hot reload applied (models.providers.p2)",
        "[reload] config change applied (dynamic reads: agents.list)",
    ],
)
async def test_a_change_that_the_gateway_applies_is_hot(line: str) -> None:
    assert await confirm(SaidGateway(line)) is Applied.HOT


@pytest.mark.parametrize(
    "line",
    [
        '[reload] config reload skipped (invalid config): : Unrecognized key: "nope"',
        '[reload] config reload failed: SecretRefResolutionError: "FOO" is missing',
        '[reload] config restart failed: SecretRefResolutionError: "FOO" is missing',
    ],
)
async def test_a_change_that_the_gateway_refuses_is_told_with_its_reason(line: str) -> None:
    with pytest.raises(RefusedChangeError) as refused:
        await confirm(SaidGateway("[ws] something else", line))

    assert refused.value.reason == line.removeprefix("[reload] ")


async def test_a_gateway_that_does_not_restart_for_it_takes_it_with_its_next_start() -> None:
    line = "[reload] config reload requires gateway restart; hot mode ignoring (gateway.port)"

    assert await confirm(SaidGateway(line)) is Applied.AT_NEXT_START


async def test_without_a_gateway_it_is_for_the_next_start() -> None:
    assert await confirm(SaidGateway(), process=None) is Applied.AT_NEXT_START


async def test_a_gateway_that_restarts_within_its_process_is_followed_by_its_words() -> None:
    gateway = SaidGateway(
        "[reload] config change requires gateway restart (plugins)",
        "[gateway] restart mode: in-process restart (OPENCLAW_NO_RESPAWN)",
        "[gateway] listening on ws://127.0.0.1:1 (PID 4711)",
    )

    assert await confirm(gateway) is Applied.RESTARTED


async def test_a_gateway_that_goes_down_is_followed_until_it_is_up() -> None:
    assert await confirm(SaidGateway(probes=(DOWN, DOWN, DOWN, UP))) is Applied.RESTARTED


async def test_one_silence_of_a_busy_gateway_is_no_restart() -> None:
    assert await confirm(SaidGateway(probes=(DOWN, UP)), acknowledged=True) is Applied.HOT


async def test_a_gateway_that_ends_is_told_with_how() -> None:
    gateway = SaidGateway("[plugins] boom", probes=(DOWN,), ends=ProcessExit(code=1, signal=None))

    with pytest.raises(GatewayStartError, match="exit code 1"):
        await confirm(gateway)


async def test_a_restart_that_waits_for_chats_is_pending() -> None:
    assert await confirm(SaidGateway(), restarts=True) is Applied.AT_RESTART


async def test_a_gateway_that_says_nothing_and_lives_on_has_taken_it() -> None:
    assert await confirm(SaidGateway()) is Applied.HOT

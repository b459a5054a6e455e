"""What a gateway makes of a change: the words of both generations, and silence."""

from typing import cast

import pytest

from buddy_common.errors import GatewayStartError
from buddy_common.ports import Gateway
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases.follow_startup import Patience
from buddy_worker.usecases import confirm_change as module
from buddy_worker.usecases.confirm_change import Applied, RefusedChangeError, confirm_change
from buddy_worker.usecases.witness import Witness
from fakes.progress import RecordingProgress
from fakes.said_gateway import DOWN, PROCESS, UP, SaidGateway

SUCCESSOR = ProcessIdentity(pid=4712, started=2.0, name="openclaw-gateway", is_gateway=True)
PATIENCE = Patience(ceiling_seconds=2, stall_seconds=1, drain_seconds=0.6)


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


class Respawned(SaidGateway):
    """One that somebody has started by hand: it starts the next process by itself, and ends."""

    looked = 0

    async def listener(self) -> ProcessIdentity | None:
        self.looked += 1
        return None if self.looked < 3 else SUCCESSOR

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        return ProcessExit() if process == PROCESS else None


async def test_a_gateway_started_by_hand_is_followed_to_the_process_that_takes_its_place() -> None:
    assert await confirm(Respawned()) is Applied.RESTARTED


async def test_a_gateway_started_by_hand_that_leaves_nobody_in_its_place_has_ended() -> None:
    gateway = SaidGateway(ends=ProcessExit())
    gateway.listens = False

    with pytest.raises(GatewayStartError, match="ended before it was ready"):
        await confirm(gateway)


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

"""A start whose process a service keeps: its log, its restarts, its end."""

import pytest

from buddy_common.errors import GatewayStartError, ServiceManagerError
from buddy_common.schemas.gateway import Probe
from buddy_common.schemas.processes import ProcessExit, ProcessIdentity
from buddy_common.usecases import follow_startup as module
from buddy_common.usecases.follow_startup import Patience, Up, follow_startup
from fakes.progress import RecordingProgress

FIRST, SECOND = ProcessIdentity(7, 1.0, "node"), ProcessIdentity(8, 2.0, "node")
CRASHED, CLEAN = ProcessExit(code=78), ProcessExit(code=0)
COMMAND = "sudo journalctl --unit openclaw-gateway.service"


class ServedGateway:
    """A gateway in memory: what its service says of each process, and when it is up."""

    def __init__(self) -> None:
        self.ends: dict[ProcessIdentity, ProcessExit] = {}
        self.journal: dict[ProcessIdentity, list[str]] = {}
        self.next: ProcessIdentity | None = None
        self.restarts = False  # whether the service is about to start it again
        self.held_down = False
        self.refuses: ServiceManagerError | None = None
        self.failing: list[str] = []

    async def poll_exit(self, process: ProcessIdentity) -> ProcessExit | None:
        return self.ends.get(process)

    async def log_lines(self, position: int) -> tuple[list[str], int]:
        return [], position

    async def service_lines(
        self, process: ProcessIdentity, position: str | None
    ) -> tuple[list[str], str | None]:
        lines = self.journal.get(process, [])
        return lines[int(position or 0) :], str(len(lines))

    async def log_command(self, _process: ProcessIdentity) -> str | None:
        return COMMAND

    async def listener(self) -> ProcessIdentity | None:
        return FIRST if self.next is None else self.next

    async def belongs_to(self, listener: ProcessIdentity, process: ProcessIdentity) -> bool:
        return listener == process

    async def probe(self) -> Probe:
        return Probe(live=True, started=not self.failing, ready=not self.failing, failing=self.failing)

    async def cpu_seconds(self, _process: ProcessIdentity) -> float:
        return 0.0

    async def successor(self, _process: ProcessIdentity) -> ProcessIdentity | None:
        return self.next

    async def hold_down(self) -> bool:
        if self.refuses is not None:
            raise self.refuses
        self.held_down = True
        return self.restarts


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> ServedGateway:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    return ServedGateway()


@pytest.fixture
def progress() -> RecordingProgress:
    return RecordingProgress()


async def follow(
    gateway: ServedGateway, progress: RecordingProgress, *, fresh: bool = True, stall_seconds: float = 5
) -> Up:
    return await follow_startup(
        gateway,  # type: ignore[arg-type]  # the part of the port that a start needs
        FIRST,
        progress=progress,
        patience=Patience(5, stall_seconds),
        position=0,
        fresh=fresh,
    )


async def test_lines_of_the_service_are_lines_of_the_start(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.journal[FIRST] = ["loading", "ready"]

    assert (await follow(gateway, progress)).process == FIRST

    assert progress.lines == ["loading", "ready"]


async def test_what_was_said_before_is_no_line_of_this_start_but_may_be_its_reason(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.journal[FIRST] = ["from yesterday"]
    await follow(gateway, progress, fresh=False)
    assert progress.lines == []

    gateway.ends[FIRST] = CRASHED
    with pytest.raises(GatewayStartError, match="It said: from yesterday"):
        await follow(gateway, progress, fresh=False)


async def test_service_that_would_try_again_is_kept_down_after_a_failed_start(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.ends[FIRST] = CRASHED
    gateway.journal[FIRST] = ['Unrecognized key: "foo"']
    gateway.restarts = True

    with pytest.raises(GatewayStartError) as failure:
        await follow(gateway, progress)

    assert gateway.held_down
    assert failure.value.message == (
        'The gateway ended before it was ready (exit code 78). It said: Unrecognized key: "foo"'
        " Its service was about to try again and was stopped."
    )
    assert failure.value.detail["reason"] == ['Unrecognized key: "foo"']


async def test_service_that_does_not_obey_hides_no_reason(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.ends[FIRST] = CRASHED
    gateway.journal[FIRST] = ["the reason"]
    gateway.refuses = ServiceManagerError("The stop", reason="Access denied", by_hand="sudo systemctl stop x")

    with pytest.raises(
        GatewayStartError, match=r"the reason Its service tries again: .*sudo systemctl stop x"
    ):
        await follow(gateway, progress)


async def test_log_that_may_not_be_read_is_named(gateway: ServedGateway, progress: RecordingProgress) -> None:
    gateway.ends[FIRST] = CRASHED

    with pytest.raises(GatewayStartError) as failure:
        await follow(gateway, progress)

    assert failure.value.message.endswith(f"(exit code 78). `{COMMAND}` may tell why.")


async def test_gateway_that_restarts_itself_is_followed(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    """In a service, OpenClaw ends with 0 in order to be started again."""
    gateway.ends[FIRST] = CLEAN
    gateway.next = SECOND
    gateway.journal |= {FIRST: ["restarting"], SECOND: ["ready"]}

    assert (await follow(gateway, progress)).process == SECOND

    assert progress.lines == ["restarting", "It restarts itself (pid 8)", "ready"]
    assert not gateway.held_down


async def test_gateway_that_restarts_itself_again_and_again_has_failed(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.ends |= {FIRST: CLEAN, SECOND: CLEAN}
    gateway.next = SECOND

    with pytest.raises(GatewayStartError, match=r"\(exit code 0\)"):
        await follow(gateway, progress)

    assert gateway.held_down


async def test_clean_end_without_a_successor_is_a_failed_start(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.ends[FIRST] = CLEAN

    with pytest.raises(GatewayStartError, match=r"\(exit code 0\)"):
        await follow(gateway, progress)


async def test_start_that_stalls_is_left_running_and_its_service_too(
    gateway: ServedGateway, progress: RecordingProgress
) -> None:
    gateway.failing = ["startup-sidecars"]
    gateway.journal[FIRST] = ["loading"]

    with pytest.raises(GatewayStartError, match=r"is left running\. It waits for: startup-sidecars"):
        await follow(gateway, progress, stall_seconds=0.1)

    assert not gateway.held_down

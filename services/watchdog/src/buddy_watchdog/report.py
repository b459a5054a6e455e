"""One Markdown report per incident, written anew with each event: what was, what was done, what now."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, TypeAdapter

from buddy_common.adapters.host_plane import HostPlane
from buddy_common.adapters.own_record import OwnRecord
from buddy_common.adapters.reports import SUFFIX
from buddy_common.config_compare import compare
from buddy_common.errors import BuddyError
from buddy_common.schemas.backups import Backup, BackupReason
from buddy_common.schemas.healing import EventKind, HealEvent
from buddy_common.text_mask import mask_text
from buddy_watchdog.report_text import Entry, ReportParts, Said, report_text

log = structlog.get_logger(__name__)

LOG_LINES = 200
LOG_BYTES = 128 * 1024
# how it first ended, and how it last did
SAID_LINES, MOST_SAID = 60, 6
# a disk that does not answer must not hold up a repair
WRITE_SECONDS = 10.0
# a gateway that dies every ten minutes for a week has a thousand events; how it began and how it goes count
FIRST_ENTRIES, LAST_ENTRIES = 20, 180


class _History(BaseModel):
    """The incident that was reported last; `said` has no secrets any more."""

    model_config = ConfigDict(frozen=True)

    incident: str
    entries: list[Entry] = []
    said: list[Said] = []  # by gateways that have gone
    doctor: list[str] | None = None


class Reporter:
    """Writes the reports of one node; what its report needs of an incident survives the watchdog's death."""

    def __init__(self, host: HostPlane, file: Path) -> None:
        """`file`: where the events of the incident that goes on are kept."""
        self._host = host
        self._record = OwnRecord(file, TypeAdapter(_History))
        self._history: _History | None = None

    async def report(self, event: HealEvent, *, lines: Sequence[str], said: Sequence[str] = ()) -> str | None:
        """Bring the incident's report up to date and return its name; None where it cannot be written.

        `said` is what a gateway said that has gone: in a service's record the next one's takes its place. Of
        one that is there when trouble is found, and may be ended by a repair, it is kept as well.
        """
        found = event if event.kind is EventKind.DETECTED and not said else None
        written = await self._update(event.incident, partial(self._remember, event, lines, said), found)
        return f"{event.incident}{SUFFIX}" if written else None

    async def add_doctor(self, incident: str, lines: Sequence[str]) -> None:
        """Add what OpenClaw's own doctor says to the report, if it is still of that incident."""
        if self.lacks_doctor(incident):
            await self._update(incident, partial(self._remember_doctor, lines))

    def lacks_doctor(self, incident: str) -> bool:
        """Whether the report of this incident is the last one, and has no word of the doctor."""
        history = self._history
        return history is not None and history.incident == incident and history.doctor is None

    async def _update(
        self, incident: str, remember: Callable[[], _History], found: HealEvent | None = None
    ) -> bool:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                history = await asyncio.to_thread(remember)
                said = await self._said()
                if found is not None:
                    history = await asyncio.to_thread(self._remember_said, history, found, said)
                await asyncio.to_thread(self._write, history, said)
        except (BuddyError, OSError, TimeoutError) as exc:
            log.warning("report_not_written", incident=incident, reason=str(exc) or type(exc).__name__)
            return False
        except Exception:  # what is odd about a config or a log must not end a repair
            log.exception("report_failed", incident=incident)
            return False
        return True

    def repairs(self, incident: str) -> list[HealEvent]:
        """Return the repairs that this incident has had, oldest first."""
        history = self._history
        if history is None or history.incident != incident:
            return []
        return [entry.event for entry in history.entries if entry.event.kind is EventKind.REPAIR]

    async def newest_good(self) -> str | None:
        """Return the name of the newest good config; None where there is none, or the disk does not say."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                good = _newest_good(await asyncio.to_thread(self._host.history.listing))
        except TimeoutError:
            return None
        return None if good is None else good.name

    def _remember(self, event: HealEvent, lines: Sequence[str], said: Sequence[str]) -> _History:
        history = self._history or self._record.read()
        if history is None or history.incident != event.incident:
            history = _History(incident=event.incident)
        others = [entry for entry in history.entries if entry.event.id != event.id]
        entries = [*others, Entry(event=event, lines=list(lines))]
        if len(entries) > FIRST_ENTRIES + LAST_ENTRIES:
            entries = entries[:FIRST_ENTRIES] + entries[-LAST_ENTRIES:]
        return self._keep(
            history.model_copy(update={"entries": entries, "said": _with(history.said, event, said)})
        )

    def _remember_said(self, history: _History, event: HealEvent, said: Sequence[str]) -> _History:
        return self._keep(history.model_copy(update={"said": _with(history.said, event, said)}))

    def _remember_doctor(self, lines: Sequence[str]) -> _History:
        if self._history is None:
            raise ValueError("there is no report to add to")
        return self._keep(self._history.model_copy(update={"doctor": list(lines)}))

    def _keep(self, history: _History) -> _History:
        self._history = history
        self._record.write(history)
        return history

    def _write(self, history: _History, newest: Sequence[str]) -> None:
        host, said = self._host, [mask_text(line) for line in newest]
        good = _newest_good(host.history.listing())
        parts = ReportParts(
            node=host.node,
            incident=history.incident,
            entries=history.entries,
            diff=self._difference(good),
            backup=None if good is None else good.name,
            said=said,
            said_before=[words for words in history.said if not set(words.lines) <= set(said)],
            doctor=history.doctor,
        )
        host.reports.write(f"{history.incident}{SUFFIX}", report_text(parts))

    async def _said(self) -> list[str]:
        """Return the last lines of the gateway, and of its service where one keeps them."""
        gateway = self._host.gateway
        end = await gateway.log_position()
        lines, _ = await gateway.log_lines(max(0, end - LOG_BYTES))
        process = await gateway.service_process()
        if process is not None:
            more, _ = await gateway.service_lines(process, None)
            lines += more
        return lines[-LOG_LINES:]

    def _difference(self, backup: Backup | None) -> str:
        """Return what has changed since the newest config that was good, secrets masked."""
        host = self._host
        if backup is None:
            return "There is no backup of a good config to compare with."
        try:
            old = host.live_config.named(host.history.get(backup.name)[1])
            new = host.live_config.read()
        except BuddyError as exc:
            return exc.message
        texts = [f"Compared with {backup.name}:"]
        for file in sorted({**old, **new}):
            before, after = (side.get(file, b"").decode("utf-8-sig", "replace") for side in (old, new))
            found = compare(before, after, labels=(f"{file} ({backup.name})", f"{file} (current)"))
            texts += [
                text for text in (found.diff, f"{file}: {found.problem}" if found.problem else "") if text
            ]
        return "\n".join(texts) if len(texts) > 1 else f"The config is that of {backup.name}."


def _with(kept: list[Said], event: HealEvent, said: Sequence[str]) -> list[Said]:
    """Return what gateways said that have gone, with these last words where they are new."""
    lines = [mask_text(line) for line in said[-SAID_LINES:]]
    if not lines or any(words.lines == lines for words in kept):
        return kept
    kept = [*kept, Said(at=event.at, lines=lines)]
    return kept if len(kept) <= MOST_SAID else [kept[0], *kept[2:]]


def _newest_good(newest_first: Sequence[Backup]) -> Backup | None:
    good = (backup for backup in newest_first if backup.reason is BackupReason.KNOWN_GOOD)
    return next(good, None)

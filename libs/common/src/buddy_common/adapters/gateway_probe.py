"""The gateway's HTTP health routes; one answer for both generations.

Source: OpenClaw's docs/gateway/health.md. `/readyz` fails for a channel that is down as well;
`/startupz` says whether the gateway itself is up, but exists since 2026.8 only: before, it answers
with a web page, `/readyz` names channels only, and whatever answers is up.
"""

import asyncio
import time
from typing import Any

import httpx

from buddy_common.adapters.loopback_tls import loopback_tls
from buddy_common.schemas.gateway import Probe

PROBE_SECONDS = 5.0  # one second gave false alarms at load 10
MOST_PHASE_CHARACTERS = 200
_JSON = {"Accept": "application/json"}
_DEAD = Probe(live=False, ready=False)


class GatewayProbe:
    """Asks one gateway on this host."""

    def __init__(self) -> None:
        # one client: each new one reads certificates from disk; no kept connections, for a gateway
        # that was restarted would have closed them
        self._schemes = ["http", "https"]  # what was understood last comes first
        self._client = httpx.AsyncClient(
            timeout=PROBE_SECONDS,
            trust_env=False,
            headers=_JSON,
            verify=loopback_tls(),
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def ask(self, port: int) -> Probe:
        """Return what it says; a gateway that cannot be reached is an answer, not an error."""
        healthz, probe = await asyncio.gather(self._status(port), self._ask(port))
        return probe.model_copy(update={"healthz": healthz})

    async def _ask(self, port: int) -> Probe:
        began = time.monotonic()
        try:
            answer = await self._get(port, "readyz")
            report = _read(answer)
            if report is None:
                return _DEAD
            latency_ms = round((time.monotonic() - began) * 1000, 1)
            ready = answer.status_code == httpx.codes.OK and report.get("ready") is True
            started, phase = (True, None) if ready else await self._startup(port)
        except httpx.HTTPError:
            return _DEAD
        failing = report.get("failing")
        loop = report.get("eventLoop")
        delay = loop.get("delayP99Ms") if isinstance(loop, dict) else None
        names = [str(name) for name in failing] if isinstance(failing, list) else []
        return Probe(
            live=True,
            started=started,
            ready=ready,
            draining="gateway-draining" in names,
            failing=names,
            event_loop_delay_p99_ms=delay if isinstance(delay, int | float) else None,
            latency_ms=latency_ms,
            phase=phase,
        )

    async def _startup(self, port: int) -> tuple[bool, str | None]:
        """Return whether it says that it is up, and its own word for where it is."""
        answer = await self._get(port, "startupz")
        report = _read(answer)
        if report is None:  # the old generation knows no such route
            return answer.status_code == httpx.codes.OK, None
        status, waits_for = report.get("status"), report.get("pendingReason")
        phase = f"{status}: {waits_for}" if waits_for else str(status)
        return status == "started", phase[:MOST_PHASE_CHARACTERS]

    async def _status(self, port: int) -> int | None:
        """Return what `/healthz` answers: it does so before anything else is up."""
        try:
            return (await self._get(port, "healthz")).status_code
        except httpx.HTTPError:
            return None

    async def _get(self, port: int, name: str) -> httpx.Response:
        """Ask one route, with TLS where the gateway wants it; the file may have another word by now.

        Raises:
            httpx.HTTPError: neither is answered.
        """
        usual, other = self._schemes
        try:
            return await self._client.get(f"{usual}://127.0.0.1:{port}/{name}")
        except httpx.TimeoutException:  # it listens, and is silent
            raise
        except httpx.TransportError:
            answer = await self._client.get(f"{other}://127.0.0.1:{port}/{name}")
        if answer.status_code != httpx.codes.BAD_REQUEST:  # so a server answers that speaks the other one
            self._schemes = [other, usual]
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()


def _read(answer: httpx.Response) -> dict[str, Any] | None:
    """Return the JSON object of an answer, None when it is something else."""
    try:
        report = answer.json()
    except ValueError:
        return None
    return report if isinstance(report, dict) else None

"""Schemathesis makes up requests from the OpenAPI document, and holds the answers against it.

A whole `buddy up` with the small OpenClaw answers: the edge, both lanes of workers, the watchdog. Streams
of events are read up to their end. Of what the proxy serves, the document has chats; the rest has its own
tests (`tests/proxy`).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.machine import Machine
from security import ledger
from security.planted import make_secret

pytestmark = [pytest.mark.security, pytest.mark.timeout(1800)]

TESTS = Path(__file__).parents[1]
SCHEMATHESIS = Path(sys.executable).with_name("st")
CHECKS = (
    "explained_server_errors", "no_reflected_headers", "status_code_conformance",
    "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
)  # fmt: skip
SEED = 20261126  # the same cases each time; another one finds others
# of each route, beside the two thousand cases that the document itself gives rise to; bounded by number and
# not by time, so that a busy machine does not look at less
EXAMPLES = "5"
# a job that changes nothing here, and what may be asked of its task
LINKED = (
    "/v1/gateway/start", "/v1/tasks/status", "/v1/tasks/{task_id}/cancel", "/v1/tasks/{task_id}/retry",
)  # fmt: skip
# a line of what it prints at the end; its JSON report has no such figures
LINKS = re.compile(r"Scenarios: (\d+) API Links: (\d+) covered / (\d+) selected")
CASES = 1000  # fewer would mean that most routes were not reached


@dataclass
class Fuzzed:
    """The machine whose API is asked, and its document."""

    machine: Machine
    url: str
    token: str
    document: dict[str, Any]

    def run(self, document: dict[str, Any], *arguments: str, **environment: str) -> dict[str, Any]:
        """Run Schemathesis over a document and return its report."""
        folder = self.machine.folder / f"run-{len(list(self.machine.folder.glob('run-*')))}"
        folder.mkdir()
        schema, report = folder / "openapi.json", folder / "report.json"
        schema.write_text(json.dumps(document))
        command: list[str | Path] = [SCHEMATHESIS, "run", schema, "--url", self.url]
        command += ["--generation-database", "none", "--no-color", "--seed", str(SEED)]
        command += ["--request-timeout", "65", "--continue-on-failure", "--suppress-health-check", "all"]
        command += ["--report", "json", "--report-json-path", report, *arguments]
        ours = {
            "PYTHONPATH": str(TESTS),
            "SCHEMATHESIS_HOOKS": "security.fuzz_hooks",
            "SECURITY_FOLDER": str(self.machine.folder / "made"),
        }
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | ours | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert report.exists(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(report.read_bytes())
        return found | {"output": done.stdout, "status": done.returncode}

    def is_alive(self) -> bool:
        """Whether all of it still runs, and the API answers."""
        return len(self.machine.state["children"]) == 6 and self.machine.run("status").returncode == 0


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    token = make_secret("the token", odd=False).value
    machine = Machine(
        tmp_path_factory.mktemp("fuzzed"),
        BUDDY_TOKEN=token,
        BUDDY_WAIT_SECONDS="0.3",
        BUDDY_LOGIN_ATTEMPTS_PER_MINUTE="100000",
    )
    try:
        buddy = machine.up()
        buddy.wait_for_output("✓ gateway")
        yield Fuzzed(machine, buddy.url, token, buddy.get("/openapi.json").json())
    finally:
        machine.close()


def require_clean(name: str, report: dict[str, Any]) -> None:
    cases = report["test_cases"]
    ledger.add(name, {"request": cases["generated"]}, cases["unique_failures"])
    assert report["errors"] == [], report["output"]
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert report["status"] == 0, report["output"]
    assert cases["unique_failures"] == 0, report["output"]
    assert cases["generated"] > CASES


def require_steps(report: dict[str, Any]) -> None:
    """What one route answered was asked for at another: a document without links would be green, too."""
    assert report["phases"]["stateful"] == {"status": "success", "skip_reason": None}
    scenarios, covered = steps_of(report["output"])
    ledger.add("steps from answer to request (Schemathesis)", {"scenario": scenarios, "link": covered}, 0)
    assert scenarios > 0
    assert covered > 0


def steps_of(output: str) -> tuple[int, int]:
    """Return how many scenarios were played, and how many links between routes they went."""
    found = LINKS.search(" ".join(output.split()))
    assert found is not None, output
    return int(found[1]), int(found[2])


def test_whoever_has_the_token_gets_what_the_document_says(fuzzed: Fuzzed) -> None:
    report = fuzzed.run(
        fuzzed.document,
        *("--header", f"Authorization: Bearer {fuzzed.token}"),
        *("--checks", ",".join((*CHECKS, "ignored_auth"))),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--max-examples", EXAMPLES),
    )

    require_clean("OpenAPI with the token (Schemathesis)", report)
    assert fuzzed.is_alive()


def test_a_task_that_was_answered_is_asked_for_as_the_document_says(fuzzed: Fuzzed) -> None:
    """Among all routes at once, few scenarios get to a second step: these have a document of their own."""
    document = json.loads(json.dumps(fuzzed.document))
    document["paths"] = {path: document["paths"][path] for path in LINKED}
    status = document["paths"]["/v1/tasks/status"]["get"]
    status["parameters"] = [each for each in status["parameters"] if each["name"] != "wait"]  # up to a minute

    report = fuzzed.run(
        document,
        *("--header", f"Authorization: Bearer {fuzzed.token}"),
        *("--checks", ",".join(CHECKS), "--phases", "stateful", "--max-examples", "10"),
    )

    assert report["errors"] == [], report["output"]
    assert report["status"] == 0, report["output"]
    require_steps(report)
    assert fuzzed.is_alive()


def test_a_stranger_gets_nothing_but_refusals(fuzzed: Fuzzed) -> None:
    report = fuzzed.run(
        fuzzed.document,
        *("--checks", ",".join((*CHECKS, "strangers_are_refused"))),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", EXAMPLES),
    )

    require_clean("OpenAPI without a token (Schemathesis)", report)
    assert fuzzed.is_alive()


def test_an_answer_that_the_document_does_not_have_is_found(fuzzed: Fuzzed) -> None:
    """Else a suite that asks for nothing, or checks nothing, would be green, too."""
    document = json.loads(json.dumps(fuzzed.document))
    route = document["paths"]["/v1/openclaw/version"]["get"]
    del route["responses"]["200"]
    document["paths"] = {"/v1/openclaw/version": {"get": route}}

    report = fuzzed.run(
        document,
        *("--header", f"Authorization: Bearer {fuzzed.token}"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage", "--max-examples", "1"),
    )

    assert report["status"] != 0
    assert report["test_cases"]["unique_failures"] > 0

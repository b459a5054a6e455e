"""Which lines become jobs."""

import pytest

from buddy_common.adapters.openclaw_cli import compose_arguments
from buddy_common.errors import UnknownCommandError
from buddy_common.schemas.gateway_jobs import RestartGatewayJob
from buddy_common.schemas.shell_jobs import RunCommandJob, ShellCommand, arguments_of
from buddy_proxy.maintenance import ALLOWED, EXIT, HELP, job_for, normal


def test_every_allowed_line_becomes_a_job() -> None:
    for line in set(ALLOWED) - {HELP, EXIT}:
        assert job_for(line).task.startswith("buddy.")


def test_a_command_and_a_change_are_told_apart() -> None:
    assert job_for("plugins list") == RunCommandJob(command=ShellCommand.PLUGINS_LIST)
    assert job_for("gateway restart") == RestartGatewayJob()


@pytest.mark.parametrize(
    "line",
    [
        "status; rm -rf /",
        "status --json",
        "STATUS",
        "sh",
        "plugins install x",
        "$(id)",
        "doctor --fix",
        "../x",
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(line: str) -> None:
    with pytest.raises(UnknownCommandError) as refused:
        job_for(line)
    assert refused.value.detail["known"] == ALLOWED
    assert "gateway restart" in refused.value.message


@pytest.mark.parametrize("line", ["status", "  status ", "openclaw  status"])
def test_spaces_and_the_name_of_the_program_do_not_matter(line: str) -> None:
    assert normal(line) == "status"


@pytest.mark.parametrize("command", ShellCommand)
def test_the_arguments_are_such_that_openclaw_can_be_run_with_them(command: ShellCommand) -> None:
    arguments = arguments_of(command)

    composed = compose_arguments(arguments.words, values=[], flags=arguments.flags, options=arguments.options)

    assert composed
    assert not {"--fix", "--force", "--repair"} & set(composed)

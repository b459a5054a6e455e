"""Kinds of job."""

import json
import re

import pytest
from pydantic import ValidationError

from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.schemas.bot_file_jobs import WriteBotFileJob
from buddy_common.schemas.bot_jobs import SetBotModelJob
from buddy_common.schemas.gateway_jobs import RestartGatewayJob, StartGatewayJob, StopGatewayJob
from buddy_common.schemas.job import Job, Lane, NodeLock, queue_name
from buddy_common.schemas.jobs import ALL_JOBS, job_kind, rivals
from buddy_common.schemas.plugin_jobs import InstallPluginJob

BACKUP = "openclaw-20260328-100000-1a2b3c4d.bak"


@pytest.mark.parametrize("job", ALL_JOBS, ids=lambda job: job.__name__)
def test_every_job_fits_its_row_and_its_queue(job: type[Job]) -> None:
    assert re.fullmatch(r"buddy\.[a-z_]+\.[a-z_]+", job.task)
    assert len(job.task) <= 64
    assert 0 < len(job.title) <= 128
    assert 0 < len(job.module) <= 32
    assert 0 < len(job.action) <= 32
    assert job.lane in Lane
    assert job.deadline_seconds > 0
    assert job.locks <= set(NodeLock)


def test_a_job_is_found_by_its_name() -> None:
    assert [job_kind(job.task) for job in ALL_JOBS] == list(ALL_JOBS)
    assert job_kind("buddy.nothing.such") is None


def test_jobs_that_share_a_lock_are_rivals() -> None:
    lifecycle = {StartGatewayJob.task, StopGatewayJob.task, RestartGatewayJob.task}

    assert lifecycle <= rivals(StopGatewayJob)
    assert InstallPluginJob.task in rivals(InstallPluginJob)
    assert {InstallPluginJob.task, *lifecycle} <= rivals(SetBotModelJob)
    assert not rivals(InstallPluginJob) & lifecycle  # an install takes its turn at the gateway at its end


def test_a_job_says_what_it_acts_on() -> None:
    assert StartGatewayJob().target == "gateway"
    assert MakeBackupJob().target == "openclaw.json"
    assert RestoreBackupJob(name=BACKUP).target == BACKUP
    assert InstallPluginJob(spec="@a/b@1.2").target == "@a/b@1.2"


@pytest.mark.parametrize("spec", ["x", "left-pad", "@scope/name", "@scope/name@1.2.3", "name@2.4.9-beta.1"])
def test_a_package_can_be_installed(spec: str) -> None:
    assert InstallPluginJob(spec=spec).spec == spec


NO_PACKAGES = [
    *("", "-x", "--force", "./x", "/etc/x", "../x", "a/b", "a..b", "x@..", "x y", "@x", "x" * 129, "x\n"),
    *("http://x/y", "git+ssh://x"),
]


@pytest.mark.parametrize("spec", NO_PACKAGES)
def test_what_is_no_package_cannot(spec: str) -> None:
    with pytest.raises(ValidationError):
        InstallPluginJob(spec=spec)


def test_no_two_jobs_share_a_name() -> None:
    assert len({job.task for job in ALL_JOBS}) == len(ALL_JOBS)


def test_job_acts_on_nothing_unless_it_says_so() -> None:
    class Anything(Job):
        pass

    assert Anything().target is None


def test_payload_survives_its_row() -> None:
    job = RestartGatewayJob(force=True)

    assert RestartGatewayJob.model_validate(job.payload()) == job
    assert StartGatewayJob().payload() == {}


def test_a_bulky_text_is_summed_up_in_the_row_and_whole_again_for_the_worker() -> None:
    job = WriteBotFileJob(bot="main", name="SOUL.md", content="长" * 100_000)

    kept, apart = job.seal()

    assert kept.content.startswith("300000 bytes, SHA-256 ")
    assert len(json.dumps(kept.payload())) < 300
    assert apart == {"content": job.content}
    assert WriteBotFileJob.model_validate(kept.payload()).unseal(apart) == job


def test_two_bulky_texts_are_never_summed_up_alike() -> None:
    first, second = (WriteBotFileJob(bot="main", name="x", content=text).seal()[0] for text in "ab")

    assert first.payload() != second.payload()


def test_every_lane_of_every_node_has_a_queue_of_its_own() -> None:
    queues = {queue_name(node, lane) for node in ("local", "vps-1") for lane in Lane}

    assert queues == {"node.local.fast", "node.local.slow", "node.vps-1.fast", "node.vps-1.slow"}

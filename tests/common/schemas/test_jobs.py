"""Kinds of job."""

import re

import pytest

from buddy_common.schemas.jobs import ALL_JOBS, Job, Lane, RestartGatewayJob, StartGatewayJob, queue_name


@pytest.mark.parametrize("job", ALL_JOBS, ids=lambda job: job.__name__)
def test_every_job_fits_its_row_and_its_queue(job: type[Job]) -> None:
    assert re.fullmatch(r"buddy\.[a-z_]+\.[a-z_]+", job.task)
    assert len(job.task) <= 64
    assert 0 < len(job.title) <= 128
    assert 0 < len(job.module) <= 32
    assert 0 < len(job.action) <= 32
    assert job.lane in Lane
    assert job.deadline_seconds > 0
    assert job().target == "gateway"


def test_no_two_jobs_share_a_name() -> None:
    assert len({job.task for job in ALL_JOBS}) == len(ALL_JOBS)


def test_job_acts_on_nothing_unless_it_says_so() -> None:
    class Anything(Job):
        pass

    assert Anything().target is None


def test_payload_survives_its_row() -> None:
    job = RestartGatewayJob(force=True)

    assert RestartGatewayJob.model_validate(job.model_dump(mode="json")) == job
    assert StartGatewayJob().model_dump() == {}


def test_every_lane_of_every_node_has_a_queue_of_its_own() -> None:
    queues = {queue_name(node, lane) for node in ("local", "vps-1") for lane in Lane}

    assert queues == {"node.local.fast", "node.local.slow", "node.vps-1.fast", "node.vps-1.slow"}

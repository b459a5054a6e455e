"""The worker's entry: one consumer process for one lane of one node, or one that has them all below it."""

import argparse
import asyncio
import socket

from buddy_common.log import configure_logging
from buddy_common.schemas.job import Lane, queue_name
from buddy_worker.celery_app import build_app
from buddy_worker.lanes import run_lanes
from buddy_worker.service import install_service
from buddy_worker.wiring import WorkerConfig


def main() -> None:
    """Consume jobs until SIGTERM.

    Raises:
        SystemExit: the end of the process that has all lanes below it, with its exit code.
    """
    parser = argparse.ArgumentParser(prog="buddy-worker", description=__doc__)
    parser.add_argument("--lane", choices=list(Lane), type=Lane, help="only this one")
    parser.add_argument("--instance", default="", help="tells apart the workers of one host name")
    options = parser.parse_args()
    if options.lane is None:
        raise SystemExit(asyncio.run(run_lanes()))
    _consume(options.lane, instance=options.instance)


def _consume(lane: Lane, *, instance: str) -> None:
    host = f"{socket.gethostname()}{instance and '-'}{instance}"
    config = WorkerConfig.from_environment(lane)
    configure_logging(service=f"worker-{lane}", node=config.home.node, level=config.home.log_level)
    app = build_app(config)
    install_service(app, config)
    app.worker_main(
        [
            "worker",
            f"--queues={queue_name(config.home.node, lane)}",
            "--pool=threads",  # a job mostly waits; threads need 100 MB less than processes
            f"--concurrency={config.worker.concurrency}",
            f"--hostname={lane}@{config.home.node}.{host}",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={config.home.log_level}",
        ]
    )

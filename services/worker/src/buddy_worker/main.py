"""The worker's entry: one consumer process for one lane of one node."""

import argparse
import socket

from buddy_common.log import configure_logging
from buddy_common.schemas.job import Lane, queue_name
from buddy_worker.celery_app import build_app
from buddy_worker.service import install_service
from buddy_worker.wiring import WorkerConfig


def main() -> None:
    """Consume jobs until SIGTERM."""
    parser = argparse.ArgumentParser(prog="buddy-worker", description=__doc__)
    parser.add_argument("--lane", choices=list(Lane), type=Lane, required=True)
    lane = parser.parse_args().lane
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
            f"--hostname={lane}@{config.home.node}.{socket.gethostname()}",
            "--without-gossip",
            "--without-mingle",
            f"--loglevel={config.home.log_level}",
        ]
    )

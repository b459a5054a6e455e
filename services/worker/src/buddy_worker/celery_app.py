"""The worker's Celery: it carries messages. The task table is the truth, and only it retries."""

from celery import Celery

from buddy_worker.wiring import WorkerConfig

TASKS = [
    "buddy_worker.tasks.backups",
    "buddy_worker.tasks.bots",
    "buddy_worker.tasks.chat",
    "buddy_worker.tasks.gateway",
    "buddy_worker.tasks.healing",
    "buddy_worker.tasks.models",
    "buddy_worker.tasks.plugins",
    "buddy_worker.tasks.bot_files",
    "buddy_worker.tasks.shell",
    "buddy_worker.tasks.skills",
    "buddy_worker.tasks.model_probe",
    "buddy_worker.tasks.wechat",
]


def build_app(config: WorkerConfig) -> Celery:
    """Return the Celery app of this process with all tasks registered."""
    app = Celery("buddy_worker", broker=config.broker.require(), include=TASKS)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a broker that comes back after an hour finds us waiting
        broker_transport_options={
            "visibility_timeout": 43200,  # above any deadline: a running job is never redelivered
            "socket_connect_timeout": 1,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        task_acks_late=False,  # no job may run twice by itself
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,  # without it Celery 5.7 dies when the broker restarts
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_ignore_result=True,  # states and results live in the task table
        worker_send_task_events=True,  # for Flower
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        task_serializer="json",
        accept_content=["json"],
        enable_utc=True,
    )
    return app

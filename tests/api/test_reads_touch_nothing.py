"""What the api does to its host while it answers reads: it starts no process and opens no file to write."""

import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from api.mirroring import ALL, CONTENT
from api.real_api import real_api
from buddy_common.adapters.read_model import ReadModel
from buddy_common.db import nodes
from buddy_common.db.engine import Database

ROUNDS = 20
# runs the api under an audit hook (PEP 578) that writes down what would change something
AUDITED = r"""
import os, runpy, sys
record = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
CHANGES = (
    "subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system", "pty.spawn",
    "os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.truncate", "sqlite3.connect",
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def note(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if not (set(mode or "") & set("wax+") or (mode is None and (flags or 0) & WRITES)):
            return
    elif event not in CHANGES:
        return
    os.write(record, f"{event} {arguments!r}\n".encode())

sys.argv = ["buddy_api"]
sys.addaudithook(note)
runpy.run_module("buddy_api", run_name="__main__")
"""


@pytest.mark.timeout(60)  # each call of the hook costs
@pytest.mark.sqlite  # it sees how a file of SQLite is opened
async def test_reads_start_no_process_and_open_no_file_to_write(
    redis_url: str, redis: Redis, database_url: str, database: Database, tmp_path: Path
) -> None:
    await database.run(lambda session: nodes.touch(session, "local", hostname="here"))
    model = ReadModel(redis)
    for resource, value in CONTENT.items():
        await model.put("local", resource, json.dumps(value), source="rpc", fresh_seconds=60, of_gateway=True)
    record = tmp_path / "changes.txt"
    program = tmp_path / "audited.py"
    program.write_text(AUDITED)
    paths = [*ALL, "/v1/openclaw/experts", "/v1/openclaw/dashboard-url", "/v1/openclaw/sessions?limit=2"]

    async with real_api(
        tmp_path / "home",
        redis_url=redis_url,
        database_url=database_url,
        arguments=(str(program), str(record)),
    ) as api:
        await api.client.get(paths[0])  # the first request opens the database and the connections
        before = record.read_text()
        for _ in range(ROUNDS):
            for path in paths:
                assert (await api.client.get(path)).status_code == 200
        after = record.read_text()

    assert "sqlite3.connect" in before  # the hook sees what it is for
    assert after[len(before) :] == ""
    assert await redis.keys("buddy:local:questions") == []

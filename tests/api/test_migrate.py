"""The migration as a program: one run brings the schema up to date, another changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import current_revision, head_revision

pytestmark = pytest.mark.timeout(60)


def migrate(url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "buddy_api.migrate"],
        env=os.environ | {"BUDDY_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_brings_an_empty_database_up_to_date_and_may_run_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fresh.db"

    assert [migrate(url).returncode, migrate(url).returncode] == [0, 0]

    engine = open_engine(url)
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    done = migrate(f"sqlite:///{tmp_path}/no/folder.db")

    assert done.returncode == 1
    assert done.stderr.startswith("buddy: ")
    assert "Traceback" not in done.stderr

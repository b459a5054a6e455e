"""Soak the whole system on this machine, print the ledger, exit with 1 where a promise was broken."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from chaos import ledger, ledger_processes
from chaos.facts import Facts
from chaos.faults import NotThereError
from chaos.schedule import make_schedule
from chaos.small_disk import enter_namespace, mount_small_disk, unmount
from chaos.soak import Soak, say
from chaos.stage import running_stage

OUTPUT = Path("build/chaos.md")
LOGS = Path("build/chaos-logs")
NO_DISK = "left out: a full disk, for which a mount of our own is needed (root, `unshare --mount`)"


def main() -> int:
    """Run one soak."""
    options = _options()
    enter_namespace()
    # whoever stops us gets everything stopped and removed, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="buddy-chaos-"))
    has_disk = mount_small_disk(folder)
    try:
        return _run(options, folder, has_disk=has_disk)
    finally:
        if has_disk:
            unmount(folder)
        shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the schedule (10)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="what makes the schedule")
    parser.add_argument("--plan", action="store_true", help="print the schedule, and do nothing")
    return parser.parse_args()


def _run(options: argparse.Namespace, folder: Path, *, has_disk: bool) -> int:
    schedule = make_schedule(options.seed, minutes=options.minutes, disk=has_disk)
    title = f"make chaos ARGS='--minutes {options.minutes:g} --seed {options.seed}'"
    say(f"{title}: {len(schedule)} faults")
    if not has_disk:
        say(NO_DISK)
    if options.plan:
        for fault in schedule:
            say(f"{fault.at:5.0f} s  {fault}")
        return 0
    facts = Facts()
    began = time.time()
    with running_stage(folder) as running:
        title += f", OpenClaw {running.openclaw}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
        try:
            Soak(running, schedule, facts, seconds=options.minutes * 60).run()
        except (KeyboardInterrupt, NotThereError) as exc:  # what was seen until then is told all the same
            facts.unsettled.append(f"it ended early: {exc!r}")
        finally:
            _keep_logs(running.machine.folder)
    lines = [check(facts) for check in (*ledger.CHECKS, *ledger_processes.CHECKS)]
    notes = "" if has_disk else f" {NO_DISK}."
    text = ledger.render(f"{title}; took {time.time() - began:.0f} s.{notes}", lines)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(text)
    sys.stdout.write(f"\n{text}\n{OUTPUT} has the same; {LOGS} has the logs\n")
    return 0 if all(line.passed for line in lines) else 1


def _keep_logs(folder: Path) -> None:
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    for file in [*(folder / "home" / "logs").glob("*"), *folder.glob("up-*.txt"), *folder.glob("*.log")]:
        if file.is_file():
            shutil.copy(file, LOGS)


if __name__ == "__main__":
    sys.exit(main())

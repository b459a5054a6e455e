"""Soak the whole system on this machine, print the ledger, exit with 1 where a promise was broken."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chaos import ledger, ledger_changes, ledger_config, ledger_processes
from chaos.facts import Facts
from chaos.faults import NotThereError
from chaos.schedule import make_schedule
from chaos.small_disk import enter_namespace, mount_small_disk, unmount
from chaos.soak import Soak, say
from chaos.stage import running_stage

OUTPUT = Path("build/chaos.md")
LOGS = Path("build/chaos-logs")
NO_DISK = (
    "There is no disk that may be filled: that needs a mount of our own (root, or a user namespace, which"
    " `make chaos` makes where it may). `--without-disk` leaves this fault out."
)
LEFT_OUT = "a full disk was left out (`--without-disk`)"
CHECKS = (*ledger.CHECKS, *ledger_changes.CHECKS, *ledger_config.CHECKS, *ledger_processes.CHECKS)


def main() -> int:
    """Run one soak."""
    options = read_options()
    if options.plan:
        return _show_plan(options)
    enter_namespace()
    # whoever stops us gets everything stopped and removed, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="buddy-chaos-"))
    has_disk = False
    try:
        has_disk = not options.without_disk and mount_small_disk(folder)
        require_disk(options, has_disk=has_disk)
        return _run(options, folder)
    finally:
        if has_disk:
            unmount(folder)
        shutil.rmtree(folder)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the run is to be like."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the schedule (10)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="what makes the schedule")
    parser.add_argument("--plan", action="store_true", help="print the schedule, and do nothing")
    parser.add_argument("--without-disk", action="store_true", help="never fill the disk")
    return parser.parse_args(arguments)


def require_disk(options: argparse.Namespace, *, has_disk: bool) -> None:
    """Refuse to leave a fault out that nobody has said may be left out.

    Raises:
        SystemExit: there is no disk to fill, and one is wanted.
    """
    if not has_disk and not options.without_disk:
        sys.exit(f"FAIL: {NO_DISK}")


def _show_plan(options: argparse.Namespace) -> int:
    for fault in make_schedule(options.seed, minutes=options.minutes, disk=not options.without_disk):
        say(f"{fault.at:5.0f} s  {fault}")
    return 0


def _run(options: argparse.Namespace, folder: Path) -> int:
    schedule = make_schedule(options.seed, minutes=options.minutes, disk=not options.without_disk)
    without = " --without-disk" if options.without_disk else ""
    title = f"make chaos ARGS='--minutes {options.minutes:g} --seed {options.seed}{without}'"
    say(f"{title}: {len(schedule)} faults")
    facts = Facts(seconds=options.minutes * 60)
    began = time.time()
    with running_stage(folder) as running:
        title += f", OpenClaw {running.openclaw}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
        soak = Soak(running, schedule, facts)
        try:
            soak.run()
        except (KeyboardInterrupt, NotThereError) as exc:  # what was seen until then is told all the same
            facts.unsettled.append(f"it ended early: {exc!r}")
        finally:
            _keep_logs(running.machine.folder)
            (LOGS / "config.txt").write_text(soak.config_timeline())
    lines = [check(facts) for check in CHECKS]
    notes = f" Note: {LEFT_OUT}." if options.without_disk else ""
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

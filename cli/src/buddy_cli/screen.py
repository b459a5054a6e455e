"""What `buddy` shows: one line per step; in a terminal, long steps move."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from buddy_cli.installer import Report

QUIET_SECONDS = 5.0


class Screen:
    """Writes to a terminal, or plain lines to a file or pipe."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(stderr=True, highlight=False, soft_wrap=True)

    def step(self, name: str, text: str) -> None:
        """Say that a step is done."""
        self.out.print(f"[green]✓[/green] {name:<10} {escape(text)}", emoji=False)

    def warn(self, name: str, text: str) -> None:
        """Say that something is not as it should be, though Buddy goes on."""
        self.out.print(f"[yellow]![/yellow] {name:<10} {escape(text)}", emoji=False)

    def error(self, text: str) -> None:
        """Say in one line why Buddy does not go on."""
        self.err.print(f"[red]buddy:[/red] {escape(' '.join(text.split()))}", emoji=False)

    @contextmanager
    def long_step(self, name: str) -> Iterator[Report]:
        """Show that a long step moves: a spinner in a terminal, a line now and then elsewhere."""
        began = time.monotonic()
        if self.out.is_terminal:
            with self.out.status(name) as status:
                yield lambda text: status.update(f"{escape(text)} ({time.monotonic() - began:.0f} s)")
            return
        shown_at = 0.0

        def report(text: str) -> None:
            nonlocal shown_at
            if time.monotonic() - shown_at >= QUIET_SECONDS:
                shown_at = time.monotonic()
                self.out.print(f"… {name:<10} {text} ({time.monotonic() - began:.0f} s)", markup=False)

        yield report

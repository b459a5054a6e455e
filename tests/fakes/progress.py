"""A Progress that remembers."""


class RecordingProgress:
    """Keeps what a use case reports, in order."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.lines: list[str] = []
        self.commands: list[str] = []

    async def stage(self, name: str, percent: int) -> None:
        if not self.stages or self.stages[-1] != (name, percent):
            self.stages.append((name, percent))

    async def line(self, text: str) -> None:
        self.lines.append(text)

    async def command(self, text: str) -> None:
        self.commands.append(text)

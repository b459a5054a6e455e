"""What programs write for terminals, as plain text."""

import codecs
import re

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain_text(text: str) -> str:
    """Return the text without colours and other control characters, each line as it was written last."""
    text = _ESCAPE.sub("", text)
    if "\r" in text:
        text = "\n".join(_written_last(line) for line in text.split("\n"))
    return _CONTROL.sub("", text)


def plain_lines(text: str) -> list[str]:
    """Return the lines that say something."""
    return [line.rstrip() for line in plain_text(text).split("\n") if line.strip()]


def _written_last(line: str) -> str:
    """Drop what a carriage return has overwritten, such as a progress bar."""
    return line.rstrip("\r").rpartition("\r")[2]


class LineSplitter:
    """Makes plain lines of bytes as they arrive; a line that is too long is cut."""

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are complete now, without empty ones."""
        text = self._rest + self._decoder.decode(data)
        complete, newline, rest = text.rpartition("\n")
        half_an_end = "\r" if rest.endswith("\r") else ""
        # one character more than allowed shows that the line was cut
        self._rest = _written_last(rest)[: self._max_characters + 1] + half_an_end
        return self._cut(complete) if newline else []

    @property
    def pending(self) -> str:
        """What stands in the line that has no end yet, such as a question."""
        return plain_text(self._rest).strip()

    def end(self) -> list[str]:
        """Return what came after the last line end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return self._cut(rest)

    def _cut(self, text: str) -> list[str]:
        limit = self._max_characters
        return [line if len(line) <= limit else f"{line[:limit]}…" for line in plain_lines(text)]

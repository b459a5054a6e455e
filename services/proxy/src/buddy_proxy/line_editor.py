"""What a terminal does with what is typed, where no program does it: echo, mend, hand over whole lines."""

import codecs
import unicodedata
from dataclasses import dataclass, field

MAX_LINE = 200
CTRL_C, CTRL_D = "\x03", "\x04"
_ENTER, _ERASE, _KILL_LINE = "\r\n", "\x7f\x08", "\x15"


@dataclass(frozen=True)
class Typed:
    """What came of a piece of input."""

    echo: str = ""
    lines: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # Ctrl-C, and Ctrl-D on an empty line


class LineEditor:
    """Takes input in pieces of any size."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._after_return = False
        self._escape = ""  # the beginning of a key such as an arrow; none of them means anything here

    def feed(self, data: bytes) -> Typed:
        """Return what is to be shown, and the lines and keys that were completed."""
        typed = Typed()
        echo = "".join(self._take(character, typed) for character in self._decoder.decode(data))
        return Typed(echo, typed.lines, typed.keys)

    def _take(self, character: str, typed: Typed) -> str:
        after_return, self._after_return = self._after_return, character == "\r"
        if self._escape or character == "\x1b":
            self._escape = _rest_of_key(self._escape + character)
            return ""
        if character in _ENTER:
            if character == "\n" and after_return:  # the second half of one line end
                return ""
            typed.lines.append(self._line)
            self._line = ""
            return "\r\n"
        return self._edit(character, typed)

    def _edit(self, character: str, typed: Typed) -> str:
        if character == CTRL_C or (character == CTRL_D and not self._line):
            self._line = ""
            typed.keys.append(character)
            return "^C\r\n" if character == CTRL_C else ""
        if character in _ERASE:
            gone, self._line = self._line[-1:], self._line[:-1]
            return _erase(gone)
        if character == _KILL_LINE:
            gone, self._line = self._line, ""
            return _erase(gone)
        if not character.isprintable() or len(self._line) >= MAX_LINE:
            return ""
        self._line += character
        return character


def _rest_of_key(key: str) -> str:
    """Return the key as far as it was typed, empty once it is whole."""
    if len(key) == 1 or (len(key) == 2 and key[1] in "[O"):  # noqa: PLR2004 - escape and what opens a sequence
        return key
    is_open = key[1] == "[" and not "@" <= key[-1] <= "~"
    return key if is_open and len(key) < MAX_LINE else ""


def _erase(text: str) -> str:
    """Return what wipes out the characters before the cursor; East Asian ones are two columns wide."""
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return "\b \b" * columns

"""A terminal for tests: a command runs on a real one, and what it drew is looked at frame by frame."""

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Sequence

_TOKENS = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b.|\r|\n|[^\x1b\r\n]+")
_ERASE = "\r\x1b[2K"  # how rich begins to draw a frame over the last one


class Screen:
    """The lines of a terminal that never scrolls away what it showed, wrapped at its width."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines = [""]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Do what the text says: letters, line feeds, cursor up, and erasing a line."""
        for token in _TOKENS.finditer(text):
            if token[0] == "\r":
                self._column = 0
            elif token[0] == "\n":
                self._go_down()
            elif token[2] == "A":
                self._row = max(0, self._row - int(token[1] or 1))
            elif token[2] == "K":
                assert token[1] == "2", f"this screen only erases whole lines: {token[0]!r}"
                self._lines[self._row] = ""
            elif token[2] is None:
                for letter in token[0]:
                    self._put(letter)
            else:
                assert token[2] in "hlm", f"this screen does not know {token[0]!r}"

    @property
    def text(self) -> str:
        """What is seen."""
        return "\n".join(line.rstrip() for line in self._lines)

    def _put(self, letter: str) -> None:
        if self._column == self._columns:
            self._column = 0
            self._go_down()
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
        self._column += 1

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")


def run_on_terminal(command: Sequence[str], columns: int) -> str:
    """Run a command on a terminal of `columns` by 50 and return all that it wrote; it must end well."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    environment = {key: value for key, value in os.environ.items() if key not in unset} | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as child:
        os.close(slave)
        written = b"".join(_read(master))
    os.close(master)
    assert child.returncode == 0, written.decode()
    return written.decode()


def _read(master: int) -> Iterator[bytes]:
    while True:
        try:
            content = os.read(master, 1 << 16)
        except OSError:  # the last process that had the terminal is gone
            return
        if not content:
            return
        yield content


def frames(written: str, columns: int) -> list[str]:
    """Return the screen as it was before each time that the picture was erased."""
    screen, found = Screen(columns), []
    for part in re.split(rf"(?<!\x1b\[1A)(?={re.escape(_ERASE)})", written):
        screen.feed(part)
        found.append(screen.text)
    return found

"""Leaves nothing behind: when the driver ends, however it ends, its Ray processes and private folder go.

Ray 2.60 binds its server processes to the driver, but after a kill -9 two agents stay for another minute, and a
stopped worker stays for ever. So a small process of its own waits at the end of a pipe whose other end only the
driver holds; when that closes, it kills every process that belongs to the session's folder and then removes the folder.
It has the last word too: Ray's native code ends a driver that lost its servers at a bad moment, with no exception.
This file is that process's script too: it runs without the package being importable.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

TOKEN_VARIABLE = "RAY_AUTH_TOKEN_PATH"
TOKEN_FILE = "token"
_PATIENCE_S = 10.0


class Janitor:
    """Watches over `folder`, a session's private folder; over none where the session is someone else's."""

    def __init__(self, folder: Path | None) -> None:
        read_end, self._write_end = os.pipe()
        command = [sys.executable, "-I", "-S", __file__, *([] if folder is None else [str(folder)])]
        try:  # a session of its own: neither Ctrl-C nor a closed terminal may take it before the driver
            self._process = subprocess.Popen(command, stdin=read_end, env={}, start_new_session=True)
        except BaseException:
            os.close(self._write_end)
            raise
        finally:
            os.close(read_end)

    @contextlib.contextmanager
    def speaking(self, words: str) -> Iterator[None]:
        """Have `words` said on standard error if this process ends within the block without a chance to say more."""
        self._write(words)
        try:
            yield
        finally:
            self._write("")

    def _write(self, words: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it was killed
            os.write(self._write_end, words.encode() + b"\0")

    def close(self) -> None:
        """Have the work done now, and wait for it."""
        os.close(self._write_end)
        self._process.wait(timeout=2 * _PATIENCE_S)


def processes_of(folder: str) -> list[int]:
    """Processes whose environment names the token in `folder` (on Linux; elsewhere none is found).

    Ray's agents and workers may write their title over their environment; they are told by it and by their open logs.
    The driver is neither: it has the logs open too, but keeps its own title.
    """
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or it is another user's
            environment = (entry / "environ").read_bytes().split(b"\0")
            if f"{TOKEN_VARIABLE}={folder}/{TOKEN_FILE}".encode() in environment or _logs_into(folder, entry):
                found.append(int(entry.name))
    return found


def _logs_into(folder: str, entry: Path) -> bool:
    if not (entry / "cmdline").read_bytes().startswith(b"ray::"):
        return False
    for descriptor in (entry / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            if os.readlink(descriptor).startswith(f"{folder}/"):
                return True
    return False


def _clean(folder: str) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while (left := processes_of(folder)) and time.monotonic() < give_up:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _last_words() -> bytes:
    """Wait for the driver's end, and return what it had to be said then."""
    heard = b""
    while chunk := os.read(0, 4096):
        heard = (heard + chunk)[-4096:]
    return heard.split(b"\0")[-2] if b"\0" in heard else b""


if __name__ == "__main__":
    if words := _last_words():
        with contextlib.suppress(OSError):
            os.write(2, words + b"\n")
    for folder in sys.argv[1:]:
        _clean(folder)

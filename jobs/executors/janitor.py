"""Leaves nothing behind: when the driver ends, however it ends, its Ray processes and private folder go.

Ray 2.60 binds its server processes to the driver, but after a kill -9 two agents stay for another minute, and a
stopped worker stays for ever. So a small process of its own waits at the end of a pipe whose other end only the
driver holds; when that closes, it kills every process that was started with the session's token and removes the folder.
This file is that process's script too: it runs without the package being importable.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

TOKEN_VARIABLE = "RAY_AUTH_TOKEN_PATH"
_PATIENCE_S = 10.0


class Janitor:
    """Watches over `folder`, a session's private folder that holds the file `token`."""

    def __init__(self, folder: Path, token: Path) -> None:
        read_end, self._write_end = os.pipe()
        command = [sys.executable, "-I", "-S", __file__, str(folder), str(token)]
        try:  # a session of its own: neither Ctrl-C nor a closed terminal may take it before the driver
            self._process = subprocess.Popen(command, stdin=read_end, env={}, start_new_session=True)
        except BaseException:
            os.close(self._write_end)
            raise
        finally:
            os.close(read_end)

    def close(self) -> None:
        """Have the work done now, and wait for it."""
        os.close(self._write_end)
        self._process.wait(timeout=2 * _PATIENCE_S)


def processes_with(token: str) -> list[int]:
    """Processes whose environment names `token` (Linux; elsewhere none can be found)."""
    needle = f"{TOKEN_VARIABLE}={token}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or it is another user's
            continue
    return found


def _clean(folder: str, token: str) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while (left := processes_with(token)) and time.monotonic() < give_up:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    while os.read(0, 4096):
        pass
    _clean(*sys.argv[1:])

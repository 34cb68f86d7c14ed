"""The commands of the product as a person starts them, under what they are made to suffer."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attack.attempt import DEADLINE_S, HUNG, REFUSED, TRACEBACK, WRONG

PASSBAND = [sys.executable, "-m", "passband"]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    status : int or None
        Exit status, negative for a signal; None where it had to be killed at the deadline.
    errors : what it wrote to stderr
    """

    status: int | None
    errors: str

    def refusal(self, *, speaks: bool = True) -> tuple[str, str]:
        """Return the verdict on a command that did not succeed: it must say why in words, where it can speak."""
        lines = [line for line in self.errors.splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if line.startswith("passband: ")), "")
        if self.status is None:
            return HUNG, f"no end in {DEADLINE_S:.0f} s"
        if "Traceback (most recent call last)" in self.errors:
            return TRACEBACK, lines[-1]
        if self.status < 0 or (speaks and not told):
            return WRONG, f"status {self.status} and nothing said: {lines[-1] if lines else ''}"
        return REFUSED, told


def start(
    arguments: list[str],
    *,
    stdin: int | None = subprocess.DEVNULL,
    stdout: int | None = subprocess.DEVNULL,
    stderr: int | None = subprocess.PIPE,
    environment: Mapping[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[str]":
    """Start a command in a session of its own; `environment` replaces variables, None removes one."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:1] + [os.getcwd()]), **(environment or {})}
    return subprocess.Popen(
        [*PASSBAND, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        errors="replace",
        env={name: value for name, value in variables.items() if value is not None},
        preexec_fn=before,
        start_new_session=True,
        cwd=folder,
    )


def ended(process: "subprocess.Popen[str]") -> Ended:
    """Wait for a command, at most until the deadline."""
    try:
        _, errors = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
        return Ended(None, errors or "")
    return Ended(process.returncode, errors or "")

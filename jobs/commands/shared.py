"""What the commands have in common: arguments, output for machines, and how one is stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from passband.jobs.common import events

JobFile = Annotated[Path, typer.Argument(help="job file (YAML), or the job.yaml of a dataset", metavar="JOB")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="replace another output in the folder, after telling what is deleted")
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask before --overwrite deletes")]


class Stop:
    """Ends the command on Ctrl-C and SIGTERM, and remembers which it was.

    It raises SystemExit, as the command-line library answers KeyboardInterrupt itself. Native code may swallow what a
    handler raises, so a run also asks, after every shard.
    """

    number = 0
    told = "stopped"
    """What the user is told at the end."""
    _deferred = False

    def __call__(self, number: int, frame: Any) -> None:
        """Remember the signal and end the command; where that is deferred, only a second signal ends it."""
        remembered, self.number = self.number, number
        if remembered or not self._deferred:
            raise SystemExit(128 + number)

    @contextmanager
    def telling(self, told: str) -> Iterator[None]:
        """Say `told` at the end where the signal comes inside: it is true of this part of the command."""
        before, self.told = self.told, told
        try:
            yield
        finally:
            if not self.number:
                self.told = before

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the first signal only be remembered: what runs inside asks, saves its state, and ends by itself."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raise if a signal came whose exception was lost."""
        if self.number:
            raise SystemExit(128 + self.number)


stop = Stop()
KEPT = "stopped; what is finished is kept, and the same command resumes"
"""Said where a command leaves something that it goes on from."""


def print_json(value: Any) -> None:
    """Print `value` on one line; an event with its time."""
    events.write(value)

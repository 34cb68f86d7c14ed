"""What the commands have in common: arguments, output for machines, and how one is stopped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

JobFile = Annotated[Path, typer.Argument(help="job file (YAML), or the job.yaml of a dataset", metavar="JOB")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


class Stop:
    """Ends the command on Ctrl-C and SIGTERM, and remembers which it was.

    It raises SystemExit, as the command-line library answers KeyboardInterrupt itself. Native code may swallow what a
    handler raises, so a run also asks, after every shard.
    """

    number = 0
    told = "stopped; what is finished is kept, and the same command resumes"
    """What the user is told at the end."""
    _deferred = False

    def __call__(self, number: int, frame: Any) -> None:
        """Remember the signal and end the command; where that is deferred, only a second signal ends it."""
        remembered, self.number = self.number, number
        if remembered or not self._deferred:
            raise SystemExit(128 + number)

    @contextmanager
    def deferred(self, told: str | None = None) -> Iterator[None]:
        """Let the first signal only be remembered: what runs inside asks, saves its state, and ends by itself.

        Parameters
        ----------
        told : what the user is told at the end, where the same command does not resume
        """
        self._deferred, self.told = True, told or self.told
        try:
            yield
        finally:
            self._deferred = False
            if not self.number:
                self.told = type(self).told

    def check(self) -> None:
        """Raise if a signal came whose exception was lost."""
        if self.number:
            raise SystemExit(128 + self.number)


stop = Stop()


def print_json(value: Any) -> None:
    """Print `value` on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False))

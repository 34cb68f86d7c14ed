"""Take one barrier out of a source and see who notices: ``python -m tests.cuda_host.barriers thread SOURCE CALL ...``.

Each barrier in turn, in a process of its own, all calls until one finds it. On standard error: a line ``== number``,
then ThreadSanitizer's report, the message of a launch whose barriers do not fit each other, or ``not found``.
"""

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

from passband.kernels.cuda import sources
from tests.cuda_host.calls import SMALL, SQUARES, Call, calls
from tests.cuda_host.device import HostDevice

BARRIER = re.compile(r"__syncthreads\(\);")
_CONTEXT = 3


class Barrier(NamedTuple):
    """The `number`-th barrier of a source, headers counted where they are included."""

    source: str
    number: int

    def place(self) -> str:
        """Return file:line of it; of the first place with the same lines around it."""
        text = sources.read(self.source)
        at = text.count("\n", 0, list(BARRIER.finditer(text))[self.number].start())
        lines = text.splitlines()[at - _CONTEXT : at + _CONTEXT + 1]
        for path in sorted(Path(sources.__file__).parent.glob("*.cu*")):
            own = path.read_text().splitlines()
            for start in range(len(own)):
                if own[start : start + len(lines)] == lines:
                    return f"{path.name}:{start + _CONTEXT + 1}"
        return f"{self.source}, line {at + 1} with its headers"

    def removed(self) -> str:
        """Return the source without it."""
        text = sources.read(self.source)
        match = list(BARRIER.finditer(text))[self.number]
        return text[: match.start()] + ";" + text[match.end() :]


def barriers() -> list[Barrier]:
    """Return every barrier of every source."""
    return [
        Barrier(source, number)
        for source in sources.names()
        for number in range(len(BARRIER.findall(sources.read(source))))
    ]


def find_missing(barrier: Barrier, made: list[Call]) -> str:
    """Return how the absence of a barrier shows; a race ends this process instead."""
    text = barrier.removed()

    def read(name: str) -> str:
        return text if name == barrier.source else sources.read(name)

    device = HostDevice(sanitizer="thread", read=read)
    for call in made:
        try:
            call.run(device)
        except RuntimeError as error:
            if "__syncthreads" not in str(error) and "deadlock" not in str(error):
                raise
            return f"launch refused: {error}"
    return "not found"


def main(source: str, *names: str) -> None:
    by_name = {str(call): call for call in calls((*SMALL, *SQUARES))}
    made = [by_name[name] for name in names]
    for barrier in barriers():
        if barrier.source != source:
            continue
        print(f"== {barrier.number}", file=sys.stderr, flush=True)
        child = os.fork()
        if not child:
            try:
                print(find_missing(barrier, made), file=sys.stderr, flush=True)
            finally:
                os._exit(1)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[2:])

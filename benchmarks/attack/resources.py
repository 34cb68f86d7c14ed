"""Class "resources": commands with too little of what they need, and in surroundings that no one would choose."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.attack import looks, targets
from benchmarks.attack.attempt import MENDED, SAME, WRONG, Attempt
from benchmarks.attack.commands import Ended, ended, start
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate

MIB = 1 << 20


@dataclass(frozen=True)
class Hardship:
    """What a command has to suffer.

    Attributes
    ----------
    speaks : bool
        Whether it can still say what is wrong.
    """

    name: str
    before: Callable[[], None] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    stdout: str | None = None
    stderr: str | None = None
    speaks: bool = True


def hardships(root: Path) -> list[Hardship]:
    """Return all of them; `root` is a folder for what they need."""
    file = root / "a-file"
    file.write_text("no folder\n")
    limits = {
        "files of at most": (resource.RLIMIT_FSIZE, (4096, 40_000, 400_000)),
        "open files at most": (resource.RLIMIT_NOFILE, (12, 24, 48)),
        "MiB of address space": (resource.RLIMIT_AS, tuple(MIB * n for n in (200, 500, 1000, 2000, 4000))),
        "processes at most": (resource.RLIMIT_NPROC, (1, 20)),
    }
    found = [
        Hardship(f"{value // MIB if value > MIB else value} {name}", before=_limited(kind, value))
        for name, (kind, values) in limits.items()
        for value in values
    ]
    homes = {"missing": str(root / "nowhere"), "a file": str(file), "empty": "", "unset": None, "/proc": "/proc"}
    found += [Hardship(f"HOME {name}", environment={"HOME": value}) for name, value in homes.items()]
    found += [
        Hardship("TMPDIR missing", environment={"TMPDIR": str(root / "nowhere")}),
        Hardship("the C locale", environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        Hardship("stdout full", stdout="/dev/full"),
        Hardship("stderr full", stderr="/dev/full", speaks=False),
        Hardship("stdin closed", before=partial(os.close, 0)),
        Hardship("stdout closed", before=partial(os.close, 1)),
        Hardship("stderr closed", before=partial(os.close, 2), speaks=False),
        Hardship("all closed", before=partial(os.closerange, 0, 3), speaks=False),
    ]
    return found


def _limited(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


def resources(root: Path, seed: int, share: float) -> Iterator[Attempt]:
    """Yield an attempt for every command under every hardship, and for the same command afterwards."""
    made = root / "made"
    given = targets.generate_job(made)
    generate(parse_job(given))
    expected = looks.stored(made)
    every = hardships(root)
    step = max(1, round(1 / share)) if share else len(every)
    for number, hardship in enumerate(every[seed % step :: step]):
        out, file = root / f"out-{number}", root / f"job-{number}.yaml"
        job: dict[str, Any] = targets.generate_job(out)
        file.write_text(yaml.safe_dump(job))
        for command in (["plan", str(file)], ["verify", str(made)], ["inspect", str(made)], ["status", str(made)]):
            yield _attempt(command, hardship, partial(bool, 1))
        yield _attempt(["run", str(file)], hardship, partial(_same, out, expected))
        yield _afterwards(file, out, hardship, expected)
        shutil.rmtree(out, ignore_errors=True)


def _same(out: Path, expected: dict[str, str]) -> bool:
    return looks.stored(out) == expected


def _attempt(command: list[str], hardship: Hardship, right: Callable[[], bool]) -> Attempt:
    outcome = _suffered(command, hardship)
    if outcome.status == 0:
        verdict, told = (SAME, "") if right() else (WRONG, "it says that it succeeded")
    else:
        verdict, told = outcome.refusal(speaks=hardship.speaks)
    return Attempt("resources", hardship.name, command[0], f"{command[0]}", verdict, told)


def _suffered(command: list[str], hardship: Hardship) -> Ended:
    opened = [open(name, "w") if name else None for name in (hardship.stdout, hardship.stderr)]  # noqa: SIM115
    stdout, stderr = (file.fileno() if file else None for file in opened)
    try:
        return ended(
            start(
                command,
                stdout=subprocess.DEVNULL if stdout is None else stdout,
                stderr=subprocess.PIPE if stderr is None else stderr,
                environment=hardship.environment,
                before=hardship.before,
            )
        )
    finally:
        for file in opened:
            if file is not None:
                file.close()


def _afterwards(file: Path, out: Path, hardship: Hardship, expected: Any) -> Attempt:
    outcome = ended(start(["run", str(file)]))
    right = outcome.status == 0 and looks.stored(out) == expected
    told = "" if right else f"status {outcome.status}: {outcome.errors[-200:]}"
    return Attempt("resources", hardship.name, "run", "the same command afterwards", MENDED if right else WRONG, told)

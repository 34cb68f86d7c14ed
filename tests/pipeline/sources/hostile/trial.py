"""Runs hostile inputs through the command itself, each in a process of its own, and judges what is left.

The processes are forked off one that has imported everything: a case costs what it does, not a second of imports. Time
is that of the processor, so a busy machine does not matter; memory is what it reaches above what a sound input does.
"""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.pipeline.sources.hostile.case import MADE, RECORDED, REFUSED, Case, made, paint
from tests.pipeline.sources.hostile.folders import folder_with

MAX_SECONDS = 10.0
"""Of the processor, for one case."""
MAX_BYTES = 200 * 10**6
"""That the process may grow."""
_DEADLINE_S = 240.0  # by the clock: a process that waits, or that a busy machine starves
_MAX_ADDRESSES = 3 * 10**9
_PLANNED = "planned"
_STATUSES = {0: MADE, 1: REFUSED, 2: _PLANNED}
_MAX_SHOWN = 600  # characters of the one line
_TOLERANCE = 6  # of a color, for what is encoded with loss


@dataclass
class Trial:
    """What a case came to.

    Attributes
    ----------
    outcome : REFUSED, RECORDED or MADE, or "broken"
    said : what the command wrote to stderr
    seconds, peak_bytes, grown_bytes : what it took, and how much more memory than a sound input
    good, bad : images made; key -> reason of those recorded
    """

    outcome: str = "broken"
    said: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0
    grown_bytes: int = 0
    good: int = 0
    bad: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Trials:
    """Runs cases, and knows what a sound input of the same size takes.

    Parameters
    ----------
    folder : empty or absent; each case has a folder of its own below it, which the caller may remove
    cards : whether datasets get their card too, which takes longer than all the rest
    """

    def __init__(self, folder: Path, *, cards: bool = False) -> None:
        self._folder, self._count, self._cards = folder, 0, cards
        _warm_up()
        sound = made("folder/sound", folder_with(), 6)
        self._usual_bytes = self.attempt(sound).peak_bytes

    @property
    def folder(self) -> Path:
        """Where the last case lies."""
        return self._folder / f"{self._count:04d}"

    def clear(self) -> None:
        """Remove what the last case left; folders may nest deeper than Python's own way to remove them."""
        subprocess.run(["rm", "-rf", "--", self.folder], check=True)

    def attempt(self, case: Case) -> Trial:
        """Build a case, run it, and return what came of it with what is wrong about that."""
        self._count += 1
        folder = self.folder
        folder.mkdir(parents=True)
        job = _built(case, folder)
        if case.after_plan is not None:
            first = _forked(folder, job, self._cards, before_shards=True)
            if first.outcome != _PLANNED:
                first.faults.append(f"was not even planned: {first.said.strip()[-300:]}")
                return first
            case.after_plan(folder / "in")
        trial = _forked(folder, job, self._cards)
        trial.grown_bytes = max(0, trial.peak_bytes - self._usual_bytes) if self._count > 1 else 0
        _judge(case, trial, folder / "out")
        return trial


def _built(case: Case, folder: Path) -> dict[str, Any]:
    """Build a case in a process of its own: what that takes is not what the case takes."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            job = case.build(folder)
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"{case.name} cannot be built"
    job: dict[str, Any] = json.loads((folder / "job.json").read_text("utf-8"))
    return job


def _warm_up() -> None:
    """Import what every case needs, so that none is charged for it."""
    import pandas  # pyarrow does, with the first array
    import pyarrow.parquet

    from passband.jobs.dataset.spec import GenerateJob
    from passband.jobs.drawing import charts
    from passband.jobs.generation import run, worker
    from passband.jobs.generation.card import page
    from passband.kernels.cpu import huffman

    assert all((pandas, page, charts, pyarrow.parquet, run, worker, GenerateJob, huffman))


def _forked(folder: Path, job: Mapping[str, Any], cards: bool, before_shards: bool = False) -> Trial:
    """Run a job in a process of its own, up to the first shard if asked, and return what it took."""
    child = os.fork()
    if child == 0:
        _in_child(folder, job, cards, before_shards)
    started, status, usage = time.monotonic(), None, None
    while status is None and time.monotonic() - started < _DEADLINE_S and _spent(child) < 3 * MAX_SECONDS:
        found, code, usage = os.wait4(child, os.WNOHANG)
        status = code if found else None
        time.sleep(0 if found else 0.005)
    trial = Trial()
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        trial.faults.append("did not end")
    assert usage is not None
    trial.said = (folder / "stderr").read_text("utf-8", "replace")
    trial.seconds = usage.ru_utime + usage.ru_stime
    trial.peak_bytes = 1024 * usage.ru_maxrss
    if os.WIFSIGNALED(status):
        trial.faults.append(f"died by {signal.Signals(os.WTERMSIG(status)).name}")
    else:
        trial.outcome = _STATUSES.get(os.WEXITSTATUS(status), "broken")
    return trial


def _spent(process: int) -> float:
    """Return the seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _in_child(folder: Path, job: Mapping[str, Any], cards: bool, before_shards: bool) -> None:
    """Do what the command does, and end this process with one of `_STATUSES`."""
    status = 3
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        errors = os.open(folder / "stderr", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        for number, file in enumerate((nothing, nothing, errors)):
            os.dup2(file, number)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = (
            pages * resource.getpagesize() + _MAX_ADDRESSES
        )  # a fault of the code under test takes no machine with it
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        status = _made(job, cards, before_shards)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _made(job: Mapping[str, Any], cards: bool, before_shards: bool) -> int:
    from passband.jobs.dataset.spec import GenerateJob
    from passband.jobs.generation import finish, run
    from passband.pipeline.errors import PassbandError

    class Planned(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Planned

    if before_shards:  # this process ends with what is changed here
        run._Run.make_shards = stop  # type: ignore[method-assign]
    if not cards:
        finish.write_card = lambda *_: None
    try:
        run.generate(GenerateJob.model_validate(job))
    except PassbandError as error:
        sys.stderr.write(f"passband: {error}\n")
        return 1
    except Planned:
        return 2
    return 0


def _judge(case: Case, trial: Trial, output: Path) -> None:
    """Add what is wrong about a trial to its faults."""
    faults = trial.faults
    if "Traceback" in trial.said:
        faults.append(f"a traceback: {trial.said.strip().splitlines()[-1][:300]}")
    if trial.outcome == MADE and not faults:
        _look(case, trial, output)
    said = trial.said.strip()
    if trial.outcome == REFUSED and not _is_told(said):
        faults.append(f"not one printable line: {said[:300]!r}")
    if trial.outcome == REFUSED and len(said) > _MAX_SHOWN:
        faults.append(f"a line of {len(said)} characters: {said[:200]}")
    if not faults and trial.outcome not in case.allowed:
        faults.append(f"was {trial.outcome}: {said[:300]}{dict(list(trial.bad.items())[:3]) or ''}")
    if trial.outcome != REFUSED and case.good is not None and (trial.good, len(trial.bad)) != (case.good, case.bad):
        faults.append(f"{trial.good} images and {len(trial.bad)} bad ones instead of {case.good} and {case.bad}")
    told = said + " ".join(trial.bad.values())
    if not faults and case.says not in told:
        faults.append(f"does not say {case.says!r}: {told[:300]}")
    if trial.seconds > MAX_SECONDS:
        faults.append(f"took {trial.seconds:.1f} s")
    if trial.grown_bytes > MAX_BYTES + 8 * case.pixels:
        faults.append(f"grew by {trial.grown_bytes / 1e6:.0f} MB")


def _is_told(said: str) -> bool:
    """Whether this is one printable line, or that of the shards that failed and one for each of them."""
    first, *others = said.split("\n")
    of_shards = all(line.startswith("  shard ") for line in others) and (not others or " shards failed" in first)
    return first.startswith("passband: ") and of_shards and all(line.isprintable() for line in (first, *others))


def _look(case: Case, trial: Trial, output: Path) -> None:
    """Read the dataset without our own reader, and compare every label and pixel."""
    manifest = json.loads((output / "manifest.json").read_text("utf-8"))
    for record in sorted(output.glob("**/*.json")):
        content = json.loads(record.read_text("utf-8"))
        if isinstance(content, dict) and "bad" in content and "tar" in content:
            trial.bad |= {bad["key"]: bad["reason"] for bad in content["bad"]}
    for key, label, image in _samples(output):
        trial.good += 1
        name = manifest["classes"][label]
        wanted = case.colors[key] if key in case.colors else paint(name, key)
        found = [band[:2] for band in image.getextrema()]
        if wanted is not None and any(
            abs(limit - value) > _TOLERANCE for limits, value in zip(found, wanted, strict=True) for limit in limits
        ):
            trial.faults.append(f"{key[:100]!r} of class {name[:100]!r} is {found}, not {wanted}")
            return
    trial.outcome = RECORDED if trial.bad else MADE


def _samples(output: Path) -> Iterator[tuple[str, int, Image.Image]]:
    for path in sorted(output.glob("shards/*.tar")):
        with tarfile.open(path, "r:") as tar:
            found: dict[str, dict[str, bytes]] = {}
            for info in tar:
                content = tar.extractfile(info)
                assert content is not None
                stem, _, field = info.name.partition(".")
                found.setdefault(stem, {})[field.rpartition(".")[2]] = content.read()
        for fields in found.values():
            label = json.loads(fields["json"])
            yield label["key"], label["label"], Image.open(io.BytesIO(fields["png"])).convert("RGB")

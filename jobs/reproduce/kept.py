"""Evidence of a full run: its results, its page, and what was run where, small enough to lie beside the code."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.outcome import REPORT
from passband.jobs.reproduce.result import Result
from passband.pipeline.documents import DocumentError, read_json
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.store import LocalStore

RUN = "run.json"
MOST_BYTES = 2 << 20
"""Of a page that is kept."""


@dataclass(frozen=True)
class Call:
    """One call of a reproduction, as ``run.json`` lists it.

    Attributes
    ----------
    command : without places
    date : UTC, ISO 8601
    seconds : of the whole call, on a clock on the wall
    made, found : jobs that this call made, and that an earlier one had made
    commit : of the checkout that was run, with ``+`` behind it where files differed from it; None without a checkout
    """

    command: str
    date: str
    seconds: float
    made: int
    found: int
    workers: int
    cpus: int
    processor: str
    commit: str | None


def call_of(ledger: Ledger, command: str, date: str, seconds: float) -> Call:
    """Return what is told of a call that has come to an end, of this machine and this checkout."""
    from passband.jobs.dataset.environment import processor

    return Call(
        command=command,
        date=date,
        seconds=round(seconds, 1),
        made=len(ledger.ran),
        found=len(ledger.found),
        workers=ledger.workers,
        cpus=os.cpu_count() or 1,
        processor=processor(),
        commit=commit_of(Path(__file__).resolve().parents[2]),
    )


def note_call(output: str, call: Call) -> None:
    """Add a call to ``run.json`` in the folder `output`, unless it only looked at what others had made."""
    store = LocalStore(output)
    calls = _calls(store)
    if call.made or not calls:
        store.put(RUN, (json.dumps({"calls": [*calls, asdict(call)]}, indent=1) + "\n").encode())


def _calls(store: LocalStore) -> list[Mapping[str, Any]]:
    """Return the calls that are known; a damaged file knows none, and is written anew."""
    try:
        found = read_json(store, RUN) if store.exists(RUN) else {}
    except DocumentError:
        return []
    calls = found.get("calls") if isinstance(found, dict) else None
    return calls if isinstance(calls, list) else []


def keep(result: Result, output: str, folder: str) -> str:
    """Copy results, page and ``run.json`` of a whole run from `output` to ``folder/NAME``, which is returned.

    Raises
    ------
    PassbandError
        If jobs have failed, or the page is too large to be kept.
    """
    if result.failed:
        raise PassbandError(f"keep: {len(result.failed)} jobs failed, and only a whole run is kept; run it again")
    source, target = LocalStore(output), LocalStore(f"{folder}/{result.recipe.name}")
    files = {name: source.read(name) for name in (RESULTS, REPORT, RUN)}
    if (size := len(files[REPORT])) > MOST_BYTES:
        raise PassbandError(f"keep: {output}/{REPORT} has {size:,} bytes; at most {MOST_BYTES:,} are kept")
    for name, content in files.items():
        target.put(name, content)
    return target.uri


def commit_of(checkout: Path) -> str | None:
    """Return the commit of a git checkout, ``+`` behind it where tracked files differ; None for any other folder."""
    try:
        top = _git(checkout, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != checkout.resolve():
            return None  # installed somewhere within another project's checkout
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
        return _git(checkout, "rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()

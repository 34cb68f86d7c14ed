"""Class "job files": every field of every recipe edited, and files made to exhaust or to confuse who reads them."""

import itertools
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.attack.attempt import HUNG, REFUSED, SAME, TRACEBACK, WRONG, Attempt, judged
from benchmarks.attack.mutations import edits
from passband.jobs.analysis.spec import load_analyze_job
from passband.jobs.dataset.spec import load_job
from passband.jobs.evaluation.spec import load_evaluate_job
from passband.jobs.training.spec import load_train_job

RECIPES = Path(__file__).parents[2] / "jobs" / "recipes"
LOADERS: dict[str, Callable[[Path], Any]] = {
    "generate": load_job,
    "train": load_train_job,
    "evaluate": load_evaluate_job,
    "analyze": load_analyze_job,
}
RAW = ("Input should", "Field required", "Input tag", "validation error", "pydantic", "discriminator", "type=")
"""Words of the library that checks, which say nothing to a user."""
MOST_S, MOST_BYTES, LONGEST_LINE = 10.0, 200 << 20, 1000


def job_files(root: Path, seed: int, share: float) -> Iterator[Attempt]:
    """Yield an attempt for every edited recipe and every hostile file."""
    draws = random.Random(f"{seed} job files")
    recipes = sorted(RECIPES.glob("*.yaml"))
    for recipe in recipes:
        tree = yaml.safe_load(recipe.read_text())
        for action, edited in itertools.chain([("as it is", tree)], edits(tree)):
            if draws.random() < share:
                text = yaml.safe_dump(edited, sort_keys=False, allow_unicode=True)
                yield _attempt(root, tree["kind"], recipe.name, action, text.encode())
    for kind in LOADERS:
        for action, content in hostile(kind):
            if draws.random() < share or share >= 1:
                yield _attempt(root, kind, "hostile", action, content)


def _attempt(root: Path, kind: str, target: str, action: str, content: bytes) -> Attempt:
    file = root / "job.yaml"
    file.write_bytes(content)
    before, begun = _peak(), time.monotonic()
    said: list[str] = []
    verdict, told = judged(lambda: _load(kind, file, said), True)
    spent, grown = time.monotonic() - begun, _peak() - before
    message = said[0] if said else ""
    if verdict == REFUSED:
        verdict, told = _judge_words(message)
    if verdict in (SAME, REFUSED) and (spent > MOST_S or grown > MOST_BYTES):
        verdict, told = HUNG, f"{spent:.1f} s, {grown >> 20} MiB"
    return Attempt("job files", target, action, kind, verdict, told)


def _load(kind: str, file: Path, said: list[str]) -> bool:
    from passband.pipeline.errors import PassbandError

    try:
        LOADERS[kind](file)
    except PassbandError as error:
        said.append(str(error))
        raise
    return True


def _judge_words(message: str) -> tuple[str, str]:
    """Return the verdict on what a refused job file is told."""
    raw = next((word for word in RAW if word in message), None)
    if raw is not None:
        return WRONG, f"says {raw!r}: {message[:200]!r}"
    longest = max(map(len, message.splitlines()), default=0)
    if not message or longest > LONGEST_LINE:
        return WRONG, f"a line of {longest} characters"
    return (REFUSED, message.splitlines()[-1]) if "Traceback" not in message else (TRACEBACK, message[:200])


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def hostile(kind: str) -> Iterator[tuple[str, bytes]]:
    """Yield (what it is, a file that says it is of `kind`) for what a YAML reader can be made to suffer."""
    head = f"kind: {kind}\n"
    wide = ", ".join(["*a"] * 9)
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in itertools.pairwise("abcdefghi")
    )
    yield "an alias bomb", (head + bomb).encode()
    yield "an alias bomb as kind", (bomb + "kind: *i\n").encode()
    yield "an alias bomb as a key", (bomb + "? *i\n: 1\n" + head).encode()
    yield "an alias bomb in name", (bomb + head + f"name: [{wide.replace('*a', '*i')}]\n").encode()
    yield "a list that holds itself", (head + "name: &n [*n]\n").encode()
    yield "a mapping that holds itself", b"&m\nkind: *m\n"
    yield "nested 100,000 deep", (head + "name: " + "[" * 100_000).encode()
    yield "nested 100,000 deep and closed", (head + "name: " + "[" * 100_000 + "]" * 100_000 + "\n").encode()
    yield "mappings nested 5,000 deep", (head + "".join(" " * n + "a:\n" for n in range(2000))).encode()
    yield "30 MB of text", head.encode() + b"name: " + b"x" * (30 << 20) + b"\n"
    yield "a million entries", head.encode() + b"views: [" + b"1," * 1_000_000 + b"1]\n"
    yield "an integer of 5,000 digits", (head + f"seed: {'9' * 5000}\n").encode()
    yield "an integer of 5,000 digits as a key", (head + f"{'9' * 5000}: 1\n").encode()
    for action, value in {
        "a bad date": "2024-13-45",
        "a bad time": "2024-01-01T99:99:99Z",
        "a tagged object": "!!python/object/apply:os.system [ls]",
        "a tagged integer": "!!int twelve",
        "a tagged float": "!!float x",
        "tagged binary": "!!binary '*'",
        "a tagged date": "!!timestamp never",
        "a tagged bool": "!!bool 7",
        "an own tag": "!mine 7",
        "infinity": ".inf",
        "no number": ".nan",
        "an odd base": "0o9",
        "sexagesimal": "190:20:30",
        "an unknown alias": "*nobody",
        "a set": "!!set {a, b}",
        "pairs": "!!pairs [a: 1, a: 2]",
        "an ordered map": "!!omap [a: 1]",
        "a lone surrogate": '"\\ud800"',
        "a NUL": '"\\0"',
        "an escape of the terminal": '"\\e[2J\\e[1;31m"',
    }.items():
        for key in ("seed", "name", "kind", "source", "output", "data", "views", "epochs"):
            yield f"{action} as {key}", ("" if key == "kind" else head).encode() + f"{key}: {value}\n".encode()
    yield "a merge key", (head + "<<: {name: x}\n").encode()
    yield "a merge key of a scalar", (head + "<<: 7\n").encode()
    yield "a key twice", (head + head).encode()
    yield "a list as a key", (head + "? [a, b]\n: 1\n").encode()
    yield "nothing", b""
    yield "a scalar", b"7\n"
    yield "a list", b"- 7\n"
    yield "two documents", (head + "---\n" + head).encode()
    yield "UTF-16", head.encode("utf-16")
    yield "Latin-1", head.encode() + b"name: caf\xe9\n"
    yield "a byte order mark", b"\xef\xbb\xbf" + head.encode()
    yield "tabs", f"kind:\t{kind}\n\tname: x\n".encode()
    yield "bytes of an image", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4

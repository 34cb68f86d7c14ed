"""Class "signals": a run or a training is killed, ended or interrupted at any moment, and started again."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.attack import looks, targets
from benchmarks.attack.attempt import HUNG, MENDED, SAME, WRONG, Attempt
from benchmarks.attack.commands import ended, start
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.jobs.training.run import train
from passband.jobs.training.spec import parse_train_job

ROUNDS = 40
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A kill twice as often as the others."""


def signals(root: Path, seed: int, share: float) -> Iterator[Attempt]:
    """Yield an attempt for every signal sent, and one for every result that came in the end."""
    data = root / "data"
    given = targets.generate_job(data)
    generate(parse_job(given))
    calm = root / "calm"
    train(parse_train_job(targets.train_job(calm, data)))
    kinds: list[tuple[str, Callable[[Path], dict[str, Any]], Callable[[Path], Any], Any]] = [
        ("run", targets.generate_job, looks.stored, looks.stored(data)),
        ("train", lambda out: targets.train_job(out, data), looks.loaded, looks.loaded(calm)),
    ]
    draws = random.Random(f"{seed} signals")
    for number in range(max(1, round(ROUNDS * share))):
        command, job_of, look, expected = kinds[number % 4 == 3]
        out, file = root / f"out-{number}", root / f"job-{number}.yaml"
        file.write_text(yaml.safe_dump(job_of(out)))
        yield from _interrupted(command, file, draws)
        verdict, told = _finished(command, file, out, look, expected)
        yield Attempt(
            "signals", command, f"run to its end after them, round {number}", "the same command", verdict, told
        )


def _interrupted(command: str, file: Path, draws: random.Random) -> Iterator[Attempt]:
    """Start the command a few times, and send it a signal each time."""
    for _ in range(draws.randint(1, 3)):
        sent, delay = draws.choice(SIGNALS), draws.uniform(0.0, 6.0)
        process = start([command, str(file)])
        time.sleep(delay)
        process.send_signal(sent)
        outcome = ended(process)
        spelled = f"{sent.name} after {delay:.2f} s"
        if outcome.status is None:
            yield Attempt("signals", command, spelled, sent.name, HUNG, "it did not end")
        elif outcome.status in (0, -sent, 128 + sent):  # 0: it was through before
            verdict, told = (SAME, "") if "Traceback" not in outcome.errors else (WRONG, outcome.errors[-200:])
            yield Attempt("signals", command, spelled, sent.name, verdict, told)
        else:
            yield Attempt("signals", command, spelled, sent.name, WRONG, f"{outcome.status}: {outcome.errors[-200:]}")


def _finished(command: str, file: Path, out: Path, look: Callable[[Path], Any], expected: Any) -> tuple[str, str]:
    outcome = ended(start([command, str(file)]))
    if outcome.status != 0:
        return WRONG, f"status {outcome.status}: {outcome.errors[-300:]}"
    left = [path.name for path in out.rglob(".passband-*")]
    if left:
        return WRONG, f"left {left[0]}"
    return (MENDED, "") if look(out) == expected else (WRONG, "other bytes than the calm run's")

"""Class "damage": every file of every kind of output, by seeded damage to its bytes and edits of all its fields."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.attack import targets
from benchmarks.attack.attempt import Attempt, judged
from benchmarks.attack.mutations import Mutation, byte_mutations, field_mutations
from benchmarks.attack.targets import Target

FIELDS = (".json", ".yaml")


def damage(root: Path, seed: int, share: float) -> Iterator[Attempt]:
    """Yield an attempt for every mutation and look.

    Parameters
    ----------
    share : float
        Of the mutations so many are tried, drawn by `seed`; 1: all.
    """
    victim = targets.dataset(root)
    for target in [victim, *targets.trainings(root, victim.untouched)]:
        draws = random.Random(f"{seed} {target.name}")
        for mutation in _mutations(target, seed):
            if draws.random() < share:
                yield from _attempts(target, mutation)


def _mutations(target: Target, seed: int) -> Iterator[Mutation]:
    """Yield what is done; of equal files, such as records, the bytes of two and the fields of one are changed."""
    kinds: dict[str, list[str]] = {}
    for name in target.files():
        kinds.setdefault(_group(name), []).append(name)
    for group, names in kinds.items():
        draws = random.Random(f"{seed} {target.name} {group}")
        chosen = draws.sample(names, min(2, len(names)))
        for name in chosen:
            others = [other for other in names if other != name]
            yield from byte_mutations(target.untouched, name, others, draws, flips=8)
        if chosen[0].endswith(FIELDS):
            yield from field_mutations(target.untouched, chosen[0])


def _attempts(target: Target, mutation: Mutation) -> Iterator[Attempt]:
    kind = f"{target.name}: {_group(mutation.target)}"
    for look in target.looks:
        with target.changed(mutation.contents):
            verdict, told = judged(partial(look.look, target.folder), look.expected, mends=look.mends)
        if look.name == "verify" and verdict == "same":
            verdict, told = "wrong", "verify calls it whole"
        yield Attempt(kind, mutation.target, mutation.action, look.name, verdict, told)


def _group(name: str) -> str:
    """Return the name that equal files share: ``shards/*.tar``; ``manifest.json`` has no equal."""
    path = Path(name)
    return (
        f"{path.parent}/*{path.suffix}"
        if path.parent.name
        else (f"*{path.suffix}" if path.suffix == ".beton" else name)
    )

"""How the views of a job are called: by the names that it gives, else by their stages."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, islice

from passband.jobs.dataset.entries import View

LONGEST = 63
_CHAIN = "chain"


def view_names(entries: Sequence[View]) -> list[str]:
    """Return the name of every view, copies spelled out.

    A name that is given stands as it is; copies of it are NAME-1, NAME-2. A view without one is called after its
    stages, joined by hyphens. Where several of a job would be called alike, and where a given name is taken already,
    they are numbered over the whole job from 1, and a number that would make a given name is left out.
    """
    own = [entry.name or _by_stages(entry) for entry in entries]
    given = {name for entry in entries if entry.name for name in copy_names(entry.name, entry.copies)}
    unnamed: Counter[str] = Counter()
    for entry, name in zip(entries, own, strict=True):
        unnamed[name] += 0 if entry.name else entry.copies
    free = {name: _numbered(name, given) for name in unnamed}
    names: list[str] = []
    for entry, name in zip(entries, own, strict=True):
        if entry.name:
            names += copy_names(name, entry.copies)
        elif unnamed[name] == 1 and name not in given:
            names.append(name)
        else:
            names += islice(free[name], entry.copies)
    return names


def numbered_name(number: int) -> str:
    """Return what view `number` was called by default when datasets had numbers for names."""
    return f"view{number}"


def copy_names(name: str, copies: int) -> list[str]:
    """Return the names of the copies of a view that is called `name`."""
    return [name] if copies == 1 else [f"{name}-{copy}" for copy in range(1, copies + 1)]


def _numbered(name: str, given: set[str]) -> Iterator[str]:
    return (numbered for n in count(1) if (numbered := f"{name}-{n}") not in given)


def _by_stages(entry: View) -> str:
    joined = "-".join(stage for stage, _ in entry.recipe())
    return joined if len(joined) <= LONGEST - len("-1024") else _CHAIN

"""What a source leaves out on purpose: counted by reason, said once."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from passband.pipeline.sources.limits import plain

_EXAMPLES = 3


@dataclass
class Omission:
    """Names left out for one reason.

    Attributes
    ----------
    reason : short, such as "hidden" or "ignored"
    count : how many
    examples : the first of them; names that cannot be printed as Python escapes them
    """

    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Skipped:
    """Counts what a listing leaves out. A listing begins with `clear`, so that listing twice counts once."""

    def __init__(self) -> None:
        self._found: dict[str, Omission] = {}
        self._kept: dict[str, Omission] = {}

    def clear(self) -> None:
        """Forget everything since `keep`."""
        self._found = deepcopy(self._kept)

    def keep(self) -> None:
        """Let what was counted so far outlast `clear`: a source that looks for its files once, when it is opened."""
        self._kept = deepcopy(self._found)

    def add(self, reason: str, name: str) -> None:
        """Count `name` as left out for `reason`."""
        omission = self._found.setdefault(reason, Omission(reason))
        omission.count += 1
        if omission.count <= _EXAMPLES:
            omission.examples.append(plain(name))

    def __iter__(self) -> Iterator[Omission]:
        return iter(self._found.values())

    def __str__(self) -> str:
        """Spell what was left out on one line: "2 hidden (.a, .b); 1 ignored (c)"; empty where nothing was."""
        return "; ".join(spell(omission) for omission in self)


def spell(omission: Omission) -> str:
    """Return count, reason and examples: "2 hidden (.a, .b)"."""
    more = ", ..." if omission.count > len(omission.examples) else ""
    return f"{omission.count:,} {omission.reason} ({', '.join(omission.examples)}{more})"

"""What a source leaves out on purpose: counted by reason, said once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

_EXAMPLES = 3


@dataclass
class Omission:
    """Names left out for one reason.

    Attributes
    ----------
    reason : short, such as "hidden" or "no image"
    count : how many
    examples : the first of them
    """

    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Skipped:
    """Counts what a listing leaves out. A listing begins with `clear`, so that listing twice counts once."""

    def __init__(self) -> None:
        self._found: dict[str, Omission] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._found.clear()

    def add(self, reason: str, name: str) -> None:
        """Count `name` as left out for `reason`."""
        omission = self._found.setdefault(reason, Omission(reason))
        omission.count += 1
        if omission.count <= _EXAMPLES:
            omission.examples.append(name)

    def __iter__(self) -> Iterator[Omission]:
        return iter(self._found.values())

"""Labels as they stand in other people's files -- names or numbers -- to class indices."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from pipeline.sources.base import SourceError, SourceOptions

ClassCount = Annotated[int, Field(ge=1)]


class LabelOptions(SourceOptions):
    """Option of a source whose labels are read from files that may not name all classes."""

    classes: list[str] | ClassCount | None = Field(
        None,
        description="list of class names (labels are names, else indices into it) or number of classes (labels are "
        "0..n-1); absent: the distinct labels found, sorted, as numbers if all are. Give it where splits must agree",
    )


class ClassIndex:
    """Class names, and the index of a label.

    Parameters
    ----------
    kind : str
        The source, for messages.
    given : list of names, number of classes, or None
    found : iterable of str
        The distinct labels of the source; used where nothing is given.
    """

    def __init__(self, kind: str, given: list[str] | int | None, found: Iterable[str] = ()) -> None:
        self._kind = kind
        if isinstance(given, int):
            self.names = tuple(str(number) for number in range(given))
        else:
            self.names = tuple(_sorted(set(found)) if given is None else given)
        self._by_name = {name: index for index, name in enumerate(self.names)}
        if len(self._by_name) < len(self.names):
            raise SourceError(f"source {kind}: a class is named twice in the option 'classes'")

    def index(self, label: str, where: str) -> int:
        """Return the index of `label`; raise SourceError, naming `where` it stands, if it is no class."""
        if label in self._by_name:
            return self._by_name[label]
        if label.isascii() and label.isdecimal() and int(label) < len(self.names):
            return int(label)
        raise SourceError(f"source {self._kind}: {where} has label {label!r}, which is none of {_shown(self.names)}")


def label_text(kind: str, label: object, where: str) -> str:
    """Return an integer or string label as text; raise SourceError, naming `where` it stands, for anything else."""
    if isinstance(label, bool) or not isinstance(label, int | str) or label == "":
        raise SourceError(f"source {kind}: {where} has label {label!r}, which is neither an integer nor a name")
    return str(label)


def _sorted(labels: set[str]) -> list[str]:
    if all(label.removeprefix("-").isdecimal() and label.isascii() for label in labels):
        return sorted(labels, key=lambda label: (int(label), label))
    return sorted(labels)


def _shown(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)} classes)"

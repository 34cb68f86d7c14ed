"""Labels as they stand in other people's files to class indices: an integer is an index, a text is a name.

Of a format without types, a text is an integer only if it is spelled as one is: "007" is a name.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from pipeline.sources.base import SourceError, SourceOptions

ClassCount = Annotated[int, Field(ge=1)]
Label = int | str
"""An integer is an index into the classes; a text is the name of one."""


class LabelOptions(SourceOptions):
    """Option of a source whose labels are read from files that may not name all classes."""

    classes: list[str] | ClassCount | None = Field(
        None,
        description="list of class names (labels that are integers are indices into it, others are names) or number "
        "of classes (labels are 0..n-1); absent: the distinct labels found, sorted, as numbers if all are. Give it "
        "where splits must agree",
    )


class ClassIndex:
    """Class names, and the index of a label.

    Where classes are given, an integer is an index into them even if their names are numbers themselves: this is how
    Hugging Face and torchvision store labels. Where none are, the distinct integers are the names: 3 and 7 make the
    classes "3" and "7". Where their number is given, a text is the index that its digits mean: "007" is 7.

    Parameters
    ----------
    kind : str
        The source, for messages.
    given : list of names, number of classes, or None
    found : iterable of int or str
        The distinct labels of the source; used where nothing is given.

    Attributes
    ----------
    names : tuple of str
    """

    def __init__(self, kind: str, given: list[str] | int | None, found: Iterable[Label] = ()) -> None:
        self._kind = kind
        self._by_value = given is None
        self._counted = isinstance(given, int)
        if isinstance(given, int):
            self.names = tuple(str(number) for number in range(given))
        else:
            self.names = tuple(_sorted(set(found)) if given is None else given)
        self._by_name = {name: index for index, name in enumerate(self.names)}
        self._met_numerals = False
        if len(self._by_name) < len(self.names):
            raise SourceError(f"source {kind}: a class is named twice: {_shown(self.names)}")

    def index(self, label: Label, where: str) -> int:
        """Return the index of `label`; raise SourceError, naming `where` it stands, if it is no class."""
        if isinstance(label, int) and not self._by_value:
            if not 0 <= label < len(self.names):
                raise self._refusal(f"{label}, an index beyond", where, str(label) in self._by_name)
            self._met_numerals |= self.names[label] != str(label)
            return label
        if str(label) in self._by_name:
            return self._by_name[str(label)]
        if self._counted and label and (plain := str(label).lstrip("0") or "0") in self._by_name:
            return self._by_name[plain]
        raise self._refusal(f"{label!r}, which is none of", where)

    def _refusal(self, fault: str, where: str, is_name: bool = False) -> SourceError:
        hint = "; an integer is an index even where a class has its name" if is_name else ""
        return SourceError(f"source {self._kind}: {where} has label {fault} {_shown(self.names)}{hint}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could be understood in two ways in the labels so far: integers where classes are numbers too."""
        if not self._met_numerals or not any(_is_number(name) for name in self.names):
            return ()
        return (f"labels are integers and so indices, and the class names are numbers: label 0 is {self.names[0]!r}",)


def checked_label(kind: str, label: object, where: str) -> Label:
    """Return a label that was read with its type: an integer, a truth value as 0 or 1, or a text.

    Raises
    ------
    SourceError
        For anything else, a negative number or an empty text; names `where` it stands.
    """
    start = f"source {kind}: {where} has "
    if isinstance(label, bool):
        return int(label)
    if label is None:
        raise SourceError(f"{start}no label: it is null")
    if isinstance(label, float):
        raise SourceError(f"{start}label {label!r}, a float: neither an integer nor a name; store it as an integer")
    if not isinstance(label, int | str) or label == "":
        raise SourceError(f"{start}label {label!r}, which is neither an integer nor a name")
    if isinstance(label, str) and any(mark in label for mark in "\0\n\r"):
        raise SourceError(f"{start}label {label!r}, a name with a line break or a NUL")
    if isinstance(label, int) and label < 0:
        raise SourceError(f"{start}label {label}, which is negative; -1 often stands where labels are withheld")
    return label


def untyped_label(text: str) -> Label:
    """Return a label that was read as text, of a format without types: an integer if it is spelled as one.

    Zeros in front, as in "007", make a name of it; so do more digits than an index of a class has.
    """
    return int(text) if _is_number(text) and len(text) < 19 and text == str(int(text)) else text


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdecimal()


def _sorted(labels: set[Label]) -> list[str]:
    if all(isinstance(label, int) or _is_number(label) for label in labels):
        return sorted({str(label) for label in labels}, key=lambda label: (int(label), label))
    return sorted({str(label) for label in labels})


def _shown(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({len(names)} classes)"

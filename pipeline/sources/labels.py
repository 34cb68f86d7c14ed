"""Labels as they stand in other people's files to class indices: an integer is an index, a text is a name.

Of a format without types, a text is an integer only if it is spelled as one is: "007" is a name.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from passband.pipeline.sources.base import SourceError, SourceOptions
from passband.pipeline.sources.limits import MAX_CLASSES_BYTES, MAX_LABEL, MAX_LABEL_BYTES, plain, shown

ClassCount = Annotated[int, Field(ge=1, le=1_000_000)]
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
        elif given is None:
            self.names = tuple(_sorted(distinct(kind, found)))
        else:
            self.names = tuple(checked_name(kind, name, f"class {at}") for at, name in enumerate(given))
        self._by_name = {name: index for index, name in enumerate(self.names)}
        self._met_numerals = False
        if len(self._by_name) < len(self.names):
            raise SourceError(f"source {kind}: a class is named twice: {_shown(self.names)}")

    def index(self, label: Label, where: str) -> int:
        """Return the index of `label`; raise SourceError, naming `where` it stands, if it is no class."""
        if isinstance(label, int) and not self._by_value:
            if not 0 <= label < len(self.names):
                raise self._refusal(f"{shown(label)}, an index beyond", where, str(label) in self._by_name)
            self._met_numerals |= self.names[label] != str(label)
            return label
        if str(label) in self._by_name:
            return self._by_name[str(label)]
        if self._counted and label and (plain := str(label).lstrip("0") or "0") in self._by_name:
            return self._by_name[plain]
        raise self._refusal(f"{shown(label)}, which is none of", where)

    def _refusal(self, fault: str, where: str, is_name: bool = False) -> SourceError:
        hint = "; an integer is an index even where a class has its name" if is_name else ""
        return SourceError(f"source {self._kind}: {where} has label {fault} {_shown(self.names)}{hint}")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What could be understood in two ways in the labels so far: integers where classes are numbers too."""
        if not self._met_numerals or not any(_is_number(name) for name in self.names):
            return ()
        return (
            f"labels are integers and so indices, and the class names are numbers: label 0 is {shown(self.names[0])}",
        )


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
    if isinstance(label, str):
        return checked_name(kind, label, where)
    if not isinstance(label, int):
        raise SourceError(f"{start}label {shown(label)}, which is neither an integer nor a name")
    if label < 0:
        raise SourceError(f"{start}label {shown(label)}, which is negative; -1 often stands where labels are withheld")
    if label > MAX_LABEL:
        raise SourceError(f"{start}label {shown(label)}; an integer is at most {MAX_LABEL:,}")
    return label


def checked_name(kind: str, name: str, where: str) -> str:
    """Return the name of a class if it can be one: UTF-8, one line, not too long; else raise SourceError."""
    start = f"source {kind}: {where} has "
    if not name:
        raise SourceError(f"{start}label '', which is neither an integer nor a name")
    if any(mark in name for mark in "\0\n\r"):
        raise SourceError(f"{start}label {shown(name)}, a name with a line break or a NUL")
    try:
        num_bytes = len(name.encode())
    except UnicodeEncodeError as error:
        raise SourceError(f"{start}label {shown(name)}, a name that is not valid Unicode") from error
    if num_bytes > MAX_LABEL_BYTES:
        raise SourceError(
            f"{start}label {shown(name)}, a name of {num_bytes:,} bytes; a name has at most {MAX_LABEL_BYTES:,}"
        )
    return name


def distinct(kind: str, labels: Iterable[Label]) -> set[Label]:
    """Return each label once; raise SourceError where they are more than classes can be."""
    found: set[Label] = set()
    num_bytes = 0
    for label in labels:
        if label not in found:
            found.add(label)
            num_bytes += 8 + len(str(label))
            if num_bytes > MAX_CLASSES_BYTES:
                raise SourceError(
                    f"source {kind}: the first {len(found):,} distinct labels, the last of which is {shown(label)}, "
                    "are more than classes can be; is it the class that is read?"
                )
    return found


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
    return f"{', '.join(map(plain, names[:5]))}{', ...' if len(names) > 5 else ''} ({len(names)} classes)"

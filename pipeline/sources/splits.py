"""Which split the name of a file or folder speaks of, by the rules of the Hugging Face Hub.

A name speaks of a split where the split, or another word for it, stands in it between its ends, digits, dots, spaces,
dashes and underscores: ``train-00000-of-00004.parquet``, ``val_3.tar``, ``data/test/0.parquet``. The name of a file
goes before those of its folders, an inner folder before an outer one. A name that speaks of several, such as
``train-val-0.tar``, is of none of them: an image in two splits would be tested on after it was learned.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split -> the words for it."""
SPLIT_DESCRIPTION = (
    "the split to take, such as train: where names of files or folders speak of splits (train-0000.tar, val/), only "
    "those of this one are read. It enters the random draws"
)
WHOLE = ("", "all")
"""What selects nothing: all is meant."""
_EDGE = r"[-._ 0-9]"
_EVERY = re.compile(rf"(?<![^-._ 0-9])(?:{'|'.join(sum(WORDS.values(), ()))})(?![^-._ 0-9])", re.IGNORECASE)
_ROOTS = ("train", "val", "dev", "test")
"""One of them stands in every word."""
_DIGITS = str.maketrans("123456789", "0" * 9)
_MOST = 10_000


def synonyms(split: str) -> tuple[str, ...]:
    """Return the words for a split; its own name alone where it is none of the usual three."""
    return next((words for words in WORDS.values() if split.lower() in words), (split,))


def speaks_of(name: str, split: str) -> bool:
    """Tell whether one file's or folder's own name speaks of `split`."""
    words = "|".join(map(re.escape, synonyms(split)))
    return re.search(f"(?:^|{_EDGE})(?:{words})(?:$|{_EDGE})", _value(name), re.IGNORECASE) is not None


def splits_in(name: str) -> list[str]:
    """Return which of the usual three one file's or folder's own name speaks of."""
    return list(_spoken(name.translate(_DIGITS))[0])


@lru_cache(4096)
def _spoken(name: str) -> tuple[tuple[str, ...], str]:
    """Return which of the usual three a name speaks of, and what is left without their words, edges in lower case.

    The digits of `name` are all 0: which they are does not matter, and so the names of many files are one here.
    """
    value = _value(name)
    if not any(root in value.lower() for root in _ROOTS):  # a million names may have to be looked at
        return (), ""
    words = {word.lower() for word in _EVERY.findall(value)}
    found = tuple(split for split, own in WORDS.items() if words.intersection(own))
    return found, " ".join(re.split(f"{_EDGE}+", _EVERY.sub("", value))).strip().lower()


def belongs(path: str, split: str) -> bool:
    """Tell whether the file at `path`, relative, is one of `split`, and of it alone."""
    if split.lower() in WHOLE:
        return False
    usual = next((name for name, words in WORDS.items() if split.lower() in words), None)
    for part in reversed(path.split("/")):
        found = splits_in(part)
        if usual is None and speaks_of(part, split):
            return True
        if found:
            return found == [usual]
    return False


def splits_of(paths: Iterable[str]) -> list[str]:
    """Return which of the usual three the files at `paths`, relative, belong to; last what names speak of at once."""
    found = {_deciding(path) for path in paths}
    single = [split for split in WORDS if (split,) in found]
    return single + [f"both {' and '.join(several)}" for several in sorted(found) if len(several) > 1]


def _deciding(path: str) -> tuple[str, ...]:
    parts = (_spoken(part.translate(_DIGITS))[0] for part in reversed(path.split("/")))
    return next((found for found in parts if found), ())


def left_out(path: str) -> str:
    """Say why a file or folder at `path`, relative, is left out where another split is read."""
    count = len(_deciding(path))
    return "of no split" if not count else "of another split" if count == 1 else "of several splits"


class Twins:
    """Names that differ by nothing but digits and the word of a split, gathered while a listing goes on.

    ``train_1`` and ``test_7`` do, and so do ``imgs_train`` and ``imgs_test``; ``train_station`` and ``test_tube`` do
    not. What is kept is bounded: of each split the first name, and of names that differ otherwise `_MOST`.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, ...], str]] = {}

    def add(self, path: str) -> None:
        """Look at a relative path without suffix; what decides is its last part that speaks of a split."""
        for part in reversed(path.split("/")):
            splits, rest = _spoken(part.translate(_DIGITS))
            if splits:
                if rest in self._found or len(self._found) < _MOST:
                    self._found.setdefault(rest, {}).setdefault(splits, path)
                return

    def first(self) -> list[str]:
        """Return names that differ by the word alone, one a split; none where there are no such names."""
        return next((list(names.values()) for names in self._found.values() if len(names) > 1), [])

    def have(self, name: str) -> bool:
        """Tell whether a name that was added differs from another by the word alone."""
        splits, rest = _spoken(name.translate(_DIGITS))
        return bool(splits) and len(self._found.get(rest, ())) > 1


def _value(part: str) -> str:
    """Return what of a name can speak of a split: of NAME=VALUE, a partition, only the value of ``split``."""
    name, equals, value = part.partition("=")
    return part if not equals else value if name == "split" else ""


def warning(split: str, place: str, names: Sequence[str], selected: bool) -> str | None:
    """Return what a person should know where names speak of splits and nothing selects by them.

    Parameters
    ----------
    split : the option
    place : name of the folder that the path leads to
    names : of the files that are read, below that folder
    selected : whether `split` chose among them
    """
    if selected or split.lower() == "all" or any(belongs(name, split) for name in names):
        return None
    spoken = splits_of(names)
    mixed = bool(spoken) and not all(map(_deciding, names))
    if len(spoken) > 1 or mixed:
        advice = f"none is of {split!r}" if split else "the option 'split' takes one of them"
        which = f"{'splits' if len(spoken) > 1 else 'split'} {', '.join(spoken)}{' and of no split' if mixed else ''}"
        return f"files of the {which} are taken together: {advice}"
    spoken = spoken or splits_of([place])
    if spoken and splits_in(split) and not set(splits_in(split)) & set(spoken):
        return f"split is {split!r}, but what path leads to speaks of {', '.join(spoken)}; it is taken as it is"
    return None

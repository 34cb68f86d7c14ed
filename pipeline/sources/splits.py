"""Which split the name of a file or folder speaks of, by the rules of the Hugging Face Hub.

A name speaks of a split where the split, or another word for it, stands in it between its ends, digits, dots, spaces,
dashes and underscores: ``train-00000-of-00004.parquet``, ``val_3.tar``, ``data/test/0.parquet``. The name of a file
goes before those of its folders, an inner folder before an outer one.
"""

import re
from collections.abc import Iterable, Sequence

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
_EDGE = r"[-._ 0-9]"


def synonyms(split: str) -> tuple[str, ...]:
    """Return the words for a split; its own name alone where it is none of the usual three."""
    return next((words for words in WORDS.values() if split.lower() in words), (split,))


def speaks_of(name: str, split: str) -> bool:
    """Tell whether one file's or folder's own name speaks of `split`."""
    words = "|".join(map(re.escape, synonyms(split)))
    return re.search(f"(?:^|{_EDGE})(?:{words})(?:$|{_EDGE})", _value(name), re.IGNORECASE) is not None


def splits_in(name: str) -> list[str]:
    """Return which of the usual three one file's or folder's own name speaks of."""
    return [split for split in WORDS if speaks_of(name, split)]


def belongs(path: str, split: str) -> bool:
    """Tell whether the file at `path`, relative, is one of `split`."""
    if split.lower() in ("", "all"):
        return False
    for part in reversed(path.split("/")):
        if speaks_of(part, split):
            return True
        if splits_in(part):
            return False
    return False


def splits_of(paths: Iterable[str]) -> list[str]:
    """Return which of the usual three the files at `paths`, relative, belong to."""
    found = {split for path in paths for split in _deciding(path)}
    return [split for split in WORDS if split in found]


def _deciding(path: str) -> list[str]:
    return next((found for part in reversed(path.split("/")) if (found := splits_in(part))), [])


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
    spoken = splits_of(names)
    if selected or split.lower() == "all":
        return None
    if len(spoken) > 1 and not any(belongs(name, split) for name in names):
        advice = f"none is of {split!r}" if split else "the option 'split' takes one of them"
        return f"files of the splits {', '.join(spoken)} are taken together: {advice}"
    spoken = spoken or splits_in(place)
    if spoken and splits_in(split) and not set(splits_in(split)) & set(spoken):
        return f"split is {split!r}, but what path leads to speaks of {', '.join(spoken)}; it is taken as it is"
    return None

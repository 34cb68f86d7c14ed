"""Class names in the metadata of Parquet files, as Hugging Face writes them: one list for all files."""

from collections.abc import Mapping, Sequence

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.documents import DocumentError, parsed
from passband.pipeline.sources.labels import checked_name
from passband.pipeline.sources.limits import plain, shown

Names = list[str] | None


def huggingface_names(metadata: Mapping[bytes, bytes] | None, column: str, file: str) -> Names:
    """Return the class names that the datasets library stores in the schema, if it did.

    Raises
    ------
    SourceError
        They are no names of classes, or the metadata is too large or nests too deep; names the `file`.
    """
    try:
        names = parsed((metadata or {}).get(b"huggingface", b"null"))["info"]["features"][column]["names"]
    except DocumentError as error:
        if error.is_huge:
            raise SourceError(f"source parquet: the metadata of {plain(file)} is {error}") from error
        return None
    except (KeyError, TypeError, IndexError):
        return None
    if not names or not isinstance(names, list):
        return None
    where = f"the metadata of {plain(file)}"
    for name in names:
        if not isinstance(name, str | int):
            raise SourceError(f"source parquet: {where} names a class {shown(name)}, which is no text")
    return [checked_name("parquet", str(name), where) for name in names]


def common_names(by_file: Mapping[str, Names], integers: Sequence[str], texts: Sequence[str]) -> Names:
    """Return the class names of the first file that has any.

    Parameters
    ----------
    by_file : file -> the class names in its metadata
    integers, texts : files whose labels are integers, and texts

    Raises
    ------
    SourceError
        Another file has other classes, or has integers but no names for them; names both files. Or there are no names,
        and some files have integers, others texts.
    """
    named = {file: names for file, names in by_file.items() if names is not None}
    if not named and integers and texts:
        raise _refusal(f"{integers[0]} has integers as labels, {texts[0]} has names")
    if not named:
        return None
    first, names = next(iter(named.items()))
    for file, others in by_file.items():
        if others is not None and others != names and sorted(others) != sorted(names):
            raise _refusal(f"{first} has the classes {_shown(names)}, {file} has {_shown(others)}")
        if others is None and file in integers:
            raise _refusal(f"{first} names its classes ({_shown(names)}), and {file} has integers without names")
    return names


def translation(names: Names, classes: Sequence[str], file: str) -> Names:
    """Return the names by which the integer labels of a file are looked up, or None where they are indices as such.

    Raises
    ------
    SourceError
        The file's own names and `classes` share some that stand at different places, and others they do not share.
    """
    if names is None:
        return None
    places = {name: place for place, name in enumerate(classes)}
    if all(places.get(name, at) == at for at, name in enumerate(names)):
        return None
    if not places.keys() >= set(names):
        raise _refusal(f"the classes are {_shown(classes)}, but the metadata of {plain(file)} has {_shown(names)}")
    return names


def _refusal(fault: str) -> SourceError:
    return SourceError(f"source parquet: {fault}; list the names that all files share in the option 'classes'")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(plain, names[:5])) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")

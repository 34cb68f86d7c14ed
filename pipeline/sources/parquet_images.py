"""The column of images of a Parquet file: encoded bytes in any of Arrow's forms, or the paths of image files."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passband.pipeline.imagefiles.oversize import MAX_IMAGE_BYTES, stand_in
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import plain, shown
from passband.pipeline.sources.local import is_path, refuse_pointer_content
from passband.pipeline.sources.regular import image_content

_EMBED = (
    "embed the images when the file is written: with the library datasets by push_to_hub(..., "
    "embed_external_files=True), or by with_format('arrow').map(datasets.table.embed_table_storage, batched=True) "
    "before to_parquet"
)


@dataclass(frozen=True)
class ImageColumn:
    """What of a column holds the images.

    Attributes
    ----------
    name : of the column
    encoded : path of the leaf with the bytes, or None
    named : path of the leaf with paths of files, or None
    """

    name: str
    encoded: str | None
    named: str | None

    @property
    def leaves(self) -> list[str]:
        """The leaves to read; the first is the one that is large."""
        return [leaf for leaf in (self.encoded, self.named) if leaf is not None]

    def content(self, value: Any, file: Path, where: str) -> bytes:
        """Return the encoded bytes of one row, empty for a null; `where` names the row in errors.

        Raises
        ------
        SourceError
            The row only names a file, and that is not beside the Parquet file `file`.
        """
        if isinstance(value, dict):
            value = value.get("path") if value.get("bytes") is None else value["bytes"]
        if isinstance(value, str):
            return _beside(value, file, where)
        return b"" if value is None else value if len(value) <= MAX_IMAGE_BYTES else stand_in(len(value))


def image_column(schema: Any, name: str) -> ImageColumn:
    """Find the images in the column `name` of an Arrow schema; raise SourceError if its type holds none."""
    kind = schema.field(name).type
    if _is_struct(kind):
        if len({field.name for field in kind.fields}) < kind.num_fields:
            raise SourceError(f"source parquet: column {shown(name)} is a struct with two fields of one name")
        fields = {field.name: field.type for field in kind.fields}
        encoded = f"{name}.bytes" if _is_bytes(fields.get("bytes")) else None
        named = f"{name}.path" if is_text(fields.get("path")) else None
    else:
        encoded, named = (name if _is_bytes(kind) else None), (name if is_text(kind) else None)
    if encoded is None and named is None:
        raise SourceError(
            f"source parquet: column {shown(name)} is {plain(str(kind))}, not bytes or a struct with a field "
            "'bytes', nor paths of files"
        )
    return ImageColumn(name, encoded, named)


def _beside(path: str, file: Path, where: str) -> bytes:
    """Return the content of the file that a row names, which must lie below the folder of the Parquet file."""
    why = _outside(path, file.parent)
    if why is None:
        try:
            content = image_content("parquet", file.parent / path, path)
        except SourceError as error:
            why = f"which cannot be read from beside the Parquet file ({_reason(error)})"
        else:
            refuse_pointer_content("parquet", content, path)
            return content
    raise SourceError(
        f"source parquet: {where} holds no image: its bytes are null and it names {shown(path)}, {why}; {_EMBED}"
    )


def _reason(error: SourceError) -> str:
    return getattr(error.__cause__, "strerror", None) or "it is no regular file"


def _outside(path: str, folder: Path) -> str | None:
    """Say why a path is not, or may not be, one of a file below `folder`; None where it is.

    A link may stand on the way to the folder, and below it may lead to what is below it too. One that leads out is
    refused, also where it may have been meant, as in the cache of Hugging Face: a row names what it likes.
    """
    why = "which does not lie below the folder of the Parquet file"
    if os.path.isabs(path) or not is_path(path):
        return why
    if os.pardir in path.split("/"):
        return f"{why}, or not surely: .. is refused, because after a link it leads elsewhere"
    real = os.path.realpath(folder)
    if os.path.commonpath([real, os.path.realpath(folder / path)]) != real:
        return f"{why}: a link leads out of that"
    return None


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind))


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    kind = value_type(kind)
    tests = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return kind is not None and any(test(kind) for test in tests)


def is_text(kind: Any) -> bool:
    """Whether values of an Arrow type, or those of its dictionary, are texts."""
    import pyarrow.types as types

    kind = value_type(kind)
    return kind is not None and any(t(kind) for t in (types.is_string, types.is_large_string, types.is_string_view))


def value_type(kind: Any) -> Any:
    """Return the type of the values of a dictionary, or any other type as it is."""
    import pyarrow.types as types

    return kind.value_type if kind is not None and types.is_dictionary(kind) else kind

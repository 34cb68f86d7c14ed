"""How the samples of a dataset are stored, a folder a format; DESIGN.md says how they reach the disk.

`FORMATS` is asked by all that plans, makes, verifies, describes or reads datasets. Importing it is cheap: what writes
and reads a format is imported when it is needed.
"""

from pathlib import Path
from typing import Any, NamedTuple

from passband.pipeline.formats.base import Export, Format
from passband.pipeline.formats.ffcv import Ffcv
from passband.pipeline.formats.webdataset import WebDataset
from passband.pipeline.records import Manifest

FORMATS: dict[str, Format] = {"webdataset": WebDataset(), "ffcv": Ffcv()}
PRIMARY = "webdataset"
"""Of every dataset; the others are packed from it."""


class Place(NamedTuple):
    """What the path of a stream means: the folder of a dataset, the name of a file in it or "", and its format."""

    folder: str
    name: str
    format: Format


def exports() -> list[Export]:
    """Return the formats that are packed from the shards."""
    return [form for form in FORMATS.values() if isinstance(form, Export)]


def place(path: str | Path) -> Place:
    """Return what a path or URI means, by what it ends in; nothing is looked at."""
    where = str(path).rstrip("/")
    folder, _, name = where.rpartition("/")
    for export in exports():
        if where.endswith(export.suffix):
            return Place(folder or ".", name, export)
    return Place(where, "", FORMATS[PRIMARY])


def packed_files(manifest: Manifest) -> dict[str, Any]:
    """Return the fields of a manifest that list the files of formats other than the primary."""
    return {"beton": manifest.beton, "exports": manifest.exports}

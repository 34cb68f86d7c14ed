"""Where labelled images come from; a new source is one file and one line here."""

from pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from pipeline.sources.digits import Digits
from pipeline.sources.imagefolder import ImageFolder
from pipeline.sources.mnist5k import Mnist5k

SOURCES: dict[str, type[Source]] = {
    "mnist5k": Mnist5k,
    "digits": Digits,
    "imagefolder": ImageFolder,
}

__all__ = ["SOURCES", "Entry", "Source", "SourceError", "SourceOptions"]

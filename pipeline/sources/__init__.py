"""Where labelled images come from; a new source is one file and one line here."""

from pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from pipeline.sources.cifar import Cifar10, Cifar100
from pipeline.sources.digits import Digits
from pipeline.sources.imagefolder import ImageFolder
from pipeline.sources.inverted import Inverted
from pipeline.sources.mnist5k import Mnist5k
from pipeline.sources.mnist_m import MnistM
from pipeline.sources.parquet import Parquet
from pipeline.sources.photos import Photos
from pipeline.sources.synth_digits import SynthDigits
from pipeline.sources.webdataset import WebDataset

SOURCES: dict[str, type[Source]] = {
    "mnist5k": Mnist5k,
    "digits": Digits,
    "photos": Photos,
    "mnist_m": MnistM,
    "synth_digits": SynthDigits,
    "inverted": Inverted,
    "imagefolder": ImageFolder,
    "cifar10": Cifar10,
    "cifar100": Cifar100,
    "webdataset": WebDataset,
    "parquet": Parquet,
}

__all__ = ["SOURCES", "Entry", "Source", "SourceError", "SourceOptions"]

"""Where labelled images come from; a new source is one file and one line here."""

from passband.pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from passband.pipeline.sources.cifar import Cifar10, Cifar100
from passband.pipeline.sources.cifar10c import Cifar10c, Cifar100c
from passband.pipeline.sources.digits import Digits
from passband.pipeline.sources.domains import Domains
from passband.pipeline.sources.imagefolder import ImageFolder
from passband.pipeline.sources.inverted import Inverted
from passband.pipeline.sources.mnist5k import Mnist5k
from passband.pipeline.sources.mnist_m import MnistM
from passband.pipeline.sources.parquet import Parquet
from passband.pipeline.sources.photos import Photos
from passband.pipeline.sources.synth_digits import SynthDigits
from passband.pipeline.sources.webdataset import WebDataset

SOURCES: dict[str, type[Source]] = {
    "mnist5k": Mnist5k,
    "digits": Digits,
    "photos": Photos,
    "mnist_m": MnistM,
    "synth_digits": SynthDigits,
    "inverted": Inverted,
    "imagefolder": ImageFolder,
    "domains": Domains,
    "cifar10": Cifar10,
    "cifar100": Cifar100,
    "cifar10c": Cifar10c,
    "cifar100c": Cifar100c,
    "webdataset": WebDataset,
    "parquet": Parquet,
}

__all__ = ["SOURCES", "Entry", "Source", "SourceError", "SourceOptions"]

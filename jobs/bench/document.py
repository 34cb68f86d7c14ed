"""What a benchmark of the stages came to: the document that is printed as JSON and that tables are made from."""

from typing import Any, Literal

from passband.pipeline.options import StrictModel

SCHEMA = 1


class Spread(StrictModel):
    """Quartiles of the rounds."""

    first: float
    median: float
    third: float


class DeviceFacts(StrictModel):
    """Where it was measured.

    Attributes
    ----------
    name : of the GPU, or of the processor
    processor, cpus : of the host, and how many of its CPUs may be used
    threads : that the kernels use; null on a GPU
    load : of the host in the minute before, by whatever else it did
    """

    backend: Literal["cpu", "cuda"]
    name: str
    processor: str
    cpus: int
    threads: int | None
    load: float | None


class CopyFacts(StrictModel):
    """The measured bandwidth of a copy within the device's memory, read and write counted."""

    bytes: int
    bytes_per_s: Spread


class EnergyFacts(StrictModel):
    """What read the energy, or why nothing did."""

    meter: str | None
    covers: str | None
    reason: str | None


class Row(StrictModel):
    """One case.

    Attributes
    ----------
    least_bytes_per_image : each value of the image read once and written once, as `pixels` of the settings
    shard_bytes_per_image : the same of 8-bit values, the least of the way from stored to stored pixels
    bytes_per_s : the least bytes, over the median time
    share_of_copy : that, as part of the measured copy bandwidth; above 1 where a batch stays in the cache
    peak_bytes : most memory held during a run, beside the images that it is given
    cost_per_million_images : in the currency of the price
    error : why there are no figures
    """

    name: str
    stage: str
    options: dict[str, Any]
    size: int
    batch: int
    rounds: int
    least_bytes_per_image: int
    shard_bytes_per_image: int
    seconds: Spread | None = None
    images_per_s: Spread | None = None
    bytes_per_s: float | None = None
    share_of_copy: float | None = None
    peak_bytes: int | None = None
    joules_per_image: float | None = None
    cost_per_million_images: float | None = None
    error: str | None = None


class Settings(StrictModel):
    """How it was measured."""

    rounds: int
    warmup: int
    pixels: Literal["float32", "uint8"]
    price_per_hour: float | None
    surrogate: str


class Document(StrictModel):
    """Everything; ``complete`` is false where it was stopped before the last round."""

    schema_version: int = SCHEMA
    kind: Literal["bench augment"] = "bench augment"
    date: str
    complete: bool
    device: DeviceFacts
    versions: dict[str, str]
    settings: Settings
    copy_bandwidth: CopyFacts | None
    energy: EnergyFacts
    rows: list[Row]

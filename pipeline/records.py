"""The models of a dataset's JSON: what a record says of a shard, and the manifest of the whole."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from passband.pipeline.options import StrictModel

FORMAT = 1


class StoredFile(StrictModel):
    """A file of the dataset by name, with what it must be."""

    name: str
    bytes: int
    sha256: str


class StoredInput(StoredFile):
    """A file beside the images that stages read, kept with the dataset.

    Attributes
    ----------
    reference : what names it in the job: its path, or for a computed map what it was computed from
    """

    reference: str


class BadSample(StrictModel):
    """A source image that could not be read: it left a gap in its shard."""

    index: int
    key: str
    reason: str


class ShardRecord(StrictModel):
    """What is known of a finished shard.

    Attributes
    ----------
    stage_seconds : dict
        Busy seconds of each step of the build: read, decode, every stage, encode, write.
    environment : str
        sha256 of the environment, which must be that of the dataset.
    processor : str
        Model name of the CPU that built it.
    device : str or None
        Model name of the GPU whose kernels did.
    notes : list of str
        What happened on the way that changed no byte, such as a batch that the device had no memory for.
    digest : str or None
        Of all the rest (`pipeline.seals`); None in what was made before there were digests.
    """

    format: int = FORMAT
    identity: str
    environment: str
    shard: int
    tar: StoredFile
    provenance: StoredFile
    samples: int
    group_counts: dict[str, int]
    class_counts: dict[str, int]
    bad: list[BadSample]
    stage_seconds: dict[str, float]
    seconds: float
    finished: float
    attempts: int
    worker: str
    processor: str
    device: str | None = None
    notes: list[str] = []
    digest: str | None = None


class ViewEntry(StrictModel):
    """A stored view: its number, name, recipe, and the field of its member in the shards."""

    number: int
    name: str
    field: str
    dtype: str
    recipe: list[dict[str, Any]]


class PackedFile(StoredFile):
    """A file into which a format packs all samples, with a sha256 for every block: a reader checks what it touches."""

    block_bytes: int
    blocks: list[str]


class ManifestShard(StrictModel):
    """One shard as the manifest lists it."""

    shard: int
    tar: StoredFile
    provenance: StoredFile
    record: StoredFile
    samples: int


class Manifest(StrictModel):
    """All of a finished dataset.

    Attributes
    ----------
    beton : PackedFile or None
        The FFCV file.
    exports : format -> PackedFile
        The files of all other formats; the key is left out where there are none.
    digest : str or None
        Of all the rest (`pipeline.seals`); None in what was made before there were digests.
    """

    format: int = FORMAT
    name: str
    identity: str
    environment: dict[str, str]
    shape: list[int]
    encoding: str
    classes: list[str]
    domains: list[str]
    views: list[ViewEntry]
    samples: int
    group_counts: dict[str, int]
    class_counts: dict[str, int]
    bad: list[BadSample]
    shards: list[ManifestShard]
    inputs: list[StoredInput] = []
    beton: PackedFile | None = None
    exports: dict[str, PackedFile] = {}
    digest: str | None = None

    @model_serializer(mode="wrap")
    def _without_empty_exports(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = serialize(self)
        if not self.exports:
            written.pop("exports", None)
        return written

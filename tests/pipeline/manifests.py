"""A small manifest that is sound, for tests that change it."""

import hashlib

from passband.pipeline.layout import provenance_name, record_name, shard_name
from passband.pipeline.records import BadSample, Manifest, ManifestShard, PackedFile, StoredFile, StoredInput, ViewEntry


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stored(name: str) -> StoredFile:
    return StoredFile(name=name, bytes=2048, sha256=sha256(name))


def shard(number: int, samples: int, dataset: str = "set") -> ManifestShard:
    return ManifestShard(
        shard=number,
        tar=stored(shard_name(dataset, number)),
        provenance=stored(provenance_name(number)),
        record=stored(record_name(number)),
        samples=samples,
    )


def manifest(**changes) -> Manifest:
    """Three shards of 10, 8 and 3 samples of two classes, one image left out; `changes` replace fields."""
    views = [("clean", "clean.png"), ("low", "view1.png"), ("prime", "view2.png")]
    made = Manifest(
        name="set",
        identity=sha256("identity"),
        environment={"numpy": "2"},
        shape=[3, 16, 12],
        encoding="png",
        classes=["cat", "dog"],
        domains=["a", "b"],
        views=[
            ViewEntry(number=number, name=name, field=field, dtype="uint8", recipe=[])
            for number, (name, field) in enumerate(views)
        ],
        samples=21,
        group_counts={"0": 20, "1": 1},
        class_counts={"0": 11, "1": 10},
        bad=[BadSample(index=4, key="k", reason="truncated")],
        shards=[shard(0, 10), shard(1, 8), shard(2, 3)],
        inputs=[StoredInput(name="inputs/a.png", bytes=3, sha256=sha256("a"), reference="a.png")],
        beton=PackedFile(
            name="set.beton", bytes=25, sha256=sha256("b"), block_bytes=10, blocks=[sha256(f"{n}") for n in range(3)]
        ),
    )
    return made.model_copy(update=changes)

"""Whatever is changed in a manifest is refused by everything that opens it, or named by ``verify``."""

import hashlib
import json
import re
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from passband.jobs.generation.run import generate
from passband.jobs.generation.verify import verify
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest, write_manifest
from passband.pipeline.seals import own_digest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import forge, small_job
from tests.jobs.generation.mutations import mutations
from tests.pipeline.sources.files import write_folder

OPENED_BY = re.compile(
    r"samples|shape|encoding|(group|class)_counts.*|classes"
    r"|views|views\.\d+|views\.\d+\.(number|field|dtype)"
    r"|shards|shards\.\d+|shards\.\d+\.(shard|samples|tar|provenance|record)|shards\.\d+\.(tar|record)\.name"
    r"|shards\.\d+\.provenance\..*|beton\.(block_bytes|blocks|blocks\.0|name|bytes)"
)
"""What a reader finds by itself, when it opens a dataset whose digests were made to fit."""

UNSEEN = {("classes", "swap"), ("beton.blocks", "swap")}
"""Of these what a reader cannot know, or need not read."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Eleven images of three classes in three shards, one image that is none, and an FFCV file."""
    folder = write_folder(tmp_path_factory.mktemp("images") / "images", classes=("cat", "dog", "eel"), count=4)
    sorted(folder.rglob("*.PNG"))[0].write_bytes(b"")
    out = tmp_path_factory.mktemp("made") / "out"
    output = {"formats": ["webdataset", "ffcv"], "samples_per_shard": 4}
    generate(small_job(out, source={"kind": "imagefolder", "path": str(folder)}, output=output, bad_images=1))
    store = LocalStore(out)
    beton = hash_blocks(out / "small.beton", "small.beton", 1 << 20)  # as if it were a file of many blocks
    manifest = write_manifest(store, read_manifest(store).model_copy(update={"beton": beton}))
    assert len(beton.blocks) > 2
    assert (len(manifest.shards), manifest.samples, len(manifest.bad), len(manifest.classes)) == (3, 11, 1, 3)
    return out


@pytest.fixture
def out(made, tmp_path):
    return shutil.copytree(made, tmp_path / "out")


def document(out):
    return json.loads((out / "manifest.json").read_text())


def opened(out):
    """Open both forms of a dataset and read all of it."""
    for path in (out, out / "small.beton"):
        with open_stream(path, batch_size=4, drop_last=False, shuffle=False, workers=1) as stream:
            yield from (batch.labels.tolist() for batch in stream)


def test_no_change_of_the_manifest_passes_while_the_file_beside_it_is_as_it_was(out):
    """Flips of every character, numbers, entries dropped, doubled, swapped: alone, and with a digest that fits."""
    original, store, tried = document(out), LocalStore(out), Counter()
    for mutation in mutations(original, every_character=True):
        assert mutation.document != original
        for inside in (False, True):
            if inside and mutation.path == "digest":
                continue  # made to fit, it is as it was
            forge(out, mutation.document, inside=inside)
            with pytest.raises(IntegrityError):
                read_manifest(store)
            tried[mutation.kind] += 1
    assert set(tried) == {
        "flip", "longer", "shorter", "number", "text", "drop", "drop one", "double one", "swap", "one more", "other",
    }  # fmt: skip
    assert tried["flip"] > 2000
    assert sum(tried.values()) > 2800


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256"])
def test_a_flipped_bit_of_either_file_is_refused_or_changes_nothing(out, name):
    """A bit of the white space between two values may be another white space."""
    store, content = LocalStore(out), (out / name).read_bytes()
    original, refused, same = read_manifest(store), 0, 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        (out / name).write_bytes(changed)
        try:
            assert read_manifest(store) == original
            same += 1
        except IntegrityError:
            refused += 1
    assert refused + same == len(content)
    assert refused > 0.7 * len(content)


def test_what_is_cut_off_either_file_is_missed(out):
    store = LocalStore(out)
    for name in ("manifest.json", "manifest.sha256"):
        content = (out / name).read_bytes()
        for size in range(0, len(content) - 1, 7):
            (out / name).write_bytes(content[:size])
            with pytest.raises(IntegrityError):
                read_manifest(store)
        (out / name).write_bytes(content)
    read_manifest(store)


@pytest.mark.slow
def test_where_all_digests_were_made_to_fit_readers_refuse_what_cannot_be_and_verify_names_the_rest(out):
    store, found = LocalStore(out), Counter()
    original = read_manifest(store)
    for mutation in mutations(document(out), every_character=False):
        if mutation.path == "digest":
            continue  # made to fit, it is as it was
        forge(out, mutation.document, inside=True, beside=True)
        try:
            list(opened(out))
        except PassbandError:
            found["refused"] += 1
            continue
        if read_manifest(store) == original.model_copy(update={"digest": read_manifest(store).digest}):
            found["says the same"] += 1  # without an entry that says what it says by itself
            continue
        found["named by verify"] += 1
        assert not OPENED_BY.fullmatch(mutation.path) or mutation[:2] in UNSEEN, mutation[:2]
        assert list(verify(store)), mutation[:2]
    assert found["refused"] > 300
    assert found["named by verify"] > 50
    assert found["says the same"] == 2


def forged_provenance(out, change):
    """Rewrite the provenance of the second shard, and let record and manifest agree with it."""
    manifest = document(out)
    entry = manifest["shards"][1]["provenance"]
    table = change(pq.read_table(out / entry["name"]))
    pq.write_table(table, out / entry["name"])
    content = (out / entry["name"]).read_bytes()
    manifest["shards"][1]["provenance"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    forge(out, manifest, inside=True, beside=True)


def with_values(table, name, change):
    place = table.schema.get_field_index(name)
    field = table.schema.field(place)
    return table.set_column(place, field, pa.array(change(table[name].to_pylist()), field.type))


FORGED = {
    "reversed": ("index", lambda values: values[::-1], "indices must ascend"),
    "another's index": ("index", lambda values: [0, *values[1:]], "indices must ascend"),
    "an index twice": ("index", lambda values: [values[1], *values[1:]], "indices must ascend"),
    "a label": ("label", lambda values: [(value + 1) % 3 for value in values], "labels are not those that class_co"),
    "a label that is none": ("label", lambda values: [99, *values[1:]], "labels are not those"),
    "a label below zero": ("label", lambda values: [-1, *values[1:]], "labels are not those"),
    "a group": ("group", lambda values: [1, *values[1:]], "groups are not those that group_counts"),
}


@pytest.mark.parametrize(("column", "change", "message"), FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("hashes", [True, False])
def test_samples_that_the_manifest_does_not_count_are_refused(out, column, change, message, hashes):
    forged_provenance(out, lambda table: with_values(table, column, change))
    with pytest.raises(IntegrityError, match=message):
        open_stream(out, batch_size=4, verify=hashes)


def test_a_digest_that_fits_is_what_forging_makes(out):
    forge(out, document(out), inside=True, beside=True)
    assert document(out)["digest"] == own_digest(document(out))
    assert len(list(opened(out))) == 6

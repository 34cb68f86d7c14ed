"""What cannot be true of a dataset is refused, whatever its digests say."""

import re

import pytest

from passband.pipeline.encodings.codec import ENCODINGS
from passband.pipeline.records import BadSample
from passband.pipeline.soundness import ENCODINGS as NAMES
from passband.pipeline.soundness import unsound
from tests.pipeline.manifests import manifest, sha256, shard

SOUND = manifest()


def views(*changes):
    return [view.model_copy(update=change) for view, change in zip(SOUND.views, changes, strict=True)]


def beton(**changes):
    return {"beton": SOUND.beton.model_copy(update=changes)}


def renamed(key, name):
    file = getattr(SOUND.shards[1], key)
    other = SOUND.shards[1].model_copy(update={key: file.model_copy(update={"name": name})})
    return {"shards": [SOUND.shards[0], other, SOUND.shards[2]]}


def first_tar(**changes):
    file = SOUND.shards[0].tar.model_copy(update=changes)
    return {"shards": [SOUND.shards[0].model_copy(update={"tar": file}), *SOUND.shards[1:]]}


def bad(*indices):
    return {"bad": [BadSample(index=index, key="k", reason="r") for index in indices]}


UNSOUND = {
    "no view": ({"views": []}, "do not begin with clean"),
    "clean is not first": ({"views": views({"name": "low"}, {"name": "clean"}, {})}, "do not begin with clean"),
    "a name twice": ({"views": views({}, {"name": "prime"}, {})}, "views holds 'prime' 2 times"),
    "a number": ({"views": views({}, {"number": 2}, {})}, r"views\[1\] has number 2"),
    "a field": ({"views": views({}, {"field": "view2.png"}, {})}, "the fields of the views are clean.png, view2.png"),
    "swapped fields": ({"views": views({}, {"field": "view2.png"}, {"field": "view1.png"})}, "fields of the views"),
    "swapped views": ({"views": [SOUND.views[0], SOUND.views[2], SOUND.views[1]]}, r"views\[1\] has number 2"),
    "a dropped view": ({"views": [SOUND.views[0], SOUND.views[2]]}, r"views\[1\] has number 2"),
    "a field by number and one by name": ({"views": views({}, {"field": "low.png"}, {})}, "fields of the views"),
    "a dtype": ({"views": views({}, {"dtype": "uint9"}, {})}, r"views\[1\] has dtype 'uint9'"),
    "a float16 view in FFCV": ({"views": views({}, {"dtype": "float16", "field": "view1.npy"}, {})}, "uint8 alone"),
    "an encoding": ({"encoding": "pnG"}, "encoding is 'pnG'"),
    "another encoding": ({"encoding": "webp"}, "fields of the views"),
    "a shape": ({"shape": [3, 16]}, r"shape is \[3, 16\]"),
    "no pixels": ({"shape": [3, 16, 0]}, "shape is"),
    "four channels": ({"shape": [4, 16, 12]}, "shape is"),
    "an identity": ({"identity": "0"}, "identity '0' is no sha256"),
    "samples": ({"samples": 22}, "samples is 22, those of the shards add up to 21"),
    "samples of a shard": ({"shards": [shard(0, 11), *SOUND.shards[1:]]}, "add up to 22"),
    "samples below zero": ({"shards": [shard(0, 22), shard(1, 2), shard(2, -3)]}, r"shards\[2\] has -3 samples"),
    "a group": ({"group_counts": {"0": 20}}, "group_counts add up to 20"),
    "a group below zero": ({"group_counts": {"0": 22, "1": -1}}, "group_counts holds '1': -1"),
    "a group that is no number": ({"group_counts": {"0": 20, "x": 1}}, "group_counts holds 'x'"),
    "a group of many digits": ({"group_counts": {"0": 20, "1" * 5000: 1}}, "group_counts holds '111"),
    "a class": ({"class_counts": {"0": 11, "1": 11}}, "class_counts add up to 22"),
    "a class that is none": ({"class_counts": {"0": 11, "2": 10}}, "class_counts holds class 2"),
    "a dropped class": ({"classes": ["cat"]}, "class_counts holds class 1, but there are 1 classes"),
    "a doubled class": ({"classes": ["cat", "dog", "dog"]}, "classes holds 'dog' 2 times"),
    "a doubled domain": ({"domains": ["a", "a"]}, "domains holds 'a' 2 times"),
    "a shard's number": ({"shards": [shard(0, 10), shard(3, 8), shard(2, 3)]}, r"shards\[1\] has number 3"),
    "swapped shards": ({"shards": [SOUND.shards[1], SOUND.shards[0], SOUND.shards[2]]}, r"shards\[0\] has number 1"),
    "a dropped shard": ({"shards": [SOUND.shards[0], SOUND.shards[2]], "samples": 13}, r"shards\[1\] has number 2"),
    "a doubled shard": ({"shards": [*SOUND.shards, SOUND.shards[2]], "samples": 24}, r"shards\[3\] has number 2"),
    "another dataset's name": ({"name": "sat"}, r"shards\[0\] names shards/set-000000.tar.*sat-000000.tar"),
    "another shard's tar": (renamed("tar", "shards/set-000000.tar"), r"shards\[1\] names"),
    "another shard's provenance": (renamed("provenance", "records/000000.parquet"), r"shards\[1\] names"),
    "another shard's record": (renamed("record", "records/000000.json"), r"shards\[1\] names"),
    "a sha256": (first_tar(sha256=sha256("x")[1:]), "set-000000.tar cannot have 2048 bytes and sha256"),
    "a sha256 in capitals": (first_tar(sha256=sha256("x").upper()), "set-000000.tar cannot have"),
    "bytes below zero": (first_tar(bytes=-1), "set-000000.tar cannot have -1 bytes"),
    "bad, doubled": (bad(4, 4), "bad lists samples that are not ascending"),
    "bad, unsorted": (bad(4, 2), "bad lists samples"),
    "bad, below zero": (bad(-1), "bad lists samples"),
    "bad, beyond the plan": (bad(22), "bad lists samples that are not ascending, or none of the 22"),
    "an input elsewhere": (
        {"inputs": [SOUND.inputs[0].model_copy(update={"name": "../a"})]}, "does not lie in inputs/",
    ),
    "a doubled input": ({"inputs": [*SOUND.inputs, *SOUND.inputs]}, "inputs holds 'inputs/a.png' 2 times"),
    "blocks of no size": (beton(block_bytes=0), "beton.block_bytes is 0"),
    "blocks of less than no size": (beton(block_bytes=-1), "beton.block_bytes is -1"),
    "smaller blocks": (beton(block_bytes=5), "beton lists 3 blocks of 5 bytes, but has 25 bytes"),
    "a dropped block": (beton(blocks=SOUND.beton.blocks[:2]), "beton lists 2 blocks"),
    "a doubled block": (beton(blocks=[*SOUND.beton.blocks, "0" * 64]), "beton lists 4 blocks"),
    "a hash of a block": (beton(blocks=[*SOUND.beton.blocks[:2], "g" * 64]), r"beton.blocks\[2\] is no sha256"),
    "another beton": (beton(name="other.beton"), "called 'other.beton', by the dataset's name it is set.beton"),
    "a beton's sha256": (beton(sha256=""), "set.beton cannot have 25 bytes and sha256 ''"),
}  # fmt: skip


def test_what_is_sound_is_sound():
    assert list(unsound(SOUND)) == []
    assert list(unsound(manifest(beton=None, bad=[], inputs=[], domains=[]))) == []


@pytest.mark.parametrize(("changes", "message"), UNSOUND.values(), ids=UNSOUND.keys())
def test_what_cannot_be_true_is_said(changes, message):
    problems = list(unsound(SOUND.model_copy(update=changes)))
    assert any(re.search(message, problem) for problem in problems)


@pytest.mark.parametrize(
    ("encoding", "fields"),
    [
        ("png", ["clean.png", "view1.png", "view2.npy"]),
        ("jpeg", ["clean.jpg", "view1.jpg", "view2.npy"]),
        ("npy", ["views.npy", "views.npy", "view2.npy"]),
        ("webp", ["clean.webp", "low.webp", "prime.npy"]),
        ("npy", ["views.npy", "views.npy", "prime.npy"]),
    ],
)
def test_members_are_called_after_numbers_or_names(encoding, fields):
    changed = views(*({"field": field} for field in fields))
    changed[2] = changed[2].model_copy(update={"dtype": "float16"})
    assert list(unsound(manifest(views=changed, encoding=encoding, beton=None))) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["clean.png", "low.png", "prune.png"], "clean.png, low.png, prime.png"),
        (["clean.png", "view1.png", "view3.png"], "clean.png, view1.png, view2.png"),
    ],
)
def test_a_wrong_member_is_told_by_the_spelling_that_is_nearer(fields, expected):
    (problem,) = unsound(manifest(views=views(*({"field": field} for field in fields))))
    assert problem == f"the fields of the views are {', '.join(fields)}, where {expected} follow from the views"


def test_every_encoding_is_known():
    assert set(NAMES) == set(ENCODINGS)

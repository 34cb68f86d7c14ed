"""One sample of a dataset: found by what names it, and told of in words."""

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.drawn import drawn_words
from passband.jobs.generation.inspect import Wanted, find_sample
from passband.jobs.generation.run import generate
from passband.pipeline.errors import PassbandError
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job
from tests.pipeline.sources.files import png, write_parquet, write_tar

KEYS = ("1", "2", "0", "70", "x", "4", "3", "5")
"""Most are also the index of a sample, wherever the plan puts them."""
VIEWS = [
    "clean",
    {"prime": {"preset": "cifar"}, "copies": 2},
    [{"radial": {"high": 6}}, {"augmix": {"severity": 8}}],
    {"corrupt": {"types": ["gaussian_noise", "contrast"], "severity": {"poisson": 2}}, "name": "worse"},
    {"radial": {"high": 4}, "name": "low"},
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("inspect")
    write_parquet(root / "rows.parquet", count=len(KEYS), id=list(KEYS))
    source = {"kind": "parquet", "path": str(root / "rows.parquet"), "key": "id"}
    generate(small_job(root / "out", source=source, views=["clean", "phase_only"], output={"samples_per_shard": 2}))
    return root / "out"


def index_of(dataset, wanted):
    store = LocalStore(dataset)
    return find_sample(store, read_manifest(store), wanted)[1]["index"]


@pytest.fixture(scope="module")
def keyed(dataset):
    """The keys as the dataset has them, in the order of its indices."""
    tables = [pq.read_table(path, columns=["index", "key"]) for path in sorted(dataset.glob("records/*.parquet"))]
    return {row["index"]: row["key"] for table in tables for row in table.to_pylist()}


def test_every_sample_is_found_by_its_key_and_by_its_index(dataset, keyed):
    for index, key in keyed.items():
        assert index_of(dataset, Wanted(key=key)) == index
        assert index_of(dataset, Wanted(index=index)) == index


def test_a_word_that_is_key_and_index_of_two_samples_is_refused_with_how_to_choose(dataset, keyed):
    ambiguous = [key for index, key in keyed.items() if key.isdecimal() and int(key) in keyed and int(key) != index]
    assert len(ambiguous) >= 3
    for word in ambiguous:
        (of_key,) = [index for index, key in keyed.items() if key == word]
        message = (
            f"{word} is the key of sample {of_key} and the index of the sample with key {keyed[int(word)]!r}; "
            f"choose with --key {word} or --index {word}"
        )
        with pytest.raises(PassbandError, match=re.escape(message)) as error:
            index_of(dataset, Wanted(either=word))
        assert "\n" not in str(error.value)


def test_a_word_that_names_one_sample_finds_it(dataset, keyed):
    for index, key in keyed.items():
        for word in (key, str(index)):
            named = {i for i, k in keyed.items() if k == word or str(i) == word}
            if len(named) == 1:
                assert index_of(dataset, Wanted(either=word)) in named


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--key", "99"], "has no sample with key '99'"),
        (["--index", 99], "has no sample with index 99"),
        (["--index", -1], "has no sample with index -1"),
        (["--sample", "99"], "has no sample with key or index '99'"),
        (["--sample", "2", "--index", 2], "--sample, --key and --index each name one sample; give one of them"),
    ],
)
def test_what_names_no_sample_is_told_in_one_line(passband, dataset, options, message):
    status, out, err = passband("inspect", dataset, *options)
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_sample_that_was_left_out_is_told_of(tmp_path):
    write_tar(tmp_path / "s.tar", [("a.cls", b"0"), ("a.png", b"no image"), ("b.cls", b"0"), ("b.png", png(1, 16, 16))])
    job = {"source": {"kind": "webdataset", "path": str(tmp_path / "s.tar")}, "bad_images": 1, "views": ["clean"]}
    generate(small_job(tmp_path / "out", **job))
    with pytest.raises(PassbandError, match=r"has no sample with index 0: \S*a could not be read"):
        index_of(tmp_path / "out", Wanted(index=0))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Datasets of digits with a view of every stage that draws, one of them in the base; and their rows."""
    out = tmp_path_factory.mktemp("drawn") / "out"
    base = [{"corrupt": {"types": ["fog"], "severity": 2}}]
    generate(parse_job(small_job(out).model_dump(mode="json") | {"views": VIEWS, "base": base}))
    store = LocalStore(out)
    manifest = read_manifest(store)
    tables = [pq.read_table(store.path(shard.provenance.name)) for shard in manifest.shards]
    return out, manifest, [row for table in tables for row in table.to_pylist()]


def test_what_was_drawn_is_said_in_words(drawn):
    _, manifest, rows = drawn
    severities = set()
    for row in rows:
        words = drawn_words(manifest, row)
        assert list(words) == ["base", "prime-1", "prime-2", "radial-augmix", "worse", "low"]
        assert words["base"] == ["corrupt makes fog of severity 2"]
        (prime,) = words["prime-1"]
        shares = [int(share) for share in re.findall(r"(\d+)% of", prime)]
        assert np.allclose(shares, 100 * np.array(row["view1.0.prime.weights"]), atol=0.51)
        steps = re.findall(r"(?:spectral|color|spatial) \((?:sigma|temperature) [\d.e-]+\)", prime)
        assert len(steps) == sum(kind > 0 for kind in row["view1.0.prime.primitives"])
        low, augmix = words["radial-augmix"]
        assert low == "low-pass: spatial frequencies below 6 bins; clipped to [0, 1] (nothing is drawn)"
        assert augmix.startswith("augmix mixes ")
        assert augmix.count("% of ") == 4
        severity = row["view4.0.corrupt.severity"]
        severities.add(severity)
        assert f"severity {severity}" in words["worse"][0]
    assert len(severities) > 3


def test_each_step_of_a_chain_is_said_with_its_own_numbers(drawn):
    _, manifest, _ = drawn
    row = {
        "view1.0.prime.share": 0.75, "view1.0.prime.weights": [0.25, 0.5, 0.25, 0.0],
        "view1.0.prime.primitives": [2, 3, 0, 1, 0, 0, 0, 0, 0], "view1.0.prime.strengths": [0.1, 0.05] + [2.5] * 7,
        "view3.1.augmix.weights": [0.5, 0.5], "view3.1.augmix.operations": [5, 3, 8],
        "view3.1.augmix.magnitudes": [-12.25, 3.0, float("nan")],
        "view4.0.corrupt.type": 0, "view4.0.corrupt.severity": 3,
    }  # fmt: skip
    words = drawn_words(manifest, row)
    assert words["prime-1"] == [
        "prime mixes 25% of the clean image, 50% of spatial (temperature 0.0100) then color (sigma 0.0500), "
        "25% of spectral (sigma 2.50), 0% of the image unchanged"
    ]
    assert words["radial-augmix"][1] == (
        "augmix mixes 50% of the clean image, 50% of rotate by -12.2 degrees then translate_x by 3 pixels then "
        "autocontrast"
    )
    assert words["worse"] == ["corrupt makes gaussian noise of severity 3"]


def test_what_another_version_recorded_is_said_by_name(drawn):
    _, manifest, _ = drawn
    words = drawn_words(manifest, {"view1.0.prime.depths": [1, 2], "view1.0.prime.p": 0.25})
    assert words["prime-1"] == ["prime: depths [1, 2], p 0.250"]


def test_sada_is_said(drawn):
    _, manifest, _ = drawn
    row = {f"base.0.sada.{key}": value for key, value in
           {"steps": 3, "changed": True, "loss_before": 0.5, "loss_after": 2.0, "distance": 1.25}.items()}  # fmt: skip
    assert drawn_words(manifest, row)["base"] == [
        "sada takes 3 steps and changes the prediction: loss from 0.500 to 2.00, distance 1.25"
    ]


def test_the_command_says_it(passband, drawn):
    out, _, rows = drawn
    status, said, _ = passband("inspect", out, "--index", 7)
    assert status == 0
    assert "prime mixes" in said
    assert "view1.0.prime" not in said
    assert f"class: '{rows[7]['label']}'" in said
    found = json.loads(passband("inspect", out, "--index", 7, "--json")[1])
    assert found["drawn"]["base"] == ["corrupt makes fog of severity 2"]
    assert found["view1.0.prime.weights"] == rows[7]["view1.0.prime.weights"]
    assert found["prime-1.png.size"] == rows[7]["prime-1.png.size"]

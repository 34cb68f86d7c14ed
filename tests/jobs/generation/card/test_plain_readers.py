"""The libraries that people have read a dataset by its folder alone, and see our pixels and labels."""

import gc
import json

import numpy as np
import pytest

from passband.pipeline.formats.webdataset.decode import read_shard

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
VIEWS = ["clean", {"prime": {"preset": "cifar"}, "copies": 2}, {"radial": {"high": 4}, "name": "low"}]
FLOAT = [*VIEWS, {"radial": {"low": 4, "range": "float"}, "name": "high"}]


@pytest.fixture(scope="module", params=["png", "jpeg", "npy"])
def dataset(make, request):
    return made(make, request.param)


def made(make, encoding, views=FLOAT, **output):
    return make(
        drawn=False,
        source={"kind": "digits", "split": "test"},
        image={"size": 16},
        views=views,
        output={"encoding": encoding, "samples_per_shard": 100, "cls": encoding != "jpeg", **output},
    )


def ours(dataset):
    shards = dataset.manifest.shards
    return [sample for shard in shards for sample in read_shard(dataset.store, dataset.manifest, shard)]


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Let `datasets` keep to this test's folder and off the network."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    datasets.disable_progress_bars()
    return str(tmp_path / "cache")


def test_datasets_loads_the_images_and_labels_of_the_folder(dataset, offline):
    import datasets

    loaded = datasets.load_dataset(str(dataset.store.root), cache_dir=offline)
    assert list(loaded) == ["train"]
    rows, expected = loaded["train"], ours(dataset)
    assert rows.num_rows == len(expected) == 355
    assert ("cls" in rows.column_names) == (dataset.manifest.encoding != "jpeg")
    for row, sample in zip(rows, expected, strict=True):
        assert row["json"]["label"] == row.get("cls", sample.label) == sample.label
        assert row["json"]["key"] == sample.key
        for view, pixels in zip(dataset.manifest.views, sample.views, strict=True):
            found = row["views.npy"][view.number] if view.field == "views.npy" else row[view.field]
            np.testing.assert_array_equal(np.asarray(found).astype(pixels.dtype), pixels)


@pytest.mark.parametrize(
    ("encoding", "cls"),
    [
        ("png", True),
        ("webp", False),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [("png", False), ("webp", True), ("jpeg", True), ("jpeg", False)]
        ),
    ],
)
def test_timm_reads_a_view_and_its_labels(make, encoding, cls):
    from timm.data import create_dataset

    dataset = made(make, encoding, VIEWS, cls=cls)
    expected = ours(dataset)
    for view in dataset.manifest.views:
        read = create_dataset("wds/set", root=str(dataset.store.root), split="train", input_key=f"{view.field};jpg")
        pairs = list(read)
        assert len(read) == len(pairs) == len(expected)
        for (image, label), sample in zip(pairs, expected, strict=True):
            assert label == sample.label
            np.testing.assert_array_equal(np.asarray(image), sample.views[view.number])
    gc.collect()  # webdataset leaves its files to the collector, which complains: here, not in another test


def test_what_timm_is_told_adds_up(dataset):
    info = json.loads(dataset.text("_info.json"))
    (split,) = info["splits"].values()
    assert sum(split["shard_lengths"]) == split["num_samples"] == dataset.manifest.samples
    assert [dataset.store.exists(name) for name in split["filenames"]] == [True] * 4


def test_plain_webdataset_reads_the_labels(make):
    import webdataset

    dataset = made(make, "png", VIEWS)
    urls = [str(dataset.store.path(shard.tar.name)) for shard in dataset.manifest.shards]
    read = webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8").to_tuple("prime-2.png", "cls")
    pairs = list(read)
    gc.collect()
    for (pixels, label), sample in zip(pairs, ours(dataset), strict=True):
        assert label == sample.label
        np.testing.assert_array_equal(pixels, sample.views[2])

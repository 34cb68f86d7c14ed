"""The stock libraries read what we write: plain webdataset, plain ffcv, and both see the same arrays."""

import gc

import numpy as np
import pytest
import webdataset

import passband.kernels.cpu  # noqa: F401  # settles Numba's target before ffcv compiles anything
from passband.jobs.generation.run import generate
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job


@pytest.fixture(scope="module", params=["png", "npy"])
def dataset(tmp_path_factory, request):
    out = tmp_path_factory.mktemp("made") / "out"
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"], "encoding": request.param}))
    return out


@pytest.fixture(scope="module")
def ours(dataset):
    store = LocalStore(dataset)
    manifest = read_manifest(store)
    return {sample.index: sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_plain_webdataset_reads_every_sample(dataset, ours):
    urls = [str(path) for path in sorted(dataset.glob("shards/*.tar"))]
    seen = 0
    for sample in webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"):
        expected = ours[int(sample["__key__"])]
        if "views.npy" in sample:
            views = sample["views.npy"]
        else:
            views = [sample["clean.png"], sample["prime.png"], sample["low.png"]]
        np.testing.assert_array_equal(np.stack(views), np.stack(expected.views))
        assert (sample["json"]["label"], sample["json"]["key"]) == (expected.label, expected.key)
        seen += 1
    gc.collect()  # webdataset leaves its files to the collector, which complains: here, not in another test
    assert seen == len(ours) == 355


def test_plain_ffcv_reads_every_sample(dataset, ours):
    from ffcv.fields.basics import IntDecoder
    from ffcv.fields.rgb_image import SimpleRGBImageDecoder
    from ffcv.loader import Loader, OrderOption

    pipelines = {f"view{n}": [SimpleRGBImageDecoder()] for n in range(3)}
    pipelines |= {name: [IntDecoder()] for name in ("label", "group", "index")}
    loader = Loader(
        str(dataset / "small.beton"), batch_size=50, num_workers=1, order=OrderOption.SEQUENTIAL,
        drop_last=False, pipelines=pipelines,
    )  # fmt: skip
    seen = []
    for *views, labels, groups, indices in loader:
        for position, index in enumerate(indices[:, 0].tolist()):
            expected = ours[index]
            np.testing.assert_array_equal(np.stack([view[position] for view in views]), np.stack(expected.views))
            assert (labels[position, 0], groups[position, 0]) == (expected.label, expected.group)
            seen.append(index)
    assert seen == sorted(ours)

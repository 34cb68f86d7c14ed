"""Datasets out of the ordinary: other encodings, floats, gaps, one sample, odd sizes; and what a process imports."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.conftest import assert_holds
from tests.test_structure import below, offenders


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """25 odd-sized images of noise in two classes; the 7th cannot be read."""
    root = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for number in range(25):
        path = root / f"class{number % 2}" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (40, 31, 3), np.uint8)).save(path)
    (root / "class0" / "006.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return root


def images(folder, **changes):
    source = {"source": {"kind": "imagefolder", "path": str(folder)}, "image": {"size": [23, 17]}, "bad_images": 1}
    return source | {"views": ["clean", {"dct_flip": {}}]} | changes


@pytest.mark.parametrize("encoding", ["npy", "png", "webp", "jpeg"])
def test_odd_sizes_and_gaps_in_every_encoding(make, folder, encoding):
    made = make(**images(folder, output={"encoding": encoding, "samples_per_shard": 4}))
    assert len(made.samples) == 24
    (gap,) = set(range(25)) - set(made.samples)
    with open_stream(made.path, batch_size=5, drop_last=False) as stream:
        assert gap not in stream.indices.tolist()
        seen = []
        for batch in stream:
            assert batch.images["clean"].shape[1:] == (3, 23, 17)
            assert_holds(batch, made, stream.views)
            seen += batch.indices.tolist()
        assert sorted(seen) == sorted(made.samples)
        assert stream.keys(seen) == [made.samples[index].key for index in seen]
        with pytest.raises(PassbandError, match=f"no sample with index {gap}"):
            stream.keys([gap])


@pytest.mark.parametrize("encoding", ["npy", "png"])
def test_float_views_come_as_float16(make, folder, encoding):
    views = ["clean", {"radial": {"low": 4, "range": "float"}, "name": "high"}]
    made = make(**images(folder, views=views, output={"encoding": encoding, "samples_per_shard": 10}))
    with open_stream(made.path, batch_size=24) as stream:
        (batch,) = stream
    assert batch.images["high"].dtype == torch.float16
    assert batch.images["high"].min() < 0
    assert_holds(batch, made, ["clean", "high"])


def test_one_sample(make, tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((20, 20, 3), 7, np.uint8)).save(tmp_path / "a" / "x.png")
    source = {"kind": "imagefolder", "path": str(tmp_path)}
    made = make(source=source, output={"formats": ["webdataset", "ffcv"]})
    for name in ("", "small.beton"):
        with open_stream(made.path / name, batch_size=1, balance="group") as stream:
            for _ in range(2):
                (batch,) = stream
                assert_holds(batch, made, stream.views)


def test_a_batch_larger_than_the_dataset(npy):
    with pytest.raises(PassbandError, match=r"355 samples, fewer than the global batch of 100 x 4 .*drop_last=False"):
        open_stream(npy.path, batch_size=100, rank=0, world_size=4)
    parts = []
    for rank in range(4):
        with open_stream(npy.path, batch_size=100, world_size=4, rank=rank, drop_last=False) as stream:
            (batch,) = stream
            parts.append(len(batch))
    assert parts == [89, 89, 89, 88]


def test_a_rank_may_get_an_empty_batch(npy):
    sizes = []
    for rank in range(3):
        options = {"world_size": 3, "rank": rank, "drop_last": False}
        with open_stream(npy.path, batch_size=59, **options) as stream:  # 2 global batches of 177, and 1 sample left
            batches = list(stream)
            sizes.append([len(batch) for batch in batches])
            assert batches[-1].images["clean"].shape == (len(batches[-1]), 3, 16, 16)
    assert sizes == [[59, 59, 1], [59, 59, 0], [59, 59, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 5, "rank": 1}, "rank is 1"),
        (
            {"batch_size": 5, "balance": "severity"},
            "balance is 'severity'; it can be 'group', 'class', 'group_class', or None",
        ),
        ({"batch_size": 5, "workers": 0}, "workers is 0"),
        ({"batch_size": 5, "prefetch": 0}, "prefetch is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(npy, options, message):
    with pytest.raises(PassbandError, match=message):
        open_stream(npy.path, **options)


def files_open_below(folder) -> list[str]:
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [name for name in links if name.startswith(str(folder))]


def test_few_files_are_open_at_a_time_and_none_afterwards(npy, monkeypatch):
    """An eighth of the files that a process may have, however many shards there are."""
    monkeypatch.setattr("passband.pipeline.loading.descriptors._LEAST", 3)
    monkeypatch.setattr("resource.getrlimit", lambda _: (24, 24))
    with open_stream(npy.path, batch_size=50, workers=1, drop_last=False) as stream:
        for batch in stream:
            assert_holds(batch, npy, stream.views)
        assert len(files_open_below(npy.path)) == 3 < len(npy.manifest.shards)
    assert files_open_below(npy.path) == []


def test_no_module_of_the_package_imports_what_it_must_not():
    assert offenders(below("pipeline/loading"), {"ray", "cupy", "numba", "kernels", "jobs", "ffcv"}) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs CUDA")
def test_batches_are_pinned_where_there_is_cuda(npy):
    with open_stream(npy.path, batch_size=50) as stream:
        batch = next(iter(stream))
    assert all(tensor.is_pinned() for tensor in (*batch.images.values(), batch.labels, batch.indices))
    assert_holds(batch, npy, stream.views)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_pinning_without_cuda_is_refused(npy):
    with pytest.raises(PassbandError, match="pin_memory=True needs CUDA"):
        open_stream(npy.path, batch_size=50, pin_memory=True)


def test_a_process_that_streams_imports_nothing_heavy(npy, png):
    """Both formats and both encodings, in a process of their own."""
    script = """if True:
        import json, sys
        import passband
        light = sorted({"torch", "numpy", "pyarrow"} & set(sys.modules))
        for path in sys.argv[1:]:
            with passband.open_stream(path, batch_size=50) as stream:
                stream.keys(next(iter(stream)).indices)
        heavy = {"ray", "cupy", "numba", "ffcv", "webdataset", "scipy", "matplotlib"}
        heavy |= {"passband.kernels", "passband.jobs"}
        print(json.dumps([light, sorted(heavy & set(sys.modules))]))
    """
    paths = [str(npy.path), str(npy.path / "small.beton"), str(png.path)]
    light, heavy = json.loads(subprocess.check_output([sys.executable, "-c", script, *paths], text=True))
    assert light == []
    assert heavy == []

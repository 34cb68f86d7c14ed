"""Single samples, and what a stream says of itself."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.test_state import walk


@pytest.fixture(scope="module")
def numbered(make, tmp_path_factory):
    """Samples whose keys are numbers, and not their indices: ``a/2.png`` comes before ``a/10.png`` in no order."""
    folder = tmp_path_factory.mktemp("numbered")
    for name in ("a", "b"):
        (folder / name).mkdir()
        for number in (1, 2, 3, 10):
            Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(folder / name / f"{number}.png")
    (folder / "a" / "2.png").write_bytes(b"no image")
    source = {"kind": "imagefolder", "path": str(folder)}
    return make(source=source, bad_images=1, output={"formats": ["webdataset", "ffcv"]})


@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_a_sample_by_index_and_by_key(npy, suffix):
    with open_stream(npy.path / suffix, batch_size=50, views=["low", "clean"]) as stream:
        for index in (0, 2, 354, np.int64(17), torch.tensor(5)):
            stored = npy.samples[int(index)]
            for sample in (stream.sample(index), stream.sample(stored.key)):
                assert (sample.index, sample.key) == (int(index), stored.key)
                assert (sample.label, sample.group) == (stored.label, stored.group)
                assert sample.class_name == npy.manifest.classes[stored.label]
                assert list(sample.images) == ["low", "clean"]
                for view, number in (("low", 2), ("clean", 0)):
                    assert sample.images[view].shape == (3, 16, 16)
                    np.testing.assert_array_equal(sample.images[view].permute(1, 2, 0), stored.views[number])
        assert stream.state_dict()["samples"] == 0


def test_an_index_is_no_key_and_a_key_no_index(npy, numbered):
    with open_stream(numbered.path, batch_size=2) as stream:
        for sample in numbered.samples.values():
            assert stream.sample(sample.key).index == sample.index
            assert stream.sample(sample.index).key == sample.key
        with pytest.raises(
            PassbandError, match=r"no sample with key '3'; its keys are like '.*; an index is an integer"
        ):
            stream.sample("3")
        (bad,) = numbered.manifest.bad
        for name in (bad.index, bad.key):
            with pytest.raises(
                PassbandError, match=rf"no sample 'a/2.png' \(index {bad.index}\): its image could not be"
            ):
                stream.sample(name)
    with open_stream(npy.path, batch_size=50) as stream:
        for absent in (355, -1, 10**30):
            with pytest.raises(
                PassbandError, match=f"small has no sample with index {absent}; its indices are 0 to 354$"
            ):
                stream.sample(absent)
        for nonsense in (1.0, True, None, b"0"):
            with pytest.raises(PassbandError, match="names no sample; give its index as an integer or its key"):
                stream.sample(nonsense)
        with pytest.raises(PassbandError) as raised:
            stream.sample("x" * 5000)
        assert len(str(raised.value)) < 400


def test_reprs_are_short_and_show_no_pixel(npy):
    with open_stream(npy.path, batch_size=50, views=["low", "clean"]) as stream:
        next(iter(stream))
        said = repr(stream)
        assert said == (
            "<Stream of small: 355 samples, views low, clean, 50 a batch, rank 0 of 1, by default, epoch 0, "
            "50 of 355 drawn>"
        )
        assert repr(stream.as_dataset()) == f"StreamDataset({said})"
        sample = stream.sample(0)
        assert repr(sample) == (
            f"StreamSample(key={sample.key!r}, index=0, label={sample.label} ({sample.class_name}), "
            f"group={sample.group}, "
            "images={'low': uint8[3, 16, 16], 'clean': uint8[3, 16, 16]})"
        )
        assert stream.classes == tuple(npy.manifest.classes)
        assert stream.view_names == stream.views == ("low", "clean")
    assert "closed" in repr(stream)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))])
@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_a_copy_of_a_stream_goes_on_where_it_stood(npy, suffix, copied, monkeypatch, tmp_path):
    monkeypatch.chdir(npy.path.parent)
    with open_stream(f"{npy.path.name}/{suffix}", batch_size=40, seed=3, views=["low"], balance="class") as stream:
        stream.set_epoch(2)
        batches = iter(stream)
        next(batches), next(batches)
        other = copied(stream)
        dataset = copied(stream.as_dataset())
        expected = walk(batches)
    monkeypatch.chdir(tmp_path)
    assert "not opened yet" in repr(other)
    with other, dataset.stream:
        assert other.state_dict()["epoch"] == 2
        assert walk(other) == expected
        assert walk(dataset) == expected
        assert "not opened yet" not in repr(other)


def test_a_copy_refuses_another_dataset(npy, numbered, tmp_path):
    import shutil

    shutil.copytree(npy.path, tmp_path / "set")
    with open_stream(tmp_path / "set", batch_size=4) as stream:
        other = pickle.loads(pickle.dumps(stream))
    shutil.rmtree(tmp_path / "set")
    shutil.copytree(numbered.path, tmp_path / "set")
    with pytest.raises(PassbandError, match="set: is another dataset than when the stream was opened; its identity is"):
        next(iter(other))


def test_an_iteration_after_the_last_batch_is_the_next_epoch(npy):
    """Lightning, which knows the length, never asks for the end of an epoch."""
    with open_stream(npy.path, batch_size=50, views=["low"]) as stream:
        whole = [walk(stream) for _ in range(2)]
        stream.set_epoch(0)
        for epoch in range(2):
            batches = iter(stream)
            assert [i for _ in range(len(stream)) for i in next(batches).indices.tolist()] == whole[epoch]
        state = json.loads(json.dumps(stream.state_dict()))
        assert (state["epoch"], state["samples"]) == (1, 350)

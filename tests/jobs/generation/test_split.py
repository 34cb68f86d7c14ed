"""What a network says of images and of their low and high frequencies, on networks of which it is known."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from passband.jobs.generation.inspect import Wanted
from passband.jobs.generation.run import generate
from passband.jobs.generation.split import spell_split, split_frequencies, split_sheet
from passband.kernels import reference
from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.networks.network import NetworkError, NetworkSpec, build_network, load_network, network_bytes
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job

CLASSES = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits")
    generate(small_job(out, views=["clean"]))
    return LocalStore(out)


@pytest.fixture(scope="module")
def clean(store):
    manifest = read_manifest(store)
    samples = [sample for entry in manifest.shards for sample in read_shard(store, manifest, entry)]
    images = np.stack([sample.views[0].transpose(2, 0, 1) for sample in samples]).astype(np.float64) / 255
    return {sample.index: image for sample, image in zip(samples, images, strict=True)}


def stored(network, path):
    path.write_bytes(network_bytes(network))
    return path


@pytest.fixture
def by_brightness(tmp_path):
    """A network that says 1 of images with a bright place, else 0, and nothing else."""
    spec = NetworkSpec(kind="lenet", shape=[3, 16, 16], classes=CLASSES, mean=[0.0] * 3, std=[1.0] * 3)
    network = build_network(spec, 0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.body[0].weight[0] = 1 / 75  # means of windows: with a pooling, of the brightest
        network.body[3].weight[0, 0, 2, 2] = 1
        network.body[7].weight[0, 0] = 1
        network.body[9].weight[0, 0] = 1
        network.body[11].weight[1, 0] = 100
        network.body[11].bias[0] = 10
        network.body[11].bias[2:] = -50
    return stored(network, tmp_path / "model.pt")


def expected(network, images, radius):
    parts = (images, reference.radial_filter(images, 0, radius), reference.radial_filter(images, radius, np.inf))
    with torch.inference_mode():
        return [network(torch.from_numpy(part.astype(np.float32))).softmax(1).max(1) for part in parts]


@pytest.mark.parametrize("radius", [None, 2.5])
def test_every_part_is_classified_as_it_is(store, clean, by_brightness, radius):
    found = split_frequencies(store, by_brightness, radius, rows=1000)
    assert found.radius == (radius or 4)
    assert found.looked_at == len(clean) == 355
    images = np.stack(list(clean.values()))
    wanted = expected(load_network(by_brightness), images, found.radius)
    image, low, high = (part.indices.numpy() for part in wanted)
    assert found.turned == int((low != image).sum())
    assert found.decided == int(((low != image) & (high == image)).sum())
    places = {index: row for row, index in enumerate(clean)}
    assert found.rows
    for row in found.rows:
        at = places[row.sample.index]
        for said, part in zip(row.said, wanted, strict=True):
            assert said.label == int(part.indices[at])
            assert said.probability == pytest.approx(float(part.values[at]), abs=1e-4)


def test_images_of_which_the_high_frequencies_decide_are_shown(store, tmp_path):
    """A network of random weights: whatever it says, the choice is that of what it says."""
    spec = NetworkSpec(kind="lenet", shape=[3, 16, 16], classes=CLASSES, mean=[0.2] * 3, std=[0.3] * 3)
    network = stored(build_network(spec, 3), tmp_path / "model.pt")
    everything = split_frequencies(store, network, 3.0, rows=1000)
    found = split_frequencies(store, network, 3.0, rows=4)
    assert found.decided == everything.decided == len(everything.rows) > 4
    assert len(found.rows) == 4
    assert all(row.high_decides for row in found.rows)
    assert [row.sample.label for row in found.rows] == sorted(row.sample.label for row in found.rows)
    assert len({row.sample.label for row in found.rows}) == min(4, len({r.sample.label for r in everything.rows}))
    (one,) = split_frequencies(store, network, 3.0, wanted=Wanted(index=7)).rows
    assert one.sample.index == 7


def test_the_parts_are_drawn_with_what_is_said_below(store, by_brightness, clean):
    found = split_frequencies(store, by_brightness, 4, rows=3)
    sheet = Image.open(io.BytesIO(split_sheet(found)))
    assert sheet.mode == "RGB"
    assert 3 * 96 < sheet.width < 700
    for row in found.rows:
        image, low, high = (view.astype(np.float64) / 255 for view in row.sample.views)
        unclipped = reference.radial_filter(clean[row.sample.index][None], 0, 4)[0].transpose(1, 2, 0)
        np.testing.assert_allclose(low, unclipped.clip(0, 1), atol=0.003)
        rest = image - unclipped
        np.testing.assert_allclose(high, (rest + 0.5).clip(0, 1), atol=0.006)
    said = spell_split(found)
    assert said.startswith("radius 4: of 355 samples, the low frequencies of")
    assert len(said.splitlines()) == 1 + len(found.rows)


def test_what_does_not_fit_is_refused(store, by_brightness, tmp_path):
    with pytest.raises(PassbandError, match="--radius is 0; allowed: above 0"):
        split_frequencies(store, by_brightness, 0)
    with pytest.raises(PassbandError, match="--rows is 0; allowed: 1 or more"):
        split_frequencies(store, by_brightness, rows=0)
    spec = NetworkSpec(kind="lenet", shape=[3, 16, 16], classes=["a", "b"], mean=[0.2] * 3, std=[0.3] * 3)
    with pytest.raises(NetworkError, match="tells 2 classes .* apart, the data has 10"):
        split_frequencies(store, stored(build_network(spec, 0), tmp_path / "two.pt"))


def test_the_command(store, by_brightness, passband, tmp_path):
    options = ["inspect", store.root, "--frequencies", "--model", by_brightness, "--radius", 3, "--rows", 2]
    status, told, _ = passband(*options, "--sheet", tmp_path / "split.png")
    assert status == 0
    assert told.splitlines()[-1] == f"wrote {tmp_path / 'split.png'}"
    found = json.loads(passband(*options, "--json")[1])
    assert (found["radius"], found["looked_at"], len(found["samples"])) == (3, 355, 2)
    assert found["samples"][0].keys() == {"index", "key", "class", "image", "low", "high"}
    for words, message in (
        (["--model", by_brightness], "--model is an option of --frequencies, which is not given"),
        (["--frequencies"], "--frequencies needs --model TRAINING"),
        (["--frequencies", "--model", by_brightness, "--shard", 1], "not at a --shard"),
    ):
        status, _, error = passband("inspect", store.root, *words)
        assert status == 1
        assert message in error

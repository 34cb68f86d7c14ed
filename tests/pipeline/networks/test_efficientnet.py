"""EfficientNet-Lite0: TensorFlow's padding, published weights by name, and photographs that it knows."""

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from passband.pipeline.networks import pretrained
from passband.pipeline.networks.efficientnet import (
    _PUBLISHED,
    _PUBLISHED_BLOCK,
    _Same,
    efficientnet_lite0,
    from_published,
)
from passband.pipeline.networks.network import NetworkError, NetworkSpec, build_network, load_network, network_bytes
from passband.pipeline.networks.packaged import PACKAGED, packaged_weights
from passband.pipeline.networks.pretrained import read_weights, weights_digest

KIND, NAME = "efficientnet_lite0", "IMAGENET1K"
KNOWN = PACKAGED[KIND][NAME]
packaged = pytest.mark.skipif(
    importlib.util.find_spec(KNOWN.package) is None,
    reason=f"the package {KNOWN.package} (extra samples), which has the weights, is not installed",
)


def spec(classes, shape=(3, 224, 224)):
    return NetworkSpec(kind=KIND, shape=list(shape), classes=list(classes), mean=list(KNOWN.mean), std=list(KNOWN.std))


@pytest.fixture(scope="module")
def network():
    from torchvision.models import ResNet18_Weights  # for the names of the classes alone

    classes = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    return build_network(spec(classes), 0, read_weights(KIND, NAME)).eval()


def photo(name, side=224):
    """Return a photograph of scikit-image's, its short side scaled to `side`, and its middle: (1, 3, side, side)."""
    import skimage.data

    image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    factor = side / min(image.size)
    width, height = (round(factor * length) for length in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)[None]


def as_published(network):
    """Return the weights of a network of ours under their published names."""
    names, of_block = ({own: name for name, own in known.items()} for known in (_PUBLISHED, _PUBLISHED_BLOCK))
    state = {}
    for name, value in network.body.state_dict().items():
        layer, _, what = name.rpartition(".")
        if layer.startswith("blocks."):
            _, number, layer = layer.split(".", 2)
            state[f"_blocks.{number}.{of_block[layer]}.{what}"] = value
        else:
            state[f"{names[layer]}.{what}"] = value
    return state


@packaged
@pytest.mark.parametrize(
    ("name", "said", "probability"), [("chelsea", "Egyptian cat", 0.38), ("coffee", "espresso", 0.94)]
)
def test_it_knows_photographs_by_the_published_weights(network, name, said, probability):
    with torch.inference_mode():
        found = network(photo(name)).softmax(1)[0]
    assert network.spec.classes[int(found.argmax())] == said
    assert float(found.max()) == pytest.approx(probability, abs=0.02)


@packaged
def test_another_number_of_classes_draws_the_last_layer_alone(network):
    one, same, other = (build_network(spec("abc", (3, 40, 33)), seed, read_weights(KIND, NAME)) for seed in (1, 1, 2))
    state = network.body.state_dict()
    assert len(state) == 296
    for key, value in one.body.state_dict().items():
        assert torch.equal(value, same.body.state_dict()[key])
        assert key.startswith("fc.") or torch.equal(value, state[key])
    assert one.body.fc.weight.shape == (3, 1280)
    assert not torch.equal(one.body.fc.weight, other.body.fc.weight)


@packaged
def test_weights_are_held_to_their_sha256(tmp_path, monkeypatch):
    file, known = packaged_weights(KIND, NAME)
    assert weights_digest(KIND, NAME) == known.sha256 == read_weights(KIND, NAME).sha256
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "weights.pth").write_bytes(damaged)
    monkeypatch.setattr(pretrained, "packaged_weights", lambda kind, weights: (tmp_path / "weights.pth", known))
    with pytest.raises(NetworkError, match=r"weights.pth: has sha256 \w+, IMAGENET1K has 579344248a93e230"):
        read_weights(KIND, NAME)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(PACKAGED[KIND], NAME, KNOWN._replace(package="no_such_package"))
    with pytest.raises(NetworkError, match="package 'no_such_package', which is not installed: .* extra 'samples'"):
        read_weights(KIND, NAME)
    monkeypatch.setitem(PACKAGED[KIND], NAME, KNOWN._replace(package="email", parts=("weights.pth",)))
    with pytest.raises(NetworkError, match="is weights.pth of the package 'email'; this version lacks it"):
        weights_digest(KIND, NAME)


def test_every_published_name_is_found():
    network = build_network(spec("abc", (3, 32, 32)), 0)
    found = from_published(as_published(network), "f.pth")
    assert {name: value.data_ptr() for name, value in found.items()} == {
        name: value.data_ptr() for name, value in network.body.state_dict().items()}  # fmt: skip


@pytest.mark.parametrize("name", ["_bn3.weight", "_blocks.0._fc.weight", "fc.weight", "_blocks.x", 3])
def test_a_name_that_the_published_weights_do_not_have_is_refused(name):
    with pytest.raises(NetworkError, match=rf"^f.pth: is no state dict of an EfficientNet-Lite0: it has '?{name}'?$"):
        from_published({"_fc.bias": torch.zeros(2), name: torch.zeros(1)}, "f.pth")


@pytest.mark.parametrize("side", [7, 8, 32, 33])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_padding_puts_the_odd_pixel_at_the_end(side, kernel, stride):
    """Against zeros put around by hand, for TensorFlow's published formula, and every output's window."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, side, side + 1, generator=generator, dtype=torch.float64)
    layer = _Same(3, 4, kernel, stride=stride, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
        found = layer(images)
    around = torch.zeros(2, 3, side + 20, side + 21, dtype=torch.float64)
    around[:, :, 10:-10, 10:-10] = images
    for axis, length in ((2, side), (3, side + 1)):
        assert found.shape[axis] == -(-length // stride)
    before = [max((-(-n // stride) - 1) * stride + kernel - n, 0) // 2 for n in (side, side + 1)]
    for row, column in ((0, 0), (found.shape[2] - 1, found.shape[3] - 1)):
        top, left = 10 - before[0] + row * stride, 10 - before[1] + column * stride
        window = around[:, :, top : top + kernel, left : left + kernel]
        torch.testing.assert_close(found[:, :, row, column], torch.einsum("nchw,ochw->no", window, layer.weight))
    if side % 2 == 0 and (kernel, stride) == (3, 2):
        symmetric = functional.conv2d(images, layer.weight, stride=2, padding=1)
        assert not torch.allclose(found[..., 1:-1, 1:-1], symmetric[..., 1:-1, 1:-1])


def test_strides_and_channels_are_those_of_the_table():
    body = build_network(spec("ab", (3, 64, 96)), 0).body.eval()
    sides = []
    for block in body.blocks:
        block.register_forward_hook(lambda module, given, found: sides.append(tuple(found.shape[1:])))
    assert body(torch.zeros(1, 3, 64, 96)).shape == (1, 2)
    assert len(sides) == 16
    assert sides[0] == (16, 32, 48)
    assert [sides[n] for n in (2, 4, 7, 10, 14, 15)] == [
        (24, 16, 24), (40, 8, 12), (80, 4, 6), (112, 4, 6), (192, 2, 3), (320, 2, 3)]  # fmt: skip
    assert all(module.eps == 1e-3 for module in body.modules() if isinstance(module, nn.BatchNorm2d))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 64, 64), "images of 1 channels; this network takes 3"), ((3, 64, 31), "64 x 31 are too small.* 32 pixels")],
)
def test_images_that_it_cannot_take_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        efficientnet_lite0(shape, 2)


def test_a_checkpoint_of_the_smallest_images_reads_back(tmp_path):
    network = build_network(spec("abcd", (3, 32, 32)), 3)
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(load_network(tmp_path)(images), network.eval()(images))

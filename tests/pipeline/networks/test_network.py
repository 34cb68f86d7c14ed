"""Networks by shape, weights by seed, and checkpoints that are refused by name."""

import pytest
import torch
from pydantic import ValidationError

from passband.pipeline.networks.names import RESIDUAL, STEMS, default_stem
from passband.pipeline.networks.network import (
    NETWORKS,
    NetworkError,
    NetworkSpec,
    build_network,
    load_network,
    network_bytes,
)

# By hand from the layers; those of ResNet-18 with a CIFAR stem, WRN-16-4 and DenseNet-BC are the published ones.
PARAMETERS = {
    "convnet": 4_547_466,
    "lenet": 62_006,
    "vgg11": 9_220_480 + 5_130,  # torchvision's convolutions
    "resnet18": 11_173_962,
    "wide_resnet16_4": 2_748_890,
    "densenet_small": 176_122,
    "efficientnet_lite0": 4_652_008 - 990 * 1281,  # published for 1,000 classes
}


def spec(kind="lenet", shape=(3, 32, 32), classes=10, **changes) -> NetworkSpec:
    given = {"kind": kind, "shape": list(shape), "classes": [f"class {i}" for i in range(classes)]}
    return NetworkSpec(**given | {"mean": [0.5] * shape[0], "std": [0.25] * shape[0]} | changes)


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_network_has_the_published_number_of_parameters(kind):
    network = build_network(spec(kind), seed=0)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[kind]
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("kind", "shape", "classes", "changes"),
    [
        ("lenet", (1, 16, 16), 2, {}),
        ("convnet", (3, 28, 37), 3, {}),
        ("resnet18", (3, 17, 9), 5, {"stem": "cifar"}),
        ("resnet18", (1, 65, 64), 5, {"stem": "imagenet"}),
        ("wide_resnet16_4", (1, 9, 20), 4, {}),
        ("vgg11", (1, 28, 17), 4, {"batch_norm": True}),
        ("densenet_small", (1, 9, 20), 4, {}),
    ],
)
def test_odd_shapes(kind, shape, classes, changes):
    network = build_network(spec(kind, shape, classes, **changes), seed=0)
    logits = network.eval()(torch.rand(3, *shape))
    assert logits.shape == (3, classes)
    assert torch.isfinite(logits).all()


def test_images_that_are_too_small_are_refused():
    with pytest.raises(NetworkError, match="lenet: images of 15 x 32 are too small.*16 pixels"):
        build_network(spec(shape=(3, 15, 32)), seed=0)


@pytest.mark.parametrize("kind", NETWORKS)
def test_weights_are_a_function_of_the_seed_alone(kind):
    before = torch.random.get_rng_state()
    one, same, other = (build_network(spec(kind), seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name]), name
    weights = [(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True) if a.dim() > 1]
    assert all(not torch.equal(a, b) for a, b in weights)


def test_the_first_weights_have_the_published_spread():
    network = build_network(spec("resnet18"), seed=0)
    conv, linear = network.body.layer3[1].conv2, network.body.fc
    assert conv.weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    assert linear.weight.abs().max() <= 512**-0.5
    assert linear.weight.std().item() == pytest.approx((1 / 512 / 3) ** 0.5, rel=0.05)


def test_it_normalizes_inside():
    network = build_network(spec(mean=[0.1, 0.2, 0.3], std=[0.5, 1.0, 2.0]), seed=0)
    images = torch.rand(2, 3, 32, 32)
    scaled = torch.stack([(images[:, c] - m) / s for c, (m, s) in enumerate([(0.1, 0.5), (0.2, 1.0), (0.3, 2.0)])], 1)
    torch.testing.assert_close(network(images), network.body(scaled))


@pytest.mark.parametrize("kind", ["convnet", "wide_resnet16_4"])
def test_a_checkpoint_reads_back_bit_for_bit(kind, tmp_path):
    network = build_network(spec(kind), seed=1)
    network(torch.rand(4, 3, 32, 32))  # moves batch-norm statistics
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    for path in (tmp_path, tmp_path / "model.pt"):
        again = load_network(path, classes=network.spec.classes, shape=[3, 32, 32])
        assert not again.training
        assert again.spec == network.spec
        for name, value in network.state_dict().items():
            assert torch.equal(value, again.state_dict()[name]), name


class _Strange:
    """Something that only pickle could restore."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "not a checkpoint that can be read safely"),
        (_Strange(), "not a checkpoint that can be read safely"),
        ({"state": {}}, "not a checkpoint of format 1"),
        ({"format": 1, "state": {}}, "not a checkpoint of a network"),
        (
            {"format": 1, "network": spec().model_dump(), "state": {}},
            "not a checkpoint of a network: Error",
        ),
        ({"format": 1, "network": spec().model_dump() | {"kind": "vit"}, "state": {}}, "not a checkpoint of a network"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content, message, tmp_path):
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(NetworkError, match=f"(?s)model.pt: is {message}"):
        load_network(path)


def test_other_classes_and_sizes_are_refused_by_name(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(network_bytes(build_network(spec(), seed=0)))
    with pytest.raises(
        NetworkError, match=r"10 classes \(class 0, class 1.*\.\.\.\).* the data has 2 classes \(a, b\)"
    ):
        load_network(path, classes=["a", "b"])
    with pytest.raises(NetworkError, match=r"shape \[3, 32, 32\], the data has \[3, 64, 64\]"):
        load_network(path, shape=(3, 64, 64))
    with pytest.raises(NetworkError, match="there is no checkpoint"):
        load_network(tmp_path / "none.pt")


@pytest.mark.parametrize(
    "changes", [{"stem": "cifar"}, {"mean": [0.5]}, {"std": [0.5, 0.5, 0.0]}, {"kind": "vit"}, {"classes": 0}]
)
def test_a_spec_that_cannot_be_built_is_refused(changes):
    with pytest.raises(ValidationError):
        spec(**changes)


@pytest.mark.parametrize(
    ("side", "stem"), [(16, "cifar"), (32, "cifar"), (64, "cifar"), (65, "imagenet"), (224, "imagenet")]
)
def test_the_stem_follows_the_longer_side(side, stem):
    assert default_stem([3, side, 8]) == default_stem([3, 8, side]) == stem


@pytest.mark.parametrize("kind", RESIDUAL)
def test_a_stem_for_large_images_leaves_a_sixteenth_of_the_work(kind):
    """Counted in multiplications of the convolutions, which are nearly all there are."""
    work = {stem: _multiplications(build_network(spec(kind, (3, 224, 224), stem=stem), 0)) for stem in STEMS}
    assert 10 < work["cifar"] / work["imagenet"] < 17


def _multiplications(network) -> int:
    body, total = network.body.to("meta"), 0

    def count(module, given, found):
        nonlocal total
        total += found[0].numel() * module.weight[0].numel()

    for module in body.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    body.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    return total


@pytest.mark.parametrize("kind", RESIDUAL)
@pytest.mark.parametrize("stem", [None, *STEMS])
def test_the_stem_is_kept_with_the_weights(kind, stem, tmp_path):
    network = build_network(spec(kind, (3, 66, 40), stem=stem), 0)
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    again = load_network(tmp_path)
    assert again.spec.stem == stem
    images = torch.rand(2, 3, 66, 40)
    assert torch.equal(again(images), network.eval()(images))


def test_a_network_without_a_stem_and_an_unknown_one_are_named():
    with pytest.raises(ValidationError, match="a stem is chosen for resnet18 and wide_resnet16_4 only, not for lenet"):
        spec(stem="cifar")
    with pytest.raises(ValidationError, match="kind is 'vit'; allowed: convnet, lenet, .*, or torchvision/NAME"):
        spec("vit")


def test_a_network_that_is_not_finite_is_neither_written_nor_read(tmp_path):
    network = build_network(spec(), 0)
    (tmp_path / "good.pt").write_bytes(network_bytes(network))
    with torch.no_grad():
        network.body[0].bias[2] = float("nan")
    with pytest.raises(NetworkError, match=r"^the weight body.0.bias holds NaN, so the network is not written$"):
        network_bytes(network)
    state = torch.load(tmp_path / "good.pt", weights_only=True)
    state["state"]["body.0.bias"][2] = float("inf")
    torch.save(state, tmp_path / "bad.pt")
    with pytest.raises(NetworkError, match="bad.pt: the weight body.0.bias holds infinity"):
        load_network(tmp_path / "bad.pt")


def test_no_flipped_byte_gives_other_weights_without_a_hash_either(tmp_path):
    """The archive has check sums of its own, which torch does not look at; its padding may be anything."""
    network, path = build_network(spec(), seed=0), tmp_path / "model.pt"
    content, refused = network_bytes(network), 0
    places = range(0, len(content), len(content) // 120)
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        try:
            found = load_network(path)
        except NetworkError:
            refused += 1
            continue
        assert found.spec == network.spec
        assert all(torch.equal(found.state_dict()[name], value) for name, value in network.state_dict().items())
    assert refused > 0.9 * len(places) > 100

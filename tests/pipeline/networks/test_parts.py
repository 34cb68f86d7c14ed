"""Batch norm and dropout by choice: where they are, what they leave alone, and masks that are addressed."""

import copy
import json

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from passband.pipeline.networks.dropout import DroppedLinear
from passband.pipeline.networks.names import FIXED_NORMS
from passband.pipeline.networks.network import NETWORKS, build_network, load_network, network_bytes
from tests.pipeline.networks.test_network import spec

CHOICE = [kind for kind in NETWORKS if kind not in FIXED_NORMS]
WITHOUT_AT_FIRST = ("convnet", "lenet", "vgg11")


def norms_of(network):
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("kind", CHOICE)
def test_batch_norm_is_chosen(kind):
    first, normed, bare = (build_network(spec(kind, batch_norm=chosen), 0) for chosen in (None, True, False))
    convolutions = sum(isinstance(module, nn.Conv2d) for module in first.modules())
    assert not norms_of(bare)
    assert len(norms_of(normed)) == (convolutions if kind in WITHOUT_AT_FIRST else len(norms_of(first)))
    assert same_weights(first, bare if kind in WITHOUT_AT_FIRST else normed)
    images = torch.rand(3, 3, 32, 32)
    assert (normed(images).isfinite() & bare(images).isfinite()).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_dropout_stands_before_the_last_layer_alone(kind):
    plain, dropped = (build_network(spec(kind, dropout=share), 5) for share in (None, 0.5))
    assert same_weights(plain, dropped)
    assert [type(module) for module in dropped.modules()].count(DroppedLinear) == 1
    images = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(plain.eval()(images), dropped.eval()(images))
        before = torch.random.get_rng_state()
        dropped.train()
        for module in norms_of(dropped):
            module.eval()  # so that only the dropout is in training
        assert not torch.equal(plain(images), dropped(images))
        assert torch.equal(torch.random.get_rng_state(), before)


def test_what_is_kept_is_scaled_and_its_share_is_as_told():
    layer = DroppedLinear(1000, 1000, 0.3).train()
    with torch.no_grad():
        layer.weight.copy_(torch.eye(1000))
        layer.bias.zero_()
        found = layer(torch.ones(400, 1000))
    assert found.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (found == 0).double().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 400_000) ** 0.5)
    rows = (found == 0).double()
    assert torch.corrcoef(rows)[0, 1:].abs().max() < 5 / 1000**0.5  # each image has a mask of its own
    assert torch.equal(DroppedLinear(4, 2, 0.0).train()._dropped(torch.ones(3, 4)), torch.ones(3, 4))


def test_a_mask_is_a_function_of_seed_process_and_number():
    def masks(seed=0, process=0, drawn=0, count=3):
        layer = DroppedLinear(64, 2, 0.5).train()
        layer.seed, layer.process, layer.drawn = seed, process, drawn
        return [layer._dropped(torch.ones(8, 64)) for _ in range(count)]

    first = masks()
    assert all(torch.equal(a, b) for a, b in zip(first, masks(), strict=True))
    assert torch.equal(masks(drawn=2, count=1)[0], first[2])
    others = [*first[1:], *masks(seed=1), *masks(process=1)]
    assert all(not torch.equal(first[0], other) for other in others)


def test_a_state_dict_goes_on_with_the_masks(tmp_path):
    network, images = build_network(spec(dropout=0.5), 7).train(), torch.rand(4, 3, 32, 32)
    network(images)
    kept = copy.deepcopy(network.state_dict())
    wanted = [network(images) for _ in range(2)]
    again = build_network(spec(dropout=0.5), 1).train()
    again.load_state_dict(kept)
    assert [torch.equal(value, again(images)) for value in wanted] == [True, True]
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    found = load_network(tmp_path)
    assert found.spec.dropout == 0.5
    assert (found.body[-1].seed, found.body[-1].drawn) == (7, 3)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch asks that of itself
@pytest.mark.parametrize("compiled", [False, True])
def test_evaluation_draws_nothing_and_a_compiled_network_the_same(compiled):
    network = build_network(spec("lenet", (1, 16, 16), dropout=0.5), 0)
    model = torch.compile(network, backend="eager") if compiled else network
    images = torch.rand(2, 1, 16, 16)
    model.eval()(images)
    assert network.body[-1].drawn == 0
    model.train()
    found = [model(images) for _ in range(12)]
    assert network.body[-1].drawn == 12
    plain = build_network(spec("lenet", (1, 16, 16), dropout=0.5), 0).train()
    for value in found:
        torch.testing.assert_close(value, plain(images))


def test_what_is_not_chosen_is_not_stored():
    stored = json.loads(spec().model_dump_json())
    assert stored.keys() == {"kind", "stem", "shape", "classes", "mean", "std"}
    assert spec(dropout=0.0).model_dump()["dropout"] == 0.0
    assert spec(batch_norm=False).model_dump()["batch_norm"] is False


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("efficientnet_lite0", {"batch_norm": False}, "batch_norm is chosen for convnet, .*, not for efficientnet"),
        ("torchvision/resnet18", {"batch_norm": True}, "batch_norm is chosen for .* only, not for torchvision/res"),
        ("torchvision/resnet18", {"dropout": 0.1}, "dropout is chosen for .* only, not for torchvision/resnet18"),
        ("lenet", {"dropout": 1.0}, "less than 1"),
        ("lenet", {"dropout": -0.1}, "greater than or equal to 0"),
    ],
)
def test_a_choice_that_a_network_does_not_have_is_refused(kind, changes, message):
    with pytest.raises(ValidationError, match=message):
        spec(kind, **changes)

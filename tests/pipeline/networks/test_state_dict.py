"""Plain state dicts: taken name by name, refused with all that differs."""

import pytest
import torch

from passband.pipeline.errors import IntegrityError
from passband.pipeline.networks.network import NetworkError, build_network, network_bytes
from passband.pipeline.networks.packaged import PACKAGED
from passband.pipeline.networks.pretrained import IMAGENET
from passband.pipeline.networks.state_dict import read_state_dict
from tests.pipeline.networks.test_efficientnet import as_published
from tests.pipeline.networks.test_network import spec


@pytest.fixture
def stored(tmp_path):
    def store(state):
        torch.save(state, tmp_path / "net.pth")
        return tmp_path / "net.pth"

    return store


@pytest.mark.parametrize("kind", ["lenet", "torchvision/resnet18"])
def test_a_state_dict_begins_a_network(kind, stored):
    given = build_network(spec(kind, classes=3), 5).body.state_dict()
    found = read_state_dict(kind, stored(given))
    assert (found.mean, found.std) == (IMAGENET if "/" in kind else (None, None))
    network = build_network(spec(kind, classes=3), 1, found)
    assert all(torch.equal(value, given[name]) for name, value in network.body.state_dict().items())
    other = build_network(spec(kind, classes=7), 1, found).body.state_dict()
    drawn = [name for name, value in other.items() if value.shape != given[name].shape]
    assert len(drawn) == 2
    assert all(torch.equal(other[name], given[name]) for name in other if name not in drawn)


def test_torchvisions_resnet18_is_ours_with_its_stem(stored):
    file = stored(build_network(spec("torchvision/resnet18", classes=3), 5).body.state_dict())
    found = read_state_dict("resnet18", file)
    large = build_network(spec("resnet18", classes=3, stem="imagenet", dropout=0.5), 1, found)
    assert torch.equal(large.body.conv1.weight, found.state["conv1.weight"])
    message = r"of another shape conv1.weight \(64 x 3 x 7 x 7, here 64 x 3 x 3 x 3\)$"
    with pytest.raises(NetworkError, match=message):  # though it is the only layer that differs
        build_network(spec("resnet18", classes=3, stem="cifar"), 1, found)


@pytest.mark.parametrize("published", [False, True])
def test_efficientnet_by_its_own_names_and_by_the_published(published, stored):
    network = build_network(spec("efficientnet_lite0"), 5)
    found = read_state_dict(
        "efficientnet_lite0", stored(as_published(network) if published else network.body.state_dict())
    )
    known = PACKAGED["efficientnet_lite0"]["IMAGENET1K"]
    assert (found.mean, found.std) == (known.mean, known.std)
    again = build_network(spec("efficientnet_lite0"), 1, found)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_all_that_differs_is_named(stored):
    given = build_network(spec(), 0).body.state_dict()
    changed = {name.replace("7.", "70."): value for name, value in given.items()}
    changed |= {"0.bias": torch.zeros(7), "3.bias": torch.zeros(()), **{f"more.{n}": torch.zeros(1) for n in range(4)}}
    with pytest.raises(NetworkError) as raised:
        build_network(spec(), 0, read_state_dict("lenet", stored(changed)))
    said = str(raised.value).partition("net.pth: is no state dict of this network: ")[2]
    assert said == (
        "it lacks 7.weight, 7.bias; it has, and the network has not 70.weight, 70.bias, more.0 and 3 more; "
        "of another shape 0.bias (7, here 6), 3.bias (a number, here 16)"
    )


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"state_dict": {"0.bias": torch.zeros(6)}}, "is no plain state dict: 'state_dict' is no tensor"),
        ({"0.bias": torch.full((6,), torch.nan)}, "the weight 0.bias holds NaN"),
        ([torch.zeros(1)], "is not a checkpoint"),
        ({}, "it lacks 0.weight, 0.bias, 3.weight and 7 more"),
    ],
)
def test_what_is_none_is_refused(state, message, stored):
    with pytest.raises(NetworkError, match=f"net.pth: {message}" if state else message):
        build_network(spec(), 0, read_state_dict("lenet", stored(state)))


def test_a_checkpoint_of_a_training_and_another_file_are_refused(stored, tmp_path):
    (tmp_path / "model.pt").write_bytes(network_bytes(build_network(spec(), 0)))
    with pytest.raises(NetworkError, match="is a checkpoint of a training, not a plain state dict; give it"):
        read_state_dict("lenet", tmp_path / "model.pt")
    file = stored(build_network(spec(), 0).body.state_dict())
    with pytest.raises(IntegrityError, match="net.pth: has sha256 .*, the job says 1111"):
        read_state_dict("lenet", file, "1" * 64)

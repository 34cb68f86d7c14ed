"""Classifiers of torchvision: weights by name from torch hub's folder, held to the hash in it; never fetched."""

import hashlib
import io
from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models import Weights, WeightsEnum
from torchvision.models._api import BUILTIN_MODELS
from torchvision.transforms._presets import ImageClassification

from passband.pipeline.errors import IntegrityError
from passband.pipeline.networks import network as networks
from passband.pipeline.networks import pretrained
from passband.pipeline.networks.network import NetworkError, NetworkSpec, build_network, load_network, network_bytes
from passband.pipeline.networks.pretrained import IMAGENET, read_weights, weights_digest

KIND = "torchvision/passband_tiny"


class Tiny(nn.Module):
    """A residual network in little: a convolution, a batch norm and a last layer."""

    def __init__(self, num_classes: int, dropout: float, scale: bool, buffer: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(4, num_classes)
        if scale:
            self.scale = nn.Parameter(torch.ones(4))
        if buffer:
            self.register_buffer("grid", torch.arange(4.0), persistent=False)

    def forward(self, images):
        return self.fc(self.drop(self.norm(self.conv(images)).mean((2, 3))))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return torch hub's folder of checkpoints, an empty one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def registered(monkeypatch):
    """Return a function that registers a small network with torchvision, its weights called after their own hash."""

    def register(
        content: bytes | None = None, name="passband_tiny", *, dropout=0.0, scale=False, buffer=False, **preset
    ):
        state = Tiny(1000, dropout, scale, buffer).state_dict()
        generator = torch.Generator().manual_seed(0)
        state = {key: torch.randn(value.shape, generator=generator).abs() if value.is_floating_point() else value
                 for key, value in state.items()}  # fmt: skip
        if content is None:
            file = io.BytesIO()
            torch.save(state, file)
            content = file.getvalue()
        url = f"https://download.example/models/tiny-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        entry = Weights(url=url, transforms=partial(ImageClassification, crop_size=224, **preset), meta={})
        enum = WeightsEnum("Tiny_Weights", {"IMAGENET1K_V1": entry})

        def build(*, weights=None, num_classes=1000):
            assert weights is None
            return Tiny(num_classes, dropout, scale, buffer)

        build.__annotations__["weights"] = enum
        build.__module__ = "torchvision.models.tiny"
        monkeypatch.setitem(BUILTIN_MODELS, name, build)
        return content, url.rpartition("/")[2], state

    return register


def spec(classes=10, shape=(3, 32, 32), kind=KIND):
    return NetworkSpec(kind=kind, shape=list(shape), classes=[str(i) for i in range(classes)], mean=[0.5] * 3,
                       std=[0.25] * 3)  # fmt: skip


def test_weights_are_read_by_their_name_and_begin_a_network(hub, registered):
    content, name, state = registered()
    (hub / name).write_bytes(content)
    found = read_weights(KIND, "IMAGENET1K_V1")
    assert (found.file, found.sha256) == (hub / name, hashlib.sha256(content).hexdigest())
    assert (found.mean, found.std) == IMAGENET
    before = torch.random.get_rng_state()
    one, same, other = (build_network(spec(), seed, found) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    for key, value in one.body.state_dict().items():
        assert torch.equal(value, same.body.state_dict()[key])
        if not key.startswith("fc."):
            assert torch.equal(value, state[key])
    assert one.body.fc.weight.shape == (10, 4)
    assert not torch.equal(one.body.fc.weight, other.body.fc.weight)  # the new last layer is drawn by the seed
    whole = build_network(spec(classes=1000), 1, found)
    assert torch.equal(whole.body.fc.weight, state["fc.weight"])


def test_a_network_of_torchvision_reads_back(hub, registered, tmp_path):
    content, name, _ = registered()
    (hub / name).write_bytes(content)
    network = build_network(spec(), 1, read_weights(KIND, "IMAGENET1K_V1"))
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    again = load_network(tmp_path / "model.pt")
    assert again.spec.kind == KIND
    for key, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


def test_the_normalization_is_that_of_the_weights(hub, registered):
    content, name, _ = registered(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    (hub / name).write_bytes(content)
    found = read_weights(KIND, "IMAGENET1K_V1")
    assert (found.mean, found.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))


def test_a_file_that_is_not_there_is_named_with_its_place(hub):
    message = rf"resnet50: IMAGENET1K_V2 is the file resnet50-11ad3fa6.pth, which is not in {hub}; put it there"
    with pytest.raises(NetworkError, match=message):
        read_weights("torchvision/resnet50", "IMAGENET1K_V2")


def test_a_file_is_held_to_the_hash_in_its_name(hub, registered):
    (hub / "resnet50-11ad3fa6.pth").write_bytes(b"something else")
    with pytest.raises(NetworkError, match=r"has sha256 \w+, its name says 11ad3fa6...; it is damaged or another file"):
        read_weights("torchvision/resnet50", "IMAGENET1K_V2")
    content, name, _ = registered()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    (hub / name).write_bytes(flipped)
    with pytest.raises(NetworkError, match="its name says"):
        read_weights(KIND, "IMAGENET1K_V1")
    (hub / name).write_bytes(content)
    (hub / f"{name}.sha256").write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(IntegrityError, match="has sha256"):
        read_weights(KIND, "IMAGENET1K_V1")


def test_the_hash_of_weights_is_told_without_loading_them_and_read_once(hub, registered, monkeypatch):
    content, name, _ = registered()
    (hub / name).write_bytes(content)
    read, times = pretrained.read_hashed_file, []
    monkeypatch.setattr(pretrained, "read_hashed_file", lambda path: times.append(path) or read(path))
    monkeypatch.setattr(networks, "load_safely", None)
    sha256 = hashlib.sha256(content).hexdigest()
    assert [weights_digest(KIND, "IMAGENET1K_V1") for _ in range(8)] == [sha256] * 8
    assert times == [hub / name]
    (hub / name).write_bytes(content[:-1])
    with pytest.raises(NetworkError, match="its name says"):
        weights_digest(KIND, "IMAGENET1K_V1")
    (hub / name).unlink()
    with pytest.raises(NetworkError, match=f"which is not in {hub}; put it there"):
        weights_digest(KIND, "IMAGENET1K_V1")


@pytest.mark.parametrize(
    ("kind", "weights", "message"),
    [
        ("torchvision/nothing", "IMAGENET1K_V1", "torchvision has no classifier of that name"),
        ("torchvision/fcn_resnet50", "IMAGENET1K_V1", "torchvision has no classifier of that name"),
        (
            "torchvision/resnet50",
            "IMAGENET21K",
            "no weights 'IMAGENET21K' for it; allowed: IMAGENET1K_V1, IMAGENET1K_V2",
        ),
    ],
)
def test_what_torchvision_does_not_have_is_named(hub, kind, weights, message):
    with pytest.raises(NetworkError, match=message):
        read_weights(kind, weights)


@pytest.mark.parametrize("content", [b"junk", {"conv.weight": torch.zeros(4, 3, 3, 3)}, {"fc.weight": 1}])
def test_a_file_of_something_else_is_refused(hub, registered, content):
    if isinstance(content, dict):
        file = io.BytesIO()
        torch.save(content, file)
        content = file.getvalue()
    _, name, _ = registered(content)
    (hub / name).write_bytes(content)
    with pytest.raises(NetworkError, match=r"tiny-\w+.pth: is no(t a checkpoint| state dict of this network)"):
        build_network(spec(), 0, read_weights(KIND, "IMAGENET1K_V1"))


def test_from_scratch_a_network_of_torchvision_is_a_function_of_its_seed():
    kind = "torchvision/resnet18"
    one, same, other = (build_network(spec(kind=kind), seed) for seed in (1, 1, 2))
    assert sum(parameter.numel() for parameter in one.parameters()) == 11_181_642  # torchvision's, with 10 classes
    for (key, value), again in zip(one.state_dict().items(), same.state_dict().values(), strict=True):
        assert torch.equal(value, again), key
    assert not torch.equal(one.body.conv1.weight, other.body.conv1.weight)
    assert one.eval()(torch.rand(2, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({"dropout": 0.5}, True, "has Dropout, which draws from torch's global random state in every step"),
        ({"scale": True}, False, "how scale is to begin is not known here; give weights to begin from"),
        ({"buffer": True}, True, "computes grid while it is built"),
    ],
)
def test_a_training_that_could_not_resume_is_refused(hub, registered, options, given, message):
    content, name, _ = registered(**options)
    (hub / name).write_bytes(content)
    weights = read_weights(KIND, "IMAGENET1K_V1") if given else None
    with pytest.raises(NetworkError, match=message):
        build_network(spec(), 0, weights)


def test_images_that_it_cannot_take_are_refused(registered):
    registered()
    with pytest.raises(NetworkError, match=r"passband_tiny: takes no images of shape \[1, 32, 32\]"):
        build_network(NetworkSpec(kind=KIND, shape=[1, 32, 32], classes=["a", "b"], mean=[0.5], std=[0.5]), 0)

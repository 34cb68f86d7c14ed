from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from passband.jobs.generation.run import generate
from passband.pipeline.manifest import read_manifest
from passband.pipeline.networks.network import Network, NetworkSpec, build_network, network_bytes
from passband.pipeline.records import Manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job

DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread) -> None:
    """Compute with one thread in every module here."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """355 real digits, clean and as two views, in groups of a drawn severity."""
    out = tmp_path_factory.mktemp("evaluation") / "digits"
    base = [{"corrupt": {"types": ["gaussian_noise"], "severity": {"uniform": [0, 2]}}}]
    views = ["clean", {"radial": {"high": 4}, "name": "low-4"}, {"radial": {"low": 4}, "name": "high-4"}]
    generate(small_job(out, base=base, views=views))
    return out


def manifest_of(folder: Path) -> Manifest:
    return read_manifest(LocalStore(folder))


def spec_of(kind: str, classes: list[str] | None = None, side: int = 16) -> NetworkSpec:
    return NetworkSpec(
        kind=kind, shape=[3, side, side], classes=classes or DIGITS, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25]
    )


def only(label: int, kind: str = "lenet") -> Network:
    """A network that answers `label` whatever it sees."""
    network = build_network(spec_of(kind), seed=0).eval()
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        last.bias[label] = 1
    return network


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[[Network], str]:
    """Store a network as a checkpoint and return its path."""

    def store(network: Network) -> str:
        path = tmp_path / "model.pt"
        path.write_bytes(network_bytes(network))
        return str(path)

    return store

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from passband.jobs.analysis.images import list_images
from passband.jobs.analysis.spec import AnalyzeJob, parse_analyze_job
from passband.kernels.cpu.pixels import to_float
from passband.kernels.cpu.threads import get_num_threads, set_num_threads
from passband.pipeline.networks.network import Network, build_network, network_bytes
from tests.jobs.evaluation.conftest import only, spec_of

MakeJob = Callable[..., AnalyzeJob]


def job_of(out: Path | str, checkpoint: Path | str, **changes: Any) -> AnalyzeJob:
    """40 of 355 real digits at 16x16, in blocks of 50 of 130 distinct frequencies; `changes` replace keys."""
    given: dict[str, Any] = {
        "kind": "analyze",
        "name": "small",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 16},
        "surrogate": {"network": "lenet", "checkpoint": str(checkpoint), "batch": 32},
        "subset": 40,
        "norm": 2.0,
        "scale": 1.0,
        "output": {"uri": str(out)},
        "compute": {"executor": "inline", "block": 50},
    }
    for key, value in changes.items():
        inner = given.get(key)
        given[key] = inner | value if isinstance(inner, dict) and isinstance(value, dict) else value
    return parse_analyze_job(given)


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Pixels, labels, plan indices and random key of the 355 digits."""
    images = list_images(job_of("unused", "unused"))
    pixels = np.concatenate([batch for _, batch in images.batches(np.arange(len(images.labels)), 256)])
    return pixels, images.labels, images.indices, images.key


@pytest.fixture(scope="session")
def fitted(digits) -> Network:
    """A network of random features whose last layer is fitted to the digits by least squares: mostly right."""
    pixels, labels, _, _ = digits
    network = build_network(spec_of("lenet"), seed=0).eval()
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    features: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda module, inputs, output: features.append(inputs[0]))
    with torch.no_grad():
        network(torch.from_numpy(to_float(pixels)))
        hook.remove()
        given = torch.cat([features[0], torch.ones(len(pixels), 1)], dim=1)
        wanted = torch.nn.functional.one_hot(torch.from_numpy(labels), 10).float()
        found = torch.linalg.lstsq(given, wanted).solution
        last.weight.copy_(found[:-1].T)
        last.bias.copy_(found[-1])
    return network


@pytest.fixture(scope="session")
def checkpoint(fitted, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("surrogate") / "model.pt"
    path.write_bytes(network_bytes(fitted))
    return path


@pytest.fixture
def make_job(tmp_path, checkpoint) -> MakeJob:
    """A job on the fitted network that writes to `out` in the test's folder."""
    return lambda **changes: job_of(tmp_path / "out", checkpoint, **changes)


@pytest.fixture
def threads():
    """Set the number of threads; what it was before is set again after the test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def stored(network: Network, path: Path) -> Path:
    path.write_bytes(network_bytes(network))
    return path


__all__ = ["MakeJob", "job_of", "only", "spec_of", "stored"]

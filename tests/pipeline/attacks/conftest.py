"""What the attacks are tried on: a LeNet that knows digits, and linear classifiers, whose answers are known."""

import numpy as np
import pytest
import torch
from torch import nn

from passband.kernels import cpu
from passband.pipeline.networks.network import read_network
from passband.pipeline.surrogate.loading import load_surrogate
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SurrogateOptions
from tests.pipeline.trained import CLASSES, SHAPE, digits, trained_lenet

OPTIONS = SurrogateOptions.model_validate({"network": "lenet", "checkpoint": "model.pt", "batch": 8})


class Linear(nn.Module):
    """Logits W x + b of a flat image."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.tensor(weight)), nn.Parameter(torch.tensor(bias))

    def forward(self, images):
        return images.flatten(1) @ self.weight.T + self.bias


def linear_surrogate(classes, shape=(1, 4, 5), seed=0, weight=None):
    """Return a linear classifier as a surrogate, its W and its b."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((classes, int(np.prod(shape)))) if weight is None else weight
    weight, bias = weight.astype(np.float32), (0.1 * rng.standard_normal(classes)).astype(np.float32)
    return Surrogate(Linear(weight, bias), OPTIONS, shape, cpu), weight.astype(float), bias.astype(float)


@pytest.fixture(autouse=True)
def _single(one_thread):
    """Attacks are tried on networks this small with one thread of torch."""


@pytest.fixture(scope="session")
def network():
    return read_network(trained_lenet(), "model.pt").requires_grad_(False)


@pytest.fixture(scope="session")
def lenet():
    return load_surrogate(trained_lenet(), OPTIONS, classes=CLASSES, shape=SHAPE)


@pytest.fixture(scope="session")
def some_digits():
    return np.ascontiguousarray(digits("test")[0][:21])

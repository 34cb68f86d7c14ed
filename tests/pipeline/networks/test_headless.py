"""Networks without their last layer: with it again they are what they were."""

import numpy as np
import pytest
import torch
from torch import nn

from passband.pipeline.networks.headless import headless
from passband.pipeline.networks.network import NETWORKS, NetworkError, NetworkSpec, build_network


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_last_layer_makes_the_logits_of_the_embedding(kind):
    spec = {"kind": kind, "shape": [3, 32, 32], "classes": list("abcde"), "mean": [0.4] * 3, "std": [0.2] * 3}
    network = build_network(NetworkSpec.model_validate(spec), seed=0).eval()
    images = torch.from_numpy(np.random.default_rng(0).random((3, 3, 32, 32), np.float32))
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    body = headless(network)
    with torch.inference_mode():
        embedded = body(images)
        assert embedded.shape == (3, last.in_features)
        torch.testing.assert_close(last(embedded), network(images), rtol=0, atol=0)
    own = {id(parameter) for parameter in network.parameters()}
    assert {id(parameter) for parameter in body.parameters()} == own - {id(last.weight), id(last.bias)}


def test_a_network_without_a_linear_layer_is_refused():
    with pytest.raises(NetworkError, match="does not end in a linear layer"):
        headless(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten()))

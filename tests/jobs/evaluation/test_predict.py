import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch

from passband.jobs.training.predict import accuracy, evaluating, predict
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import build_network
from tests.jobs.evaluation.conftest import manifest_of, only, spec_of


@pytest.mark.parametrize("label", [0, 7])
@pytest.mark.parametrize("batch_size", [1000, 64])
def test_a_network_of_one_answer_is_right_for_that_class(digits, label, batch_size):
    manifest = manifest_of(digits)
    share = manifest.class_counts[str(label)] / manifest.samples
    assert 0 < share < 1
    assert accuracy(only(label), str(digits), "clean", batch_size) == pytest.approx(share, abs=1e-12)


def test_predictions_are_those_of_the_network_in_stored_order(digits):
    network = build_network(spec_of("lenet"), seed=3).eval()
    found = predict(lambda view: network, str(digits), ["low-4", "clean"], batch_size=50)
    assert list(found) == ["low-4", "clean"]
    stream = open_stream(digits, views=["low-4", "clean"], batch_size=400, shuffle=False, drop_last=False)
    (batch,) = stream
    for view, predictions in found.items():
        with torch.inference_mode():
            by_hand = network(batch.images[view].float() / 255).argmax(1).numpy()
        assert (predictions.predicted == by_hand).mean() > 0.99  # another batch size may move a last bit
        for column in ("labels", "groups", "indices"):
            np.testing.assert_array_equal(getattr(predictions, column), getattr(batch, column).numpy())
    assert len(np.unique(found["clean"].predicted)) > 1
    assert (found["clean"].predicted != found["low-4"].predicted).any()


def test_the_mode_of_every_module_comes_back(digits):
    network = build_network(spec_of("resnet18"), seed=0).train()
    network.body.bn1.eval()
    before = [module.training for module in network.modules()]
    statistics = network.body.bn1.running_mean.clone()
    accuracy(network, str(digits), "clean", 128)
    assert [module.training for module in network.modules()] == before
    assert torch.equal(network.body.bn1.running_mean, statistics)
    with suppress(ValueError), evaluating(network):
        assert not network.training
        raise ValueError
    assert [module.training for module in network.modules()] == before


def test_a_view_that_is_not_there_is_named(digits):
    with pytest.raises(PassbandError, match="no view 'fog-3'.*clean, low-4, high-4"):
        accuracy(only(0), str(digits), "fog-3", 64)


def test_nothing_heavy_is_imported(digits):
    script = (
        "import sys\n"
        "from passband.jobs.training.predict import predict\n"
        f"predict(lambda view: lambda images: images.flatten(1), {str(digits)!r}, ['clean'], batch_size=64)\n"
        "print({'ray', 'numba', 'passband.kernels', 'cupy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"

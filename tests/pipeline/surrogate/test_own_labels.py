"""Surrogates that are held to their own predictions, so that their classes may be others than the data's."""

import numpy as np
import pytest
import torch

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from passband.pipeline.networks.packaged import PACKAGED, packaged_weights
from tests.pipeline.networks.test_efficientnet import KIND, KNOWN, NAME, as_published, packaged, spec
from tests.pipeline.surrogate.test_model import CLASSES, SHAPE, load, options, saved, some_images, squeezenet

__all__ = ["squeezenet"]  # a fixture
OWN = {"labels": "own"}


@pytest.fixture(scope="module")
def lite():
    return build_network(spec(map(str, range(17)), (3, 40, 33)), 0).eval()


def test_labels_stand_in_a_job_only_where_they_are_its_own():
    assert "labels" not in options().model_dump()
    assert options(**OWN).model_dump()["labels"] == "own"
    with pytest.raises(ValueError, match="labels"):
        options(labels="none")


def test_the_prediction_itself_is_the_label_where_none_is_given(squeezenet):  # noqa: F811
    surrogate, images = load(saved(squeezenet.state_dict()), options()), some_images()
    found = surrogate.judge(images, None)
    given = surrogate.judge(images, found.predictions)
    np.testing.assert_array_equal(found.predictions, given.predictions)
    np.testing.assert_array_equal(found.losses, given.losses)
    assert (found.losses <= np.log(10)).all()  # the likeliest of ten classes


def test_other_classes_go_with_own_labels_alone(squeezenet):  # noqa: F811
    ours = NetworkSpec(kind="lenet", shape=list(SHAPE), classes=list("abc"), mean=[0.5] * 3, std=[0.25] * 3)
    for content, network in ((saved(squeezenet.state_dict()), "torchvision/squeezenet1_1"),
                             (network_bytes(build_network(ours, 0)), "lenet")):  # fmt: skip
        with pytest.raises(NetworkError, match="2 classes"):
            load(content, options(network), classes=["x", "y"])
        surrogate = load(content, options(network, **OWN), classes=["x", "y"])
        assert surrogate.own_labels
        np.testing.assert_array_equal(
            surrogate.predict(some_images()), load(content, options(network, **OWN)).predict(some_images())
        )
    with pytest.raises(NetworkError, match="ends with no weights of a last layer"):
        load(saved({"a": torch.tensor(1.0)}), options(**OWN))


def test_published_weights_are_a_surrogate(lite):
    shape = (3, 48, 35)  # any size: they are bound to none
    content = saved(as_published(lite))
    surrogate = load(content, options(KIND, **OWN), shape=shape)
    images = np.random.default_rng(0).random((5, *shape), np.float32)
    with torch.inference_mode():
        logits = lite(torch.from_numpy(images))
    np.testing.assert_array_equal(surrogate.predict(images), logits.argmax(1))
    _, gradient = surrogate.attack(images, surrogate.predict(images))
    assert np.abs(gradient).max() > 0
    assert load(content, options(KIND), [str(n) for n in range(17)], shape).predict(images).shape == (5,)


def test_published_weights_that_do_not_fit_are_refused(lite):
    good = as_published(lite)
    with pytest.raises(NetworkError, match="tells 17 classes apart, the data has 10; labels: own makes do with others"):
        load(saved(good), options(KIND))
    with pytest.raises(NetworkError, match="is no state dict of this network: it lacks blocks.3.expand.0.weight"):
        load(saved({k: v for k, v in good.items() if k != "_blocks.3._expand_conv.weight"}), options(KIND, **OWN))
    with pytest.raises(NetworkError, match="net.pt: takes images of 3 channels, the data has 1"):
        load(saved(good), options(KIND, **OWN), shape=(1, 32, 32))
    with pytest.raises(NetworkError, match="the weight fc.bias holds infinity"):
        load(saved(good | {"_fc.bias": torch.full((17,), torch.inf)}), options(KIND, **OWN))


def test_a_training_of_that_network_is_a_surrogate_too():
    network = build_network(spec(CLASSES, SHAPE), 1)
    assert load(network_bytes(network), options(KIND)).predict(some_images()).shape == (5,)


@packaged
def test_the_name_of_published_weights_becomes_their_file():
    given = options(KIND, checkpoint=NAME, **OWN)
    assert given.file() == given.checkpoint == str(packaged_weights(KIND, NAME)[0])
    assert given.sha256 == KNOWN.sha256
    assert options(**given.model_dump()) == given
    assert options(KIND, checkpoint=NAME, sha256="0" * 64).sha256 == "0" * 64
    assert given.with_absolute_path(lambda path: f"/there{path}").checkpoint == f"/there{given.checkpoint}"
    assert options("lenet", checkpoint=NAME).checkpoint == NAME  # a file of that name


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(PACKAGED[KIND], NAME, KNOWN._replace(package="no_such_package"))
    given = options(KIND, checkpoint=NAME)  # can be read all the same
    assert given.checkpoint == NAME
    with pytest.raises(NetworkError, match="'no_such_package', which is not installed"):
        given.file()

"""What a training begins with: torchvision's own weights by name, and the stem that the size of the images asks for."""

import hashlib

import pytest
import torch

from passband.jobs.common.jobfile import JobError
from passband.jobs.training.first_network import with_stem
from passband.jobs.training.run import train
from passband.pipeline.errors import IntegrityError
from passband.pipeline.networks.network import NetworkError, load_network
from passband.pipeline.networks.pretrained import IMAGENET
from tests.jobs.training.test_run import in_steps
from tests.pipeline.networks.test_pretrained import KIND, hub, registered  # noqa: F401  # fixtures

NAMED = {"kind": KIND, "weights": "IMAGENET1K_V1"}


def test_a_training_begins_with_the_weights_of_that_name(train_job, hub, registered, tmp_path):  # noqa: F811
    content, name, state = registered(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    with pytest.raises(NetworkError, match=f"{KIND}: IMAGENET1K_V1 is the file {name}, which is not in {hub}"):
        train(train_job(network=NAMED))
    assert not (tmp_path / "out").exists()
    (hub / name).write_bytes(content)
    job = train_job(network=NAMED, optimizer={"lr": 1e-6, "momentum": 0.0, "weight_decay": 0.0}, **in_steps(1))
    results = train(job)
    found = load_network(tmp_path / "out")
    torch.testing.assert_close(found.body.conv.weight, state["conv.weight"], rtol=1e-4, atol=1e-4)
    assert found.spec.mean == [0.5, 0.4, 0.3]  # what the weights were trained with
    assert found.spec.classes == list("0123456789")
    assert results["identity"] != job.model_copy(update={"network": job.network.model_copy(update={"weights": None})}
                                                 ).identity(results["dataset"])  # fmt: skip
    assert train(job) == results  # it is found finished
    assert hashlib.sha256(content).hexdigest().startswith(name[5:13])


def test_a_training_begins_from_a_plain_state_dict(train_job, registered, tmp_path):  # noqa: F811
    content, _, state = registered()
    file = tmp_path / "tiny.pth"
    still = {"optimizer": {"lr": 1e-6, "momentum": 0.0, "weight_decay": 0.0}, **in_steps(1)}
    job = train_job(network={"kind": KIND, "pretrained": str(file)}, **still)
    with pytest.raises(JobError, match="network.pretrained: cannot read .*tiny.pth: No such file"):
        train(job)
    file.write_bytes(content)
    results = train(job)
    found = load_network(tmp_path / "out")
    torch.testing.assert_close(found.body.conv.weight, state["conv.weight"], rtol=1e-4, atol=1e-4)
    assert found.body.fc.out_features == 10
    assert found.spec.mean == pytest.approx(IMAGENET[0])
    elsewhere = tmp_path / "copy.pth"
    elsewhere.write_bytes(content)
    given = {"kind": KIND, "pretrained": str(elsewhere), "sha256": hashlib.sha256(content).hexdigest()}
    same = train_job(network=given, **still)
    assert same.identity(results["dataset"]) == results["identity"]  # the content counts, not its place
    with pytest.raises(IntegrityError, match="the job says 0000"):
        train(train_job(tmp_path / "other", network={"kind": KIND, "pretrained": str(file), "sha256": "0" * 64}))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"kind": "resnet18", "weights": "IMAGENET1K_V1"},
            "there are no weights 'IMAGENET1K_V1' for resnet18; allowed: none",
        ),
        (
            {"kind": "efficientnet_lite0", "weights": "IMAGENET1K_V1"},
            "there are no weights 'IMAGENET1K_V1' for efficientnet_lite0; allowed: IMAGENET1K",
        ),
        (NAMED | {"checkpoint": "model.pt"}, "not from weights and checkpoint"),
        ({"kind": "vit"}, "kind is 'vit'; allowed: convnet, lenet, vgg11, .*or torchvision/NAME"),
        ({"kind": "lenet", "stem": "cifar"}, "a stem is chosen for resnet18 and wide_resnet16_4 only"),
        ({"kind": "lenet", "dropout": 0.5, "checkpoint": "model.pt"}, "batch_norm and dropout come with the"),
        ({"kind": "lenet", "dropout": 1.0}, r"network.dropout: got 1.0"),
        ({"kind": "torchvision/resnet18", "dropout": 0.1}, "dropout is chosen for .* only, not for torchvision/res"),
        ({"kind": "lenet", "sha256": "0" * 64}, "sha256 is that of a checkpoint or a state dict, and none"),
        ({"kind": "lenet", "pretrained": "a.pth", "checkpoint": "model.pt"}, "not from checkpoint and pretrained"),
    ],
)
def test_what_does_not_go_together_is_refused(train_job, network, message):
    with pytest.raises(JobError, match=message):
        train_job(network=network)


def test_a_stem_is_said_only_where_the_size_asks_for_another_than_before(train_job):
    job = train_job(network={"kind": "wide_resnet16_4"})
    assert with_stem(job, [3, 64, 64]) is job
    assert with_stem(job, [3, 64, 65]).network.stem == "imagenet"
    for network in ({"kind": "resnet18"}, {"kind": "lenet"}, {"kind": "wide_resnet16_4", "stem": "cifar"}):
        given = train_job(network=network)
        assert with_stem(given, [3, 224, 224]) is given


def test_younger_keys_are_left_out_of_jobs_that_do_not_use_them(train_job):
    assert train_job().model_dump()["network"].keys() == {"kind", "stem", "mean", "std", "checkpoint"}

"""`watch`: accuracy and loss on views of the training set itself."""

import pytest
import torch

from passband.jobs.comparison import trainings
from passband.jobs.comparison.reading import read_runs
from passband.jobs.training.log import read_metrics
from passband.jobs.training.run import train
from passband.jobs.training.spec import parse_train_job
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import load_network
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore

WATCH = {"views": ["clean", "low"], "every_epochs": 2}


def by_hand(out, digits, view):
    """Accuracy and loss of the trained network on all images of a view, one by one."""
    network, right, loss = load_network(out), [], []
    with open_stream(digits, views=[view], batch_size=1, shuffle=False, rank=0, world_size=1) as stream:
        for batch in stream:
            logits = network(batch.images[view].float() / 255).detach().double()
            right.append(float(logits.argmax(1) == batch.labels))
            loss.append(float(logits.logsumexp(1) - logits[0, batch.labels]))
    return sum(right) / len(right), sum(loss) / len(loss)


def test_views_of_the_training_set_are_watched(train_job, digits, tmp_path):
    changes = {"data": {"views": ["clean"], "crop_padding": 2}, "epochs": 5}
    results, out = train(train_job(watch=WATCH, **changes)), tmp_path / "out"
    assert results == read_sealed(LocalStore(out), "results.json")
    assert list(results["accuracy"]) == ["accuracy/train/clean", "accuracy/train/low"]
    assert list(results["losses"]) == ["loss/train/clean", "loss/train/low"]
    for view in ("clean", "low"):
        accuracy, loss = by_hand(out, digits, view)
        assert results["accuracy"][f"accuracy/train/{view}"] == pytest.approx(accuracy)
        assert results["losses"][f"loss/train/{view}"] == pytest.approx(loss, rel=1e-5)
    lines = [line for line in read_metrics(out) if "loss/train/low" in line]
    assert [line["epoch"] for line in lines] == [1, 3, 4]
    assert lines[-1].items() >= (results["accuracy"] | results["losses"]).items()
    assert lines[0]["loss/train/clean"] > lines[-1]["loss/train/clean"]
    charts = [block.title for block in trainings.section(read_runs([str(out)])).blocks]
    assert charts == ["Numbers", "Loss", "Accuracy", "Loss by view"]


def test_to_be_watched_changes_no_weight(train_job, tmp_path):
    train(train_job(tmp_path / "plain"))
    train(train_job(tmp_path / "watched", watch={"views": ["prime"]}))
    plain, watched = (load_network(tmp_path / name).state_dict() for name in ("plain", "watched"))
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


def test_a_finished_training_is_watched_as_the_job_asks_now(train_job, tmp_path):
    first = train(train_job())
    assert "losses" not in first
    second = train(train_job(watch=WATCH, evaluate={"all": {"path": str(train_job().data.path)}}))
    assert list(second["accuracy"]) == ["accuracy/all", "accuracy/train/clean", "accuracy/train/low"]
    assert second["accuracy"]["accuracy/all"] == second["accuracy"]["accuracy/train/clean"]
    assert train(train_job()) == first


def test_jobs_without_it_keep_their_form_and_all_keep_their_identity(train_job):
    plain, watched = train_job(), train_job(watch=WATCH)
    assert "watch" not in plain.model_dump()
    assert parse_train_job(watched.model_dump()) == watched
    assert watched.model_dump()["watch"] == WATCH
    assert watched.identity("0") == plain.identity("0")


def test_averaged_weights_are_watched_at_the_end(train_job, digits, tmp_path):
    results = train(train_job(watch={"views": ["low"]}, epochs=4, swa={"start": 0.5}))
    accuracy, loss = by_hand(tmp_path / "out", digits, "low")
    assert results["accuracy"] == {"accuracy/train/low": pytest.approx(accuracy)}
    assert results["losses"] == {"loss/train/low": pytest.approx(loss, rel=1e-5)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"watch": {"views": ["low-4"]}}, "low-4"),
        ({"watch": {"views": []}}, "watch.views"),
        ({"watch": {"views": ["low"], "every_epochs": 0}}, "watch.every_epochs"),
        ({"watch": {"view": ["low"]}}, r"unknown key 'view' \(did you mean views\?\)"),
        ({"watch": WATCH, "evaluate": {"train": {"path": "x"}}}, "evaluate.train: what is watched has this name"),
    ],
    ids=str,
)
def test_what_cannot_be_watched_is_refused_before_the_first_step(train_job, tmp_path, changes, said):
    with pytest.raises(PassbandError, match=said):
        train(train_job(**changes))
    assert not (tmp_path / "out" / "metrics.jsonl").exists()


def test_shuffled_labels_are_what_is_trained_on_and_watched(train_job, digits, tmp_path):
    shuffled = train_job(data={"shuffle_labels": 3}, watch={"views": ["clean"]}, epochs=1)
    assert shuffled.identity("0") != train_job(epochs=1).identity("0")
    assert "shuffle_labels" not in train_job().model_dump()["data"]
    results, network = train(shuffled), load_network(tmp_path / "out")
    right = []
    with open_stream(digits, views=["clean"], batch_size=355, shuffle=False, shuffle_labels=3) as stream:
        for batch in stream:
            right.append((network(batch.images["clean"].float() / 255).argmax(1) == batch.labels).float().mean())
    assert results["accuracy"]["accuracy/train/clean"] == pytest.approx(float(right[0]), abs=0.01)
    assert results["loss"] > 2, "there is nothing to learn in an epoch"

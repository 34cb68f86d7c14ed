"""Weights that are not those that were written: found wherever they are read, and never written in the first place."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from passband.jobs.evaluation.display import SilentDisplay as SilentEvaluation
from passband.jobs.evaluation.run import evaluate
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.training import loop
from passband.jobs.training.display import SilentDisplay
from passband.jobs.training.log import read_metrics
from passband.jobs.training.loop import TrainingError
from passband.jobs.training.run import train
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.layout import LAST_CHECKPOINT
from passband.pipeline.networks.network import NetworkError, load_network
from tests.jobs.training.test_run import StopAfter, assert_same_training


class Notes(SilentDisplay, SilentEvaluation):
    """Keeps what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, message: str) -> None:
        self.told.append(message)


def flip(file: Path, name: str) -> None:
    """Flip one bit in the middle of the largest tensor of a checkpoint, which torch does not notice."""
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(io.BytesIO(bytes(content))) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content[largest.header_offset + largest.file_size // 2] ^= 1
    file.write_bytes(content)
    assert torch.load(file, weights_only=True).keys() >= {"format", name}


def poison(file: Path, section: str, value: float) -> None:
    """Put `value` into the first float tensor of a section, as a training that went wrong would have."""
    state = torch.load(file, weights_only=True)
    first = next(tensor for tensor in tensors(state[section]) if tensor.is_floating_point())
    first.view(-1)[0] = value
    torch.save(state, file)
    Path(f"{file}.sha256").unlink(missing_ok=True)


def tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from tensors(entry)


@pytest.fixture
def stopped(train_job, tmp_path):
    """Return a job that was stopped after two steps, and its folder."""
    job = train_job(optimizer={"kind": "adam", "lr": 1e-3}, swa={"start": 0.0})
    with pytest.raises(SystemExit):
        train(job, stopped=StopAfter(1))
    return job, tmp_path / "out"


def evaluation(digits, model: Path, out: Path, **changes):
    given = {"kind": "evaluate", "name": "look", "checkpoint": str(model), "test": {"path": str(digits)},
             "bootstrap": {"resamples": 10}, "output": {"uri": str(out)}, "compute": {"device": "cpu"}}  # fmt: skip
    return parse_evaluate_job(given | changes)


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "of before"])
def test_a_flipped_bit_of_a_checkpoint_is_not_resumed(stopped, hashed):
    job, out = stopped
    flip(out / LAST_CHECKPOINT, "network")
    if not hashed:
        (out / "checkpoint.pt.sha256").unlink()
    advised = "delete checkpoint.pt and checkpoint.pt.sha256"
    with pytest.raises(IntegrityError, match=f"checkpoint.pt.*sha256.*; {advised}|{advised}.*check sum"):
        train(job)


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "of before"])
def test_a_flipped_bit_of_a_network_is_loaded_nowhere(train_job, digits, tmp_path, hashed):
    train(train_job(epochs=1))
    model = tmp_path / "out" / "model.pt"
    flip(model, "state")
    if not hashed:
        Path(f"{model}.sha256").unlink()
    uses = [
        lambda: load_network(tmp_path / "out"),
        lambda: evaluate(evaluation(digits, model, tmp_path / "look")),
        lambda: train(train_job(tmp_path / "tuned", network={"checkpoint": str(model)})),
        lambda: train(train_job(epochs=1)),  # it was finished
    ]
    for use in uses:
        with pytest.raises(PassbandError, match=r"model.pt: (has sha256|is damaged: .* check sum)"):
            use()
    assert not (tmp_path / "look" / "results.json").exists()


def test_the_file_beside_cannot_be_edited_alone_either(train_job, digits, tmp_path):
    train(train_job(epochs=1))
    model = tmp_path / "out" / "model.pt"
    Path(f"{model}.sha256").write_text(f"{'0' * 64}  model.pt\n")
    with pytest.raises(IntegrityError, match=f"model.pt.sha256 says {'0' * 64}"):
        evaluate(evaluation(digits, model, tmp_path / "look"))


def test_another_network_with_a_hash_of_its_own_is_not_that_of_the_results(train_job, tmp_path):
    train(train_job(epochs=1))
    train(train_job(tmp_path / "other", epochs=1, seed=5))
    for name in ("model.pt", "model.pt.sha256"):
        (tmp_path / "out" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(IntegrityError, match=r"model.pt: has sha256 \w+, results.json says"):
        train(train_job(epochs=1))


def test_a_hash_in_the_job_counts(train_job, digits, tmp_path):
    results = train(train_job(epochs=1))
    model, right, wrong = tmp_path / "out" / "model.pt", results["model_sha256"], "0" * 64
    for sha256, name in ((right, "right"), (wrong, "wrong")):
        job = evaluation(digits, model, tmp_path / name, sha256=sha256)
        tuned = train_job(tmp_path / f"tuned-{name}", epochs=1, network={"checkpoint": str(model), "sha256": sha256})
        if sha256 == right:
            assert evaluate(job).checkpoint.sha256 == right
            plain = tuned.model_copy(update={"network": tuned.network.model_copy(update={"sha256": None})})
            assert tuned.identity("0" * 64) == plain.identity("0" * 64)  # a check changes no weight
            train(tuned)
            continue
        for use in (lambda job=job: evaluate(job), lambda job=tuned: train(job)):
            with pytest.raises(IntegrityError, match=f"has sha256 {right}, the job says {wrong}"):
                use()


def test_what_an_earlier_version_left_goes_on_bit_for_bit_and_is_told(stopped, train_job, digits, tmp_path):
    job, out = stopped
    changes = {"optimizer": {"kind": "adam", "lr": 1e-3}, "swa": {"start": 0.0}}
    train(train_job(tmp_path / "whole", **changes))
    state = torch.load(out / LAST_CHECKPOINT, weights_only=True)
    del state["identity"]
    torch.save(state, out / LAST_CHECKPOINT)
    (out / "checkpoint.pt.sha256").unlink()
    notes = Notes()
    train(job, display=notes)
    assert notes.told == [
        f"{out}/checkpoint.pt: is of an earlier version and has no sha256 beside it, so only its structure was checked"
    ]
    assert_same_training(out, tmp_path / "whole")
    (out / "model.pt.sha256").unlink()
    results = json.loads((out / "results.json").read_text())
    del results["model_sha256"], results["digest"]
    (out / "results.json").write_text(json.dumps(results))
    assert train(job) == results
    shown = Notes()
    evaluate(evaluation(digits, out, tmp_path / "look"), display=shown)
    assert shown.told == [f"{out}/model.pt: no model.pt.sha256 lies beside it, so only its structure was checked"]


@pytest.mark.parametrize("section", ["network", "optimizer", "average"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_checkpoint_that_is_not_finite_is_not_resumed(stopped, section, value):
    job, out = stopped
    poison(out / LAST_CHECKPOINT, section, value)
    word = "NaN" if value != value else "infinity"
    with pytest.raises(IntegrityError, match=rf"checkpoint.pt: {section}\..* holds {word}, so there is nothing"):
        train(job)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_network_that_is_not_finite_gives_no_table(train_job, digits, tmp_path, value):
    train(train_job(epochs=1))
    poison(tmp_path / "out" / "model.pt", "state", value)
    for use in (
        lambda: evaluate(evaluation(digits, tmp_path / "out", tmp_path / "look")),
        lambda: train(train_job(tmp_path / "tuned", network={"checkpoint": str(tmp_path / "out")})),
    ):
        with pytest.raises(NetworkError, match=r"model.pt: the weight .* holds (NaN|infinity); a network that is not"):
            use()
    assert not (tmp_path / "look" / "results.json").exists()


@pytest.mark.parametrize(("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinity")])
def test_weights_that_went_wrong_are_not_written_and_the_last_good_checkpoint_stays(
    train_job, tmp_path, monkeypatch, value, word
):
    def wrecked(training, batch, epoch, step=loop._step):
        """Take a step whose gradient is finite, and whose weights are not."""
        metrics = step(training, batch, epoch)
        if training.step == 1:
            next(training.network.parameters()).data.view(-1)[0] = value
        return metrics

    monkeypatch.setattr(loop, "_step", wrecked)
    message = rf"^epoch 2, step 2: network\..* holds {word}; it is not written; the checkpoint of step 1 is kept$"
    with pytest.raises(TrainingError, match=message):
        train(train_job(epochs=2, batch_size=355))
    assert torch.load(tmp_path / "out" / LAST_CHECKPOINT, weights_only=True)["step"] == 1
    assert not (tmp_path / "out" / "model.pt").exists()
    assert json.loads((tmp_path / "out" / "nonfinite.json").read_text())["step"] == 2


def test_a_loss_that_is_not_finite_names_epoch_and_step(train_job):
    job = train_job(optimizer={"lr": 1e30}, schedule={"kind": "constant"})
    with pytest.raises(TrainingError, match=r"^epoch 1, step 1: .*; there is no checkpoint$"):
        train(job)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"identity": 3}', b"\xff", b'{"a": ' * 5000])
def test_damaged_results_are_one_line(train_job, tmp_path, content):
    train(train_job(epochs=1))
    (tmp_path / "out" / "results.json").write_bytes(content)
    with pytest.raises(
        IntegrityError, match=r"results.json: is damaged: .*; delete model.pt, model.pt.sha256 and results.json"
    ) as caught:
        train(train_job(epochs=1))
    assert "\n" not in str(caught.value)


def test_a_damaged_log_is_one_line(stopped):
    job, out = stopped
    (out / "metrics.jsonl").write_text('{"step": 1}\n{"step\n')
    with pytest.raises(IntegrityError, match=r"metrics.jsonl: line 2 is damaged; remove it$"):
        train(job)
    with pytest.raises(IntegrityError, match="line 2 is damaged"):
        read_metrics(out)


def test_a_checkpoint_of_another_training_is_not_gone_on_from(train_job, tmp_path):
    for name, seed in (("out", 1), ("other", 2)):
        with pytest.raises(SystemExit):
            train(train_job(tmp_path / name, seed=seed), stopped=StopAfter(1))
    for name in (LAST_CHECKPOINT, f"{LAST_CHECKPOINT}.sha256"):
        (tmp_path / "out" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(
        IntegrityError, match=r"checkpoint.pt: is of training \w+, not of \w+; delete checkpoint.pt and"
    ):
        train(train_job())


def test_a_checkpoint_of_another_form_is_one_line(stopped):
    job, out = stopped
    state = torch.load(out / LAST_CHECKPOINT, weights_only=True)
    del state["optimizer"]["state"], state["identity"]
    torch.save(state, out / LAST_CHECKPOINT)
    (out / f"{LAST_CHECKPOINT}.sha256").unlink()
    with pytest.raises(IntegrityError, match="is no checkpoint of this training; delete checkpoint.pt and ") as caught:
        train(job)
    assert "\n" not in str(caught.value)


def test_a_job_of_a_training_that_was_edited_or_cut_is_refused(train_job, tmp_path):
    train(train_job(epochs=1))
    file = tmp_path / "out" / "job.yaml"
    whole = file.read_text()
    assert whole.startswith("digest: ")
    for damaged in (whole.replace("epochs: 1", "epochs: 2"), "".join(whole.splitlines(keepends=True)[:-3])):
        file.write_text(damaged)
        with pytest.raises(IntegrityError, match="job.yaml: was changed after the plan was made, or cut short"):
            train(train_job(epochs=1))


@pytest.mark.parametrize("job", [{}, {"job": None}, {"job": {"kind": "train"}}], ids=str)
def test_a_job_of_an_earlier_version_that_says_little_is_written_anew(train_job, tmp_path, job):
    results = train(train_job(epochs=1))
    file = tmp_path / "out" / "job.yaml"
    written = file.read_bytes()
    file.write_text(yaml.safe_dump({"identity": results["identity"], **job}))
    train(train_job(epochs=1))
    assert file.read_bytes() == written

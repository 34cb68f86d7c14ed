import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from passband.jobs.common.jobfile import JobError, read_yaml
from passband.jobs.common.overwrite import claimed
from passband.jobs.evaluation import looking
from passband.jobs.evaluation.results import read_evaluation
from passband.jobs.evaluation.run import evaluate
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.training.predict import predict
from passband.pipeline.errors import PassbandError
from passband.pipeline.networks.network import build_network
from passband.pipeline.sources.cifar10c import CLASSES, CLASSES_100
from tests.jobs.drawing.page import Page, scroll_width
from tests.jobs.evaluation.conftest import manifest_of, only, spec_of
from tests.pipeline.sources import files

DIGITS = {"source": {"kind": "digits", "split": "test"}, "image": {"size": 16}}


@pytest.fixture
def evaluation_job(tmp_path, checkpoint):
    """Return a function that makes a job for a network; `changes` replace keys of it."""

    def make(network, **changes):
        given = {
            "kind": "evaluate",
            "name": "trial",
            "checkpoint": checkpoint(network),
            "output": {"uri": str(tmp_path / "out")},
            "datasets": str(tmp_path / "datasets"),
            "bootstrap": {"resamples": 100},
            "compute": {"device": "cpu", "batch_size": 100},
        }
        return parse_evaluate_job(given | changes)

    return make


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Return a folder of datasets that tests share, as all evaluations of one user would."""
    return str(tmp_path_factory.mktemp("made"))


def test_one_answer_is_right_for_its_share_under_every_condition(evaluation_job, digits, made):
    label = 3
    job = evaluation_job(
        only(label),
        test={"path": str(digits)},
        domains={"low": {"path": str(digits), "view": "low-4"}, "train": DIGITS | {"source": {"kind": "digits"}}},
        corruptions={**DIGITS, "types": ["fog", "contrast"], "severities": [1, 4]},
        frequency={**DIGITS, "radii": [4]},
        groups=True,
        datasets=made,
    )
    found = evaluate(job)
    assert claimed(job.output.uri).kind == "evaluation"  # all of it: no file is a stranger's
    manifest = manifest_of(digits)
    share = manifest.class_counts[str(label)] / manifest.samples
    of_test = ["test", "domain low", "clean", "fog-1", "fog-4", "contrast-1", "contrast-4", "low-4", "high-4"]
    for condition in of_test:
        assert found.accuracy(condition) == pytest.approx(share, abs=1e-12), condition
    assert found.accuracy("domain train") == pytest.approx(share, abs=0.02)
    assert found.accuracy("domain train") != share
    groups = {row.level: row for row in found.of_kind("group")}
    assert {level: row.samples for level, row in groups.items()} == {
        int(group): count for group, count in manifest.group_counts.items()
    }
    assert sum(row.samples * row.accuracy for row in groups.values()) == pytest.approx(share * manifest.samples)
    for row in found.rows:
        assert row.low <= row.accuracy <= row.high
    error = found.summary("mean_error")
    assert error.value == pytest.approx(1 - share)
    # All corruptions show the same samples, so their mean varies as much as one of them.
    fog = next(row for row in found.rows if row.condition == "fog-1")
    assert error.high - error.low == pytest.approx(fog.high - fog.low, rel=0.5)
    assert read_evaluation(job.output.uri) == found


@pytest.mark.slow
def test_mce_relative_to_another_evaluation(evaluation_job, made, tmp_path):
    corruptions = {"types": ["fog", "contrast"]}
    common = {"test": DIGITS, "corruptions": corruptions, "datasets": made}
    baseline = evaluate(evaluation_job(only(3), output={"uri": str(tmp_path / "baseline")}, **common))
    job = evaluation_job(build_network(spec_of("lenet"), 1), baseline=str(tmp_path / "baseline"), **common)
    found = evaluate(job)
    by_hand = []
    for corruption in corruptions["types"]:
        errors = [
            sum(1 - results.accuracy(f"{corruption}-{severity}") for severity in range(1, 6))
            for results in (found, baseline)
        ]
        by_hand.append(100 * errors[0] / errors[1])
    assert found.summary("mCE").value == pytest.approx(np.mean(by_hand))
    assert [corruption.ce for corruption in found.corruptions] == pytest.approx(by_hand)


def test_what_was_predicted_is_not_predicted_again(evaluation_job, digits, monkeypatch):
    calls = []

    def counted(classifiers, path, views, **options):
        calls.append(list(views))
        return predict(classifiers, path, views, **options)

    monkeypatch.setattr(looking, "predict", counted)
    first, second = {"path": str(digits)}, {"path": str(digits), "view": "low-4"}
    network = build_network(spec_of("lenet"), 0)
    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluation_job(network, test=first, domains={"low": second}), checkpoint=_interrupt)
    assert calls == [["clean"]]
    job = evaluation_job(network, test=first, domains={"low": second})
    found = evaluate(job)
    assert calls == [["clean"], ["low-4"]]
    assert evaluate(job) == found
    assert len(calls) == 2
    kept = stored_predictions(job.output.uri)[0]
    kept.write_bytes(kept.read_bytes()[:-20])  # half written, or damaged
    assert evaluate(job) == found
    assert len(calls) == 3
    evaluate(evaluation_job(build_network(spec_of("lenet"), 1), test=first))
    assert len(calls) == 4, "other weights"


def _interrupt():
    raise KeyboardInterrupt


def stored_predictions(out):
    return sorted(Path(out).glob("predictions/*.npz"))


@pytest.mark.slow
def test_adaptation_changes_predictions_and_is_kept_apart(evaluation_job, digits):
    network = build_network(spec_of("resnet18"), 0)
    test = {"path": str(digits)}
    plain = evaluate(evaluation_job(network, test=test))
    for adapt in ({"prior": 16, "batch": 8}, {"prior": 0, "batch": 400}):
        found = evaluate(evaluation_job(network, test=test, adapt=adapt))
        assert found.rows[0].dataset == plain.rows[0].dataset
    kept = [np.load(path)["predicted"].tobytes() for path in stored_predictions(found.job["output"]["uri"])]
    assert len(set(kept)) == 3
    with pytest.raises(JobError, match="lenet has no batch norm"):
        evaluate(evaluation_job(only(0), test=test, adapt={"prior": 0, "batch": 400}))


@pytest.mark.slow
def test_the_report_is_a_page_that_fits_its_screen(evaluation_job, made, digits, tmp_path):
    job = evaluation_job(
        only(3),
        name="of-everything",
        test=DIGITS,
        domains={"a-domain-of-a-rather-long-name-that-goes-on": {"path": str(digits)}},
        corruptions={"types": ["fog", "contrast"]},
        frequency={"radii": [2, 4]},
        groups=True,
        datasets=made,
    )
    found = evaluate(job)
    report = (tmp_path / "out" / "report.html").read_text()
    page = Page(report)
    assert page.all("script") == page.all("link") == []
    assert len(page.all("img")) == 4
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    for row in found.rows:
        assert row.condition in page.text
    assert found.checkpoint.sha256 in page.text
    for dataset in found.datasets:
        assert dataset.identity in page.text
    for width in (360, 1000):
        assert scroll_width(report, width, tmp_path) <= width


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": {"path": "{digits}", "view": "fog-1"}}, "no view 'fog-1'; its views are clean, low-4, high-4"),
        ({"test": {"path": "{digits}"}, "groups": [0, 9]}, "group 9 has no sample in test; groups there: 0, 1, 2"),
        ({"test": {"path": "{digits}"}, "checkpoint": "nothing"}, "there is no checkpoint"),
        ({"test": {"path": "nothing"}}, "no manifest.json"),
        ({"test": {"path": "{digits}"}, "output": {"uri": "{digits}"}}, "holds a dataset or a training"),
        ({"test": {"path": "{digits}"}, "output": {"uri": "s3://bucket/x"}}, "cannot open|a local folder"),
    ],
)
def test_what_cannot_be_is_told(evaluation_job, digits, changes, message, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    filled = json.loads(json.dumps(changes).replace("{digits}", str(digits)))
    with pytest.raises(PassbandError, match=message):
        evaluate(evaluation_job(only(0), **filled))


def test_a_network_of_other_classes_or_images_is_refused(evaluation_job, digits):
    test = {"path": str(digits)}
    with pytest.raises(JobError, match="has the classes 0, 1, .*, the network tells a, b apart"):
        evaluate(evaluation_job(build_network(spec_of("lenet", ["a", "b"]), 0), test=test))
    with pytest.raises(JobError, match=r"images of shape \[3, 16, 16\], the network takes \[3, 32, 32\]"):
        evaluate(evaluation_job(build_network(spec_of("lenet", side=32), 0), test=test))


def test_results_of_something_else_are_not_replaced(evaluation_job, digits, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text('{"rows": []}')
    with pytest.raises(JobError, match="is not the results.json of an evaluation"):
        evaluate(evaluation_job(only(0), test={"path": str(digits)}))


def test_threads_are_given_back(evaluation_job, digits):
    before = torch.get_num_threads()
    evaluate(evaluation_job(only(0), test={"path": str(digits)}, compute={"device": "cpu", "threads": before + 1}))
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_whole_evaluation_imports_nothing_heavy(evaluation_job, made, tmp_path):
    job = evaluation_job(only(0), test=DIGITS, corruptions={"types": ["fog"]}, frequency={"radii": [4]}, datasets=made)
    (tmp_path / "job.json").write_text(json.dumps(job.model_dump()))
    script = (
        "import json, sys\n"
        "from passband.jobs.evaluation.run import evaluate\n"
        "from passband.jobs.evaluation.spec import parse_evaluate_job\n"
        f"evaluate(parse_evaluate_job(json.load(open({str(tmp_path / 'job.json')!r}))))\n"
        "print({'ray', 'numba', 'passband.kernels', 'cupy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


def test_the_published_corruptions_of_cifar100_are_looked_at(evaluation_job, tmp_path):
    cifar = files.write_cifar(tmp_path / "cifar-100-binary", coarse=True)
    (cifar / "fine_label_names.txt").write_text("\n".join(CLASSES_100))
    folder = files.write_cifar10c(tmp_path / "CIFAR-100-C", corruptions=("fog",), count=20)
    np.save(folder / "labels.npy", np.concatenate([np.arange(20) + 50 * (level % 2) for level in range(5)]))
    network = build_network(spec_of("lenet", list(CLASSES_100), 32), seed=0).eval()
    with torch.no_grad():
        network.load_state_dict({name: torch.zeros_like(value) for name, value in network.state_dict().items()})
    test = {"source": {"kind": "cifar100", "path": str(cifar), "split": "test"}, "image": {"size": 32}}
    asked = {"published": str(folder), "types": ["fog"], "severities": [3, 4]}
    found = evaluate(evaluation_job(network, test=test, corruptions=asked, datasets=str(tmp_path / "made")))
    # All logits are equal, so every answer is the first class: a twentieth of severity 3, none of 4.
    assert {row.condition: row.accuracy for row in found.of_kind("corruption")} == {"fog-3": 0.05, "fog-4": 0.0}


def test_the_published_corruptions_of_cifar_are_looked_at(evaluation_job, tmp_path, monkeypatch, request):
    recipe = read_yaml(request.config.rootpath / "jobs" / "recipes" / "cifar10c-evaluate.yaml")
    (tmp_path / "data").mkdir()
    cifar = files.write_cifar(tmp_path / recipe["test"]["source"]["path"])
    (cifar / "batches.meta.txt").write_text("\n".join(CLASSES))
    folder = files.write_cifar10c(tmp_path / recipe["corruptions"]["published"], count=20)
    labels = np.concatenate([np.arange(20) % 10 if level == 4 else np.full(20, level) for level in range(5)])
    np.save(folder / "labels.npy", labels.astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    network = build_network(spec_of("lenet", list(CLASSES), 32), seed=0).eval()
    with torch.no_grad():
        network.load_state_dict({name: torch.zeros_like(value) for name, value in network.state_dict().items()})
    asked = recipe["corruptions"] | {"types": ["fog", "snow"], "severities": [1, 2, 5]}
    found = evaluate(evaluation_job(network, test=recipe["test"], corruptions=asked, datasets="made"))
    # All logits are equal, so every answer is the first class: all of severity 1, none of 2, a tenth of 5.
    accuracies = {row.condition: row.accuracy for row in found.of_kind("corruption")}
    assert accuracies == {
        f"{name}-{level}": a for name in ("fog", "snow") for level, a in ((1, 1.0), (2, 0.0), (5, 0.1))
    }
    assert found.summary("mean_error").value == pytest.approx(1 - 1.1 / 3)
    assert found.of_kind("clean") == []
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "Severity 0" not in page.text

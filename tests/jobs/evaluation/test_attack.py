"""Accuracy under attack and with smoothed kernels, from a job file to the page."""

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from passband.jobs.common.jobfile import JobError
from passband.jobs.comparison.conditions import conditions_of
from passband.jobs.comparison.evaluation_charts import dot_rows
from passband.jobs.evaluation import looking
from passband.jobs.evaluation.attack import predict_attacked
from passband.jobs.evaluation.conditions import parts_of
from passband.jobs.evaluation.results import read_evaluation
from passband.jobs.evaluation.run import evaluate
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.evaluation.table import tables
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import build_network
from passband.pipeline.networks.smoothing import smoothed
from tests.jobs.evaluation.conftest import only, spec_of

ATTACKS = {
    "fgsm": {"kind": "fgsm", "radius": 0.05},
    "pgd": {"kind": "pgd", "radius": 0.05, "steps": 3},
    "l2": {"kind": "pgd", "norm": "l2", "radius": 0.5, "steps": 2, "random_start": False},
}


@pytest.fixture
def job_of(tmp_path, checkpoint, digits):
    """Return a function that makes a job for a network; `changes` replace keys of it."""

    def make(network, **changes):
        given = {
            "kind": "evaluate",
            "name": "trial",
            "checkpoint": checkpoint(network),
            "test": {"path": str(digits)},
            "output": {"uri": str(tmp_path / "out")},
            "bootstrap": {"resamples": 20},
            "compute": {"device": "cpu", "batch_size": 100},
        }
        return parse_evaluate_job(given | changes)

    return make


def linear(seed=0):
    """Ten classes by a linear map of the pixels, normalisation aside, drawn so that digits are told apart a bit."""
    network = build_network(spec_of("lenet"), seed=0).eval()
    network.body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(seed))
    return network.eval()


def test_fgsm_is_the_sign_of_the_gradient_image_by_image(digits):
    network, attack = linear(), parse_attack(ATTACKS["fgsm"])
    found = predict_attacked(network, str(digits), "clean", attack, 0, batch_size=64, device=torch.device("cpu"))
    expected = []
    with open_stream(digits, views=["clean"], batch_size=1, shuffle=False, rank=0, world_size=1) as stream:
        for batch in stream:
            image = (batch.images["clean"].float() / 255).requires_grad_()
            nn.functional.cross_entropy(network(image), batch.labels).backward()
            moved = (image + 0.05 * image.grad.sign()).clamp(0, 1)
            expected.append(int(network(moved).argmax()))
        assert found.labels.tolist() == stream.labels.tolist()
    same = (found.predicted == expected).mean()
    assert same > 0.99  # a gradient next to zero may have the other sign in a batch


def parse_attack(options):
    job = {"kind": "evaluate", "name": "x", "checkpoint": "c", "test": {"path": "d"}, "output": {"uri": "o"}}
    return parse_evaluate_job(job | {"attacks": {"a": options}}).attacks["a"]


def test_random_starts_depend_on_the_seed_and_not_on_batches(digits):
    network, attack = build_network(spec_of("lenet"), 0).eval(), parse_attack(ATTACKS["pgd"] | {"radius": 0.3})

    def predicted(seed, batch_size):
        device = torch.device("cpu")
        return predict_attacked(
            network, str(digits), "clean", attack, seed, batch_size=batch_size, device=device
        ).predicted

    first = predicted(0, 64)
    assert (predicted(0, 31) == first).mean() > 0.98
    assert (predicted(1, 64) == first).mean() < 1


def test_accuracy_under_attack_of_every_strength_of_smoothing(job_of, digits):
    network = build_network(spec_of("lenet"), 3).eval()
    job = job_of(
        network, attacks=ATTACKS, smoothing=[0, 0.5, 0.1], domains={"low": {"path": str(digits), "view": "low-4"}}
    )
    found = evaluate(job)
    plain = ["test", "attack fgsm", "attack pgd", "attack l2"]
    names = [row.condition for row in found.rows]
    further = [f"{name}, rho {rho}" for rho in ("0.1", "0.5") for name in plain]
    assert names == [*plain, *further, "domain low", "domain low, rho 0.1", "domain low, rho 0.5"]
    assert [row.kind for row in found.of_kind("test", "attack")] == ["test", "attack", "attack", "attack"]
    for name in plain[1:]:
        assert found.accuracy(name) <= found.accuracy("test")
    other = evaluate(job_of(smoothed(network, 0.5), attacks=ATTACKS))
    for name in plain:
        assert found.accuracy(f"{name}, rho 0.5") == other.accuracy(name), name
    assert read_evaluation(job.output.uri).rows == other.rows


def test_the_table_the_page_and_the_comparison_show_them(job_of):
    job = job_of(build_network(spec_of("lenet"), 3).eval(), attacks=ATTACKS, smoothing=[0.1, 1])
    found = evaluate(job)
    out = io.StringIO()
    Console(file=out, width=60, highlight=False).print(tables(found))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["kernels", "smoothed", "by", "rho", "=", "0", "0.1", "1"] in lines
    shown = [f"{100 * found.accuracy(f'attack pgd{rho}'):.1f}" for rho in ("", ", rho 0.1", ", rho 1")]
    assert ["attack", "pgd", *shown] in lines
    page = Path(job.output.uri, "report.html").read_text()
    for said in ("Attacks", "Smoothed kernels", "attack l2, rho 1"):
        assert said in page
    weaker = found.model_copy(
        update={"job": found.job | {"attacks": found.job["attacks"] | {"fgsm": {"kind": "fgsm", "radius": 0.01}}}}
    )
    alike = {condition.title: condition.alike for condition in conditions_of([found, weaker])}
    assert alike["attack pgd"]
    assert alike["test, rho 0.1"]
    assert not alike["attack fgsm"]
    assert [row.title for row in dot_rows([found, weaker], "attack")] == ["test", *(f"attack {n}" for n in ATTACKS)]


def test_what_was_attacked_is_not_attacked_again(job_of, monkeypatch):
    calls = []

    def counted(network, path, view, attack, seed, **options):
        calls.append((attack.radius, seed))
        if attack.radius == 0.5 and len(calls) < 4:
            raise KeyboardInterrupt
        return predict_attacked(network, path, view, attack, seed, **options)

    monkeypatch.setattr(looking, "predict_attacked", counted)
    network = build_network(spec_of("lenet"), 0)
    with pytest.raises(KeyboardInterrupt):
        evaluate(job_of(network, attacks=ATTACKS))
    assert calls == [(0.05, 0), (0.05, 0), (0.5, 0)]
    found = evaluate(job_of(network, attacks=ATTACKS))
    assert calls[3:] == [(0.5, 0)]
    assert evaluate(job_of(network, attacks=ATTACKS)) == found
    assert len(calls) == 4
    evaluate(job_of(network, attacks=ATTACKS, seed=7))
    assert calls[4:] == [(0.05, 7)], "only what begins at random"
    evaluate(job_of(network, attacks={"other": ATTACKS["fgsm"]}, smoothing=[0.2]))
    assert len(calls) == 6, "a name is not what an attack is, smoothed kernels are other ones"


def test_smoothing_and_adaptation_go_together(job_of, digits, tmp_path):
    network = build_network(spec_of("wide_resnet16_4"), 0)
    given = {"adapt": {"prior": 4, "batch": 8}, "test": {"path": str(digits), "view": "low-4"}}
    both = evaluate(job_of(network, smoothing={"rho": [0.2], "axes": "channels"}, **given))
    changed = smoothed(network, 0.2, "channels")
    alone = evaluate(job_of(changed, output={"uri": str(tmp_path / "other")}, **given))
    assert both.accuracy("test, rho 0.2 over channels") == alone.accuracy("test")


def test_jobs_without_them_keep_their_form_and_their_results(job_of):
    job = job_of(only(3))
    assert job.model_dump().keys().isdisjoint({"attacks", "smoothing"})
    rows = evaluate(job).model_dump()["rows"]
    assert all("smoothing" not in row for row in rows)
    both = job_of(only(3), attacks=ATTACKS, smoothing=[0.5])
    assert both.model_dump()["smoothing"] == {"rho": [0.5], "axes": "space"}
    assert parse_evaluate_job(both.model_dump()) == both
    assert parts_of(both)[0].title == "test"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacks": {"a": {"kind": "cw", "radius": 1.0}}}, "attacks.a"),
        ({"attacks": {"a": {"kind": "fgsm"}}}, "attacks.a.*radius"),
        ({"attacks": {"a": {"kind": "fgsm", "radius": -0.1}}}, "radius: got -0.1"),
        ({"attacks": {"a": {"kind": "fgsm", "radius": 0.1, "steps": 3}}}, "unknown key 'steps'; allowed: kind, radius"),
        ({"attacks": {"a": {"kind": "pgd", "radius": 0.1, "norm": "l1"}}}, "norm: got 'l1'"),
        ({"attacks": {"a b": {"kind": "fgsm", "radius": 0.1}}}, "attacks"),
        ({"attacks": ATTACKS, "adapt": {"prior": 1, "batch": 8}}, "attacks and adapt exclude each other"),
        ({"smoothing": [-1]}, "smoothing.*-1"),
        ({"smoothing": []}, "smoothing"),
        ({"smoothing": [0.1, 0.1]}, "rho names 0.1 more than once"),
        ({"smoothing": {"rho": [0.1], "axes": "time"}}, "axes: got 'time'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_key(job_of, changes, message):
    with pytest.raises(JobError, match=message):
        job_of(only(3), **changes)

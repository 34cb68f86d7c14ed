"""Margins as a study: those of a linear model are known in every subspace."""

import numpy as np
import pytest
import torch

from passband.jobs.analysis.prepare import draw_up
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies.margins import STUDY, MarginRecord, subspaces_of
from passband.jobs.analysis.study import Looked
from passband.jobs.common.jobfile import JobError
from passband.pipeline.attacks.subspaces import random_bases
from tests.jobs.analysis.made import job_with, material

SHAPE = (2, 6, 7)
FAMILIES = [{"kind": "dct", "block": 3, "step": 1}, {"kind": "random", "block": 2, "step": 4, "form": "diagonal"}]


def laid_out(job, count=5, shape=SHAPE):
    return STUDY.lay_out(job, Looked(count, shape, ("0", "1")))


def given_for(families, weight, count=5, **options):
    job = job_with(margins={"subspaces": families, "overshoot": 0.0, **options})
    return material(job, weight, count, SHAPE, laid_out(job, count).keep(np.zeros(0), np.zeros(0)))


def measured(given, part):
    size = STUDY.lay_out(given.job, Looked(len(given.images), SHAPE, ("0", "1"))).sizes[part]
    return STUDY.open(given)(part, 0, size)


def test_margins_of_a_linear_model_are_known():
    weight = np.random.default_rng(0).normal(size=(2, 84)).astype(np.float32)
    given = given_for(FAMILIES, weight)
    normal = (weight[0] - weight[1]).astype(float)
    differences = abs(given.images.reshape(5, -1).astype(float) @ normal + 0.1)
    for part, subspaces in subspaces_of(given).items():
        normals = torch.from_numpy(np.broadcast_to(normal.reshape(SHAPE), (len(subspaces), *SHAPE)).astype(np.float32))
        within = subspaces.at(np.arange(len(subspaces))).project(normals)
        lengths = within.flatten(1).norm(dim=1).numpy()
        found = measured(given, part)
        np.testing.assert_allclose(
            np.reshape(found["margin"], (len(subspaces), 5)), differences / lengths[:, None], rtol=2e-3
        )


def test_items_stand_subspace_by_subspace_whatever_the_block():
    weight = np.random.default_rng(1).normal(size=(4, 84))
    given = given_for(FAMILIES, weight)
    whole, evaluate = measured(given, "dct"), STUDY.open(given)
    parts = [evaluate("dct", start, min(start + 3, 20)) for start in range(0, 20, 3)]
    assert [margin for part in parts for margin in part["margin"]] == whole["margin"]
    assert [steps for part in parts for steps in part["steps"]] == whole["steps"]


def test_an_image_that_nothing_moves_is_counted_apart():
    weight = np.zeros((2, *SHAPE), np.float32)
    weight[0] = 1.0  # constant: along no frequency but zero
    given = given_for([{"kind": "dct", "block": 2, "step": 4}], weight.reshape(2, -1))
    found = measured(given, "dct")
    assert found["margin"][5:] == [None] * 5
    assert None not in found["margin"][:5]
    records = [
        MarginRecord(
            identity="x", part="dct", block=0, start=0, stop=10, seconds=1.0, threads=1, attempts=1, worker="w", **found
        )
    ]  # fmt: skip
    low, high = (row for row in STUDY.conclude(given, {"dct": records}).numbers["table"])
    assert (low["unreachable"], high["unreachable"], high["median"], high["images"]) == (0, 5, None, 5)
    assert low["median"] == pytest.approx(np.median(found["margin"][:5]))
    assert (low["dimension"], low["frequency"], high["frequency"]) == (8, 0, 4)


def test_functions_of_a_file_are_a_family(tmp_path):
    blocks = random_bases(SHAPE, 2, 4, seed=9)
    np.save(tmp_path / "x.npy", np.stack(blocks) * 7.0)
    np.savez(tmp_path / "x.npz", b=blocks[1], a=blocks[0])
    weight = np.random.default_rng(0).normal(size=(2, 84))
    families = [
        {"kind": "random", "block": 2, "step": 4, "seed": 9},
        {"kind": "file", "path": str(tmp_path / "x.npy"), "name": "one"},
        {"kind": "file", "path": str(tmp_path / "x.npz"), "name": "two"},
    ]
    given = given_for(families, weight)
    found = [measured(given, part)["margin"] for part in ("random", "one", "two")]
    np.testing.assert_allclose(found[0], found[1], atol=3e-4)  # a step is at least 1e-4 long
    np.testing.assert_allclose(found[0], found[2], atol=3e-4)


def test_a_file_counts_by_its_content(make_job, tmp_path):
    def identity(path, functions):
        np.save(path, functions)
        job = make_job(margins={"subspaces": [{"kind": "file", "path": str(path)}]}).for_command("margins")
        return draw_up(job, "margins", lambda samples: None).envelope.identity

    functions = np.random.default_rng(0).normal(size=(2, 3, 256))
    assert identity(tmp_path / "a.npy", functions) == identity(tmp_path / "b.npy", functions)
    assert identity(tmp_path / "a.npy", functions) != identity(tmp_path / "b.npy", functions + 1)


def test_a_stopped_run_does_without_the_place_of_its_file_on_workers(make_job, tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(2, 3, 768)))
    families = [{"kind": "file", "path": str(tmp_path / "a.npy"), "name": "mine"}]
    job = make_job(subset=10, margins={"subspaces": families, "steps": 5}, surrogate={"batch": 8})
    found = analyze(job, "margins")
    assert [row["dimension"] for row in found.table] == [3, 3]
    assert [row["frequency"] for row in found.table] == [None, None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not numpy", "is no .npy or .npz of numbers"),
        (np.ones(4), r"allowed are an array \(J, S, D\)"),
        (np.ones((1, 2, 84)), "not independent"),
        (np.eye(5)[None], r"basis 0 is of shape \[5, 5\]; allowed: \(S, 42\) or \(S, 84\)"),
        (np.array([None, 1]), "is no .npy or .npz of numbers"),
        (None, "cannot be read"),
    ],
    ids=["bytes", "flat", "dependent", "size", "objects", "missing"],
)
def test_a_file_of_something_else_is_named(tmp_path, content, message):
    path = tmp_path / "x.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    job = job_with(margins={"subspaces": [{"kind": "file", "path": str(path)}]})
    with pytest.raises(JobError, match=f"x.npy: .*{message}"):
        laid_out(job)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subspaces": []}, "margins.subspaces"),
        ({"subspaces": [{"kind": "dct"}, {"kind": "dct"}]}, "dct, dct names one more than once"),
        ({"subspaces": [{"kind": "haar"}]}, "haar"),
        ({"subspaces": [{"kind": "dct", "seed": 1}]}, "unknown key 'seed'"),
        ({"subspaces": [{"kind": "dct", "form": "round"}]}, "got 'round'"),
        ({"subspaces": [{"kind": "dct", "name": "../x"}]}, "name"),
        ({"steps": 0}, "margins.steps: got 0"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(JobError, match=message):
        job_with(margins=options)


def test_blocks_larger_than_the_images_are_refused():
    job = job_with(margins={"subspaces": [{"kind": "dct", "block": 7}]})
    with pytest.raises(JobError, match="margins.subspaces: dct: block 7 and step 2; allowed for 6 x 7 pixels"):
        laid_out(job)

"""Nodes that look at a trained network along the DCT diagonal: known energies, and margins of a real training."""

import numpy as np
import pytest
import torch

from passband.jobs.generation.run import generate
from passband.jobs.reproduce.diagonal import DiagonalTask
from passband.jobs.reproduce.graph import Made
from passband.jobs.reproduce.recipe import EnergyAt, MarginAt
from passband.jobs.reproduce.spectrum import SpectrumTask
from passband.jobs.reproduce.tasks import TrainingTask
from tests.jobs.generation.made import small_job

JOB = {"name": "t", "network": {"kind": "lenet"}, "objective": {"kind": "erm"}, "epochs": 1, "batch_size": 50}
SPECTRUM = SpectrumTask("training", "data", "clean", 30, radius=0.5, steps=2, block=4, step=4)


def never():
    return False


@pytest.fixture(scope="module")
def needs(tmp_path_factory):
    folder, threads = tmp_path_factory.mktemp("diagonal"), torch.get_num_threads()
    job = small_job(folder / "set", views=["clean"])
    generate(job)
    data = {"data": Made("0" * 64, str(folder / "set"))}
    TrainingTask(JOB, "data").run(str(folder / "training"), data, never)
    torch.set_num_threads(threads)
    return data | {"training": Made("1" * 64, str(folder / "training"))}, job


def test_perturbations_of_a_training_are_told_by_subspace(needs, tmp_path):
    made, _ = needs
    found = SPECTRUM.run(str(tmp_path / "a"), made, never)
    low, median, high = np.array(found["energy"]).T
    assert len(low) == 4
    assert np.all((low >= 0) & (low <= median) & (median <= high) & (high <= 1))
    assert EnergyAt("x", 3).value(found) == 100 * high[3]
    again = SPECTRUM.run(str(tmp_path / "b"), made, never)
    assert again == found
    for change in ({"images": 20}, {"radius": 0.6}, {"step": 2}, {"view": "other"}):
        other = SpectrumTask(**{**vars(SPECTRUM), **change})
        assert other.identity(made) != SPECTRUM.identity(made)
    for name in made:
        assert SPECTRUM.identity({**made, name: Made("d" * 64, "x")}) != SPECTRUM.identity(made)
    moved = {name: Made(one.identity, f"moved/{one.path}") for name, one in made.items()}
    assert SPECTRUM.identity(moved) == SPECTRUM.identity(made)


def test_margins_of_a_training_are_told_by_subspace(needs, tmp_path):
    made, generated = needs
    job = {
        "name": "m",
        "source": [source.model_dump() for source in generated.source][:1],
        "image": {"size": generated.image.size},
        "base": [{"dct": {"size": 8, "keep": "low"}}],
        "surrogate": {"network": "lenet", "checkpoint": "@training", "batch": 16},
        "subset": 10,
        "margins": {"subspaces": [{"kind": "dct", "block": 8, "step": 8}]},
    }
    found = DiagonalTask(job).run(str(tmp_path / "m"), made, never)
    for number in range(2):
        low, median, high = (MarginAt("x", "dct", number, name).value(found) for name in ("low", "median", "high"))
        assert 0 < low <= median <= high
    assert found["samples"] == 10
    with pytest.raises(SystemExit):
        DiagonalTask(job).run(str(tmp_path / "stopped"), made, lambda: True)

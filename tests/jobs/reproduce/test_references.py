"""Nodes that name other nodes: what they are made from decides their identity, not where that lies."""

import pytest

from passband.jobs.reproduce.generating import GenerationTask
from passband.jobs.reproduce.graph import Made
from passband.jobs.reproduce.mapping import SensitivityTask
from passband.jobs.reproduce.references import referenced, with_identities, with_paths
from passband.jobs.reproduce.tasks import TrainingTask
from tests.jobs.reproduce.made import CROPS, train_job

SADA = {"surrogate": {"network": "lenet", "checkpoint": "@erm"}, "map": "@erm-map/maps.npz", "map_name": "enhanced"}
GENERATION = GenerationTask(
    {
        "name": "attacked",
        "source": {**CROPS, "split": "train"},
        "image": {"size": 16},
        "views": ["clean", {"sada": SADA, "name": "sada-1"}],
    }
)
MAP = SensitivityTask(
    {
        "name": "erm-map",
        "source": {**CROPS, "split": "train"},
        "image": {"size": 16},
        "surrogate": {"network": "lenet", "checkpoint": "@erm"},
        "subset": 50,
    }
)
TUNED = TrainingTask(train_job({"kind": "erm"}) | {"network": {"kind": "lenet", "checkpoint": "@erm"}}, data="attacked")
NEEDS = {
    "erm": Made("a" * 64, "trainings/erm"),
    "erm-map": Made("b" * 64, "maps/erm-map"),
    "attacked": Made("c" * 64, "generations/attacked"),
}


def test_references_are_found_once_wherever_they_stand():
    assert referenced(GENERATION.job) == ("erm", "erm-map")
    assert referenced({"a": [{"b": ("@x/y", "@z")}, "@x"], "c": 3, "d": "e@f"}) == ("x", "z")
    assert referenced(train_job({"kind": "erm"})) == ()


def test_references_become_paths_or_identities():
    job = {"checkpoint": "@erm", "maps": ["@erm-map/maps.npz"], "steps": 5, "name": "a@b"}
    assert with_paths(job, NEEDS) == {
        "checkpoint": "trainings/erm",
        "maps": ["maps/erm-map/maps.npz"],
        "steps": 5,
        "name": "a@b",
    }
    assert with_identities(job, NEEDS)["maps"] == ["b" * 64 + "/maps.npz"]
    assert job["checkpoint"] == "@erm"
    with pytest.raises(KeyError, match="absent"):
        with_paths("@absent/file", NEEDS)


@pytest.mark.parametrize(
    ("task", "used"),
    [(GENERATION, ("erm", "erm-map")), (MAP, ("erm",)), (TUNED, ("erm", "attacked"))],
    ids=["generation", "map", "training"],
)
def test_what_a_node_is_made_from_decides_its_identity(task, used):
    identity = task.identity(NEEDS)
    assert len(identity) == 64
    elsewhere = {name: Made(made.identity, f"moved/{made.path}") for name, made in NEEDS.items()}
    assert task.identity(elsewhere) == identity
    for name in NEEDS:
        changed = task.identity({**NEEDS, name: Made("d" * 64, NEEDS[name].path)})
        assert (changed != identity) == (name in used), name


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        (GENERATION, {"seed": 1}),
        (GENERATION, {"views": ["clean", {"sada": {**SADA, "steps": 4}, "name": "sada-1"}]}),
        (MAP, {"subset": 60}),
        (MAP, {"scale": 1.0}),
        (TUNED, {"epochs": 2}),
    ],
)
def test_so_do_its_own_options(task, changes):
    fields = {"data": task.data} if isinstance(task, TrainingTask) else {}
    assert type(task)({**task.job, **changes}, **fields).identity(NEEDS) != task.identity(NEEDS)


def test_a_default_that_is_spelled_out_changes_nothing():
    assert SensitivityTask({**MAP.job, "scale": 10.0}).identity(NEEDS) == MAP.identity(NEEDS)
    spelled = ["clean", {"sada": {**SADA, "steps": 5}, "name": "sada-1"}]
    assert GenerationTask({**GENERATION.job, "views": spelled}).identity(NEEDS) == GENERATION.identity(NEEDS)


def test_a_training_from_scratch_is_the_same_as_ever():
    scratch = TrainingTask(train_job({"kind": "erm"}), data="attacked")
    assert scratch.identity(NEEDS) == scratch._complete("folder", NEEDS).identity("c" * 64)
    assert scratch.identity(NEEDS) != TUNED.identity(NEEDS)


def test_another_version_of_a_stage_is_another_dataset(monkeypatch):
    from passband.pipeline.augment import AUGMENTATIONS

    before = GENERATION.identity(NEEDS)
    monkeypatch.setattr(AUGMENTATIONS["sada"], "version", AUGMENTATIONS["sada"].version + 1)
    assert GENERATION.identity(NEEDS) != before

"""Margins along the DCT diagonal as part of `margins`: what is trained and looked at, and what the figures say."""

import pytest

from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.reproduce.diagonal import DiagonalTask
from passband.jobs.reproduce.graph import DatasetTask
from passband.jobs.reproduce.recipe import EnergyAt, MarginAt, Unreached
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.recipes.diagonal.setting import SETTINGS
from passband.jobs.reproduce.recipes.diagonal.words import BAND, ENERGY, TITLES, observe
from passband.jobs.reproduce.rows import IMAGE_MARGIN, Block, Row, Table
from passband.jobs.reproduce.spectrum import SpectrumTask
from passband.jobs.reproduce.tasks import TrainingTask
from passband.jobs.training.spec import parse_train_job


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "quick"])
def nodes(request):
    return {node.name: node for node in find_recipe("margins", quick=request.param, seeds=1).graph}


def trained(nodes, name):
    return nodes[f"photos-{name}-0"].task.job


def test_a_network_learns_forgets_and_recovers(nodes):
    names = ("low-and-high", "high-forgotten", "high-recovered")
    both, forgotten, recovered = (trained(nodes, name) for name in names)
    assert [job["data"]["views"] for job in (both, forgotten, recovered)] == [["low", "high"], ["low"], ["low", "high"]]
    assert both["data"]["views_as_samples"]
    assert recovered["data"]["views_as_samples"]
    begins = [job["network"].get("checkpoint") for job in (both, forgotten, recovered)]
    assert begins == [None, "@photos-low-and-high-0", "@photos-high-forgotten-0"]
    for name in names:
        assert f"photos-{name}-0-at-low" in nodes


def test_every_training_is_valid_and_goes_on_by_a_smaller_rate(nodes):
    for node in nodes.values():
        if isinstance(node.task, TrainingTask):
            job = {**node.task.job, "kind": "train", "output": {"uri": "x"}}
            job["data"] = {**job["data"], "path": "x"}
            small = "checkpoint" in job["network"] or job["schedule"]["kind"] == "constant"
            assert parse_train_job(job).optimizer.lr == (0.05 if small else 0.21)


def test_adversarial_training_differs_in_its_objective_alone(nodes):
    plain, robust = trained(nodes, "original"), trained(nodes, "adversarial")
    assert {key for key in plain if plain[key] != robust[key]} == {"name", "objective"}
    wanted = {"kind": "adversarial", "norm": "l2", "radius": 1.0, "steps": 7, "random_start": False}
    assert robust["objective"] == wanted
    spectra = [node.task for node in nodes.values() if isinstance(node.task, SpectrumTask)]
    assert {(task.radius, task.steps) for task in spectra} == {(1.0, 7), (2.0, 7)}
    along = [nodes[task.training].task.job for task in spectra if task.training.startswith("photos")]
    epochs = [job["epochs"] for job in along]
    assert epochs == sorted(set(epochs))
    assert all(job["schedule"] == {"kind": "constant"} for job in along)
    assert len({tuple((key, str(job[key])) for key in job if key not in ("name", "epochs")) for job in along}) == 1


def test_margins_are_those_of_test_images_in_the_representation_that_is_named(nodes):
    views = {view["name"]: view for view in nodes["photos-train"].task.job["views"] if view != "clean"}
    assert nodes["photos-test"].task.job["views"] == nodes["photos-train"].task.job["views"]
    seen = set()
    for node in nodes.values():
        if isinstance(node.task, DiagonalTask):
            job = node.task.job | {"kind": "analyze", "output": {"uri": "x"}}
            parse_analyze_job(job)
            assert job["source"]["split"] == "test"
            view = node.name.rpartition("-at-")[2]
            seen.add(view)
            stages = [{key: value for key, value in views[view].items() if key != "name"}] if view != "clean" else []
            if node.name.startswith("photos"):
                assert job["base"] == stages
            random = [family for family in job["margins"]["subspaces"] if family["kind"] == "random"]
            assert len(random) == (node.name.endswith(("-original-0-at-clean", "-flipped-0-at-flipped")))
    assert seen == {"clean", "flipped", "low"}


def test_low_and_high_share_no_frequency():
    for setting in SETTINGS:
        low, high = (setting.stages[name]["dct"]["size"] for name in ("low", "high"))
        assert low + high == setting.images.size
        assert len(setting.frequencies) in range(10, 21)


def test_datasets_are_made_once_for_all_seeds():
    graph = find_recipe("margins", quick=True, seeds=3).graph
    assert sum(isinstance(node.task, DatasetTask) for node in graph) == 4


def test_readings_find_their_row():
    rows = [{"family": family, "subspace": number, "low": 1.0, "median": None, "high": 3.0, "images": 8,
             "unreachable": 2 * number} for family in ("dct", "random") for number in range(3)]  # fmt: skip
    assert MarginAt("n", "random", 2, "high").value({"table": rows}) == 3.0
    assert MarginAt("n", "dct", 0, "median").value({"table": rows}) is None
    assert Unreached("n", "dct", 2).value({"table": rows}) == 50
    assert EnergyAt("n", 1).value({"energy": [[0, 0, 0], [0.1, 0.2, 0.3]]}) == pytest.approx(30)
    with pytest.raises(KeyError):
        Unreached("n", "dct", 3).value({"table": rows})


def block(study, **methods):
    """Return a block of two subspaces; a median of None was not reached."""
    columns = (("0", "0"), ("1", "2"))
    rows = {method.replace("_", " "): tuple(map(row, values)) for method, values in methods.items()}
    return Block(Table("", {"study": study, "dataset": "here"}, columns), rows)


def row(value):
    return None if value is None else Row({}, "", (value,), IMAGE_MARGIN)


def said(study, **methods):
    return " ".join(observe([block(study, **methods)]))


def test_the_flip_is_told_from_the_ends():
    text = said("DCT diagonal", original=(1, 4), flipped=(5, 2))
    assert "from 1 at the lowest frequencies to 4 at the highest" in text
    assert "follows the representation, as in the thesis" in text
    assert "follows the representation" in said("DCT diagonal", original=(1, None), flipped=(None, 2))
    assert "does not follow the representation, not as" in said("DCT diagonal", original=(1, 4), flipped=(1, 4))
    assert "out of reach" in said("DCT diagonal", original=(1, None), flipped=(5, 2))


def test_a_random_diagonal_is_flat_or_not():
    text = said("random diagonal", original=(1.0, 1.2), flipped=(1, 3))
    assert "here, original: along a random diagonal the largest median is 1.20 times the smallest: flat, as in" in text
    assert "here, flipped: along a random diagonal the largest median is 3.00 times the smallest: not flat, not" in text


def test_invariance_and_its_way_back_are_told():
    low = {"original": (1, 2), "original,_then_low": (1, 5), "low": (1, None)}
    text = said("low-pass", **low)
    assert "is 2, out of reach where low-pass images alone were trained on, clearly more, as in the thesis" in text
    assert "and 5 after going on with those, clearly more, as in the thesis." in text
    text = said("low-pass", **low | {"low": (1, 2.3)})  # that may be chance
    assert "alone were trained on, not clearly more, not as in the thesis, and 5 after" in text
    path = {"low_and_high": (1, 2), "high_forgotten": (1, None), "high_recovered": (1, 3)}
    assert "goes and comes back, as in the thesis" in said("forgetting", **path)
    assert "does not go and come back, not as" in said("forgetting", **path | {"high_recovered": (1, None)})


def test_what_adversarial_training_does_is_told():
    text = said("adversarial training", original=(1, 2), adversarial=(2, 10))
    assert "by 2 at the lowest frequencies and by 5 at the highest; margins grow everywhere, as in the thesis" in text
    assert "and most at high frequencies, as in" in text
    assert "grow not everywhere" in said("adversarial training", original=(1, 2), adversarial=(0.5, 10))
    energy = said("energy", after_the_first_epoch=(10, 50), after_epoch_2=(60, 5))
    assert "after epoch 2 of adversarial training: 95 % of the perturbations have at most 60 %" in energy
    assert "it is low in frequency" in energy


@pytest.mark.parametrize("study", [*TITLES, ENERGY])
def test_networks_that_failed_are_passed_over(study):
    assert said(study) == ""
    assert said(study, **{"another": (1, 2)}) == "" or study == ENERGY


def test_edges_of_bands_are_no_curves():
    margins = block("low-pass", **{"original": (1, 2), f"original{BAND[0]}": (0.5, None), f"original{BAND[1]}": (2, 3)})
    banded = Block(Table("", {}, margins.table.columns, "x", mean_last=False, band=BAND), margins.methods)
    assert list(banded.curves) == ["original"]
    assert banded.band("original") == (banded.methods["original, 5 %"], banded.methods["original, 95 %"])
    assert list(margins.curves) == list(margins.methods)
    assert margins.band("original") is None

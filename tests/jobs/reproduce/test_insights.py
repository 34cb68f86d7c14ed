"""What PRIME's parts are worth, as part of `prime`: what is trained, what is looked at, and what the figures say."""

import pytest
import torch

from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.dataset.spec import parse_job
from passband.jobs.evaluation.adapt import adapted
from passband.jobs.evaluation.spec import Adaptation
from passband.jobs.generation.run import generate
from passband.jobs.reproduce.coverage import CoverageTask
from passband.jobs.reproduce.energy import EnergyTask
from passband.jobs.reproduce.graph import Made
from passband.jobs.reproduce.recipe import CoverageOf, MedianEnergy
from passband.jobs.reproduce.recipes import find_recipe, insights
from passband.jobs.reproduce.recipes.insights.bench import CORRUPTIONS, GROUPS
from passband.jobs.reproduce.rows import DISTANCE, ENERGY, IMAGES, PERCENT, Block, Row, Table
from passband.jobs.reproduce.tasks import EvaluationTask
from passband.jobs.training.predict import stored_order
from passband.pipeline.canonical import digest
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from tests.jobs.reproduce.made import dataset, noise


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "quick"])
def recipe(request):
    return find_recipe("prime", quick=request.param, seeds=1)


@pytest.fixture(scope="module")
def nodes(recipe):
    return {node.name: node for node in recipe.graph}


def test_groups_are_those_of_the_corruptions():
    assert [name for group in GROUPS.values() for name in group] == list(CORRUPTIONS)
    assert list(map(len, GROUPS.values())) == [3, 4, 4, 4]


def test_a_subset_draws_its_primitives_alone(recipe, nodes):
    subsets = [measure.fields["method"] for measure in recipe.measures if measure.fields["study"] == "primitives"]
    assert len(subsets) == 2 * (5 if recipe.quick else 8)
    for name, primitives in (("w", ["spectral"]), ("t", ["spatial"]), ("c", ["color"])):
        (entry,) = nodes[f"photos-prime-{name}"].task.job["views"][1:]
        assert (entry["prime"]["primitives"], entry["copies"]) == (primitives, 4)
    (none,) = [m for m in recipe.measures if (m.fields["method"], m.fields["dataset"]) == ("none", "photos")]
    assert {seen.node for seen in none.conditions["corrupted"]} == {"photos-ERM-0-test"}


def test_strengths_lie_evenly_on_a_logarithmic_scale_and_one_is_prime_itself(recipe, nodes):
    (measure,) = [
        m for m in recipe.measures if m.fields == {"study": "strength", "dataset": "photos", "method": "corrupted"}
    ]
    strengths = list(map(float, measure.conditions))
    ratios = [after / before for before, after in zip(strengths, strengths[1:], strict=False)]
    assert all(ratio == pytest.approx(10 if recipe.quick else 10**0.5, rel=0.06) for ratio in ratios)
    assert {seen.node for seen in measure.conditions["1"]} == {"photos-prime-w-t-c-0-test"}
    assert {seen.unit for seen in measure.conditions["1"]} == {IMAGES}  # clean and corrupted are no rivals
    for strength in measure.conditions:
        if strength != "1":
            name = f"photos-prime-x{strength.replace('.', '-')}"
            assert nodes[name].task.job["views"][1]["prime"]["strength"] == float(strength)
            assert {seen.node for seen in measure.conditions[strength]} == {f"{name}-0-test"}


def test_adapted_networks_have_batch_norm_and_are_the_same_networks(nodes):
    adapted = [node.task for node in nodes.values() if isinstance(node.task, EvaluationTask) and node.task.adapt]
    assert len(adapted) == 2 * 3 * 3
    assert {tuple(task.adapt.values()) for task in adapted} == {(16, 1), (16, 8), (0, 400)}
    for task in adapted:
        assert nodes[task.training].task.job["network"] == {"kind": "lenet", "batch_norm": True}
        assert isinstance(nodes[f"{task.training}-test"].task, EvaluationTask)


def test_an_adapted_evaluation_has_an_identity_of_its_own_and_others_keep_theirs():
    needs = {name: Made(f"{number:064x}", name) for number, name in enumerate(("t", "d"))}
    plain = EvaluationTask("t", {"d": ("clean",)})
    looked_at = {"version": 1, "network": needs["t"].identity, "views": [[needs["d"].identity, ["clean"]]]}
    assert plain.identity(needs) == digest(looked_at)
    others = [EvaluationTask("t", {"d": ("clean",)}, {"prior": 16, "batch": batch}) for batch in (1, 8)]
    assert len({task.identity(needs) for task in (plain, *others)}) == 3


def test_an_adapted_evaluation_is_of_norms_adapted_to_consecutive_samples(tmp_path):
    job = dataset("test", "test", [noise(3) | {"name": "noise"}]).task.job
    generate(parse_job({"kind": "generate", "name": "test", **job, "output": {"uri": str(tmp_path / "d")}}))
    with stored_order(str(tmp_path / "d"), ["noise"], 64, 1) as stream:
        (images,) = [batch.images["noise"].float() / 255 for batch in stream]
        labels, classes = stream.labels, [str(number) for number in range(int(stream.labels.max()) + 1)]
    spec = {"kind": "lenet", "batch_norm": True, "shape": [3, 16, 16], "mean": [0.4] * 3, "std": [0.2] * 3}
    network = build_network(NetworkSpec.model_validate(spec | {"classes": classes}), seed=3)
    (tmp_path / "model.pt").write_bytes(network_bytes(network))
    norms = adapted(network, Adaptation(prior=16, batch=8))
    with torch.inference_mode():
        whole = [norms(group) for group in images[:40].split(8)]
        predictions = torch.cat([*whole, norms(images[-8:])[-3:]]).argmax(1)  # the last three of 43, with those before
    needs = {"t": Made("t", str(tmp_path / "model.pt")), "d": Made("d", str(tmp_path / "d"))}
    (tmp_path / "out").mkdir()
    task = EvaluationTask("t", {"d": ("noise",)}, {"prior": 16, "batch": 8})
    found = task.run(str(tmp_path / "out"), needs, lambda: False)
    assert len(images) == 43
    assert found["accuracy"]["d"]["noise"] == (predictions == labels).float().mean()


def test_coverage_is_of_the_plain_network_and_of_views_with_and_without_mixing(recipe, nodes):
    tasks = {name: node for name, node in nodes.items() if isinstance(node.task, CoverageTask)}
    assert set(tasks) == {"photos-ERM-0-coverage", "mnist5k-ERM-0-coverage"}
    for node in tasks.values():
        job = parse_analyze_job(node.task.job | {"kind": "analyze", "output": {"uri": "x"}})
        assert node.needs == (job.surrogate.checkpoint.removeprefix("@"),)
        assert [entry.copies for entry in job.coverage.views] == [1, *[20 if recipe.quick else 100] * 4]
        mixed = [options.mix for entry in job.coverage.views for _, options in entry.recipe()]
        assert mixed == [False, False, True, True]
        assert len(job.coverage.corruptions.types) == 15
        assert len(node.task.identity({node.needs[0]: Made("0" * 64, "x")})) == 64


def test_spectra_are_of_views_of_training_images_and_are_made_once(recipe, nodes):
    tasks = {name: node for name, node in nodes.items() if isinstance(node.task, EnergyTask)}
    assert set(tasks) == {"photos-energy", "mnist5k-energy"}
    for name, node in tasks.items():
        job = parse_analyze_job(node.task.job | {"kind": "analyze", "output": {"uri": "x"}}).for_command("spectrum")
        assert (node.needs, job.surrogate) == ((), None)
        views = [[stage for stage, _ in entry.recipe()] for entry in job.spectrum.views]
        assert views == [[], ["augmix"], ["prime"], ["corrupt"], ["corrupt"], ["corrupt"]]
        (table,) = [table for table in recipe.tables if table.title.startswith(f"{name.split('-')[0]}: spectral")]
        side = job.image.size[0] if isinstance(job.image.size, list) else job.image.size
        bands = [condition for condition, _ in table.columns]
        assert (bands[0], bands[-1], len(bands)) == ("0-3", f"{side - 4}-{side - 1}", side // 4)
        assert len(node.task.identity({})) == 64
        other = EnergyTask({**node.task.job, "subset": 7})
        assert other.identity({}) != node.task.identity({})
    methods = [m.fields["method"] for m in recipe.measures if m.fields["study"] == insights.ENERGY]
    added = [f"{name} - clean" for name in ("AugMix", "PRIME", "noise", "blur", "fog")]
    assert methods == 2 * ["clean", "AugMix", "PRIME", *added]
    several = find_recipe("prime", quick=recipe.quick, seeds=2)
    assert sum(isinstance(node.task, EnergyTask) for node in several.graph) == 2


def test_an_energy_node_measures_images(tmp_path):
    job = {
        "name": "e",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 16},
        "subset": 10,
        "spectrum": {"views": ["clean", {"dct": {"size": 4, "keep": "low"}, "name": "low"}], "block": 4, "step": 4},
    }
    found = EnergyTask(job).run(str(tmp_path / "e"), {}, lambda: False)
    low = [MedianEnergy("e", "low", "own", j).value(found) for j in range(4)]
    assert low[0] > 99
    assert max(low[1:]) < 0.1  # nothing but the rounding to 8 bits
    assert MedianEnergy("e", "clean", "own", 1).value(found) > 1


def test_readings_find_their_row():
    results = {"table": [{"views": "clean", "mean": 0.5, "median": 0.25}, {"views": "a", "mean": 0.1, "median": 0.2}]}
    assert CoverageOf("n", "a", "mean").value(results) == 100
    assert CoverageOf("n", "clean", "median").value(results) == 250
    rows = [{"views": "a", "energy": energy, "subspace": 1, "median": 0.5} for energy in ("own", "added")]
    assert MedianEnergy("n", "a", "added", 1).value({"table": [rows[0], rows[1] | {"median": 0.25}]}) == 25
    assert MedianEnergy("n", "a", "own", 1).value({"table": [rows[0] | {"median": None}]}) is None


def test_the_thesis_stands_below_and_is_never_marked_best():
    rows = list(insights.published("photos"))
    assert len(rows) == 8 * 6 + 5 * 2 + 3 * 5
    assert {row.unit for row in rows} == {IMAGES, DISTANCE}
    assert not any(row.unit.marks_best for row in rows)
    found = {(row.fields["study"], row.fields["method"], row.condition): row.values for row in rows}
    assert found["primitives", "thesis, w + t + c", "noise"] == (78.8,)
    assert found["coverage", "thesis, PRIME", "median"] == (1.61,)
    assert found["adaptation", "thesis, AugMix", "partial"] == (71.3,)


def block(study, conditions, unit=PERCENT, **methods):
    """Return a block of these means."""
    columns = tuple((condition, condition) for condition in conditions)
    rows = {method.replace("_", " "): tuple(Row({}, "", (value,), unit) for value in values)
            for method, values in methods.items()}  # fmt: skip
    return Block(Table("", {"study": study, "dataset": "here"}, columns), rows)


def test_what_the_figures_say():
    groups = ["clean", "corrupted", *GROUPS]
    table = block(
        "primitives", groups, none=[90, 50, 1, 1, 1, 1], w=[80, 60, 2, 9, 2, 2], **{"w + t + c": [80, 70, 9, 8, 9, 9]}
    )
    (said,) = insights.observe(table)
    assert "corrupted by w + t + c, noise by w + t + c, blur by w," in said
    assert "all three are worth +20.0 points" in said
    (said,) = insights.observe(block("strength", ["0.1", "1"], clean=[80, 70], corrupted=[50, 60]))
    assert "corrupted accuracy is highest at 1 times PRIME's strength, clean accuracy at 0.1 times" in said
    (said,) = insights.observe(block("coverage", ["mean", "median"], DISTANCE, AugMix=[9, 2], PRIME=[8, 1]))
    assert said.endswith("smallest first: PRIME 1.00, AugMix 2.00.")
    (said,) = insights.observe(block(insights.ENERGY, ["0-3", "4-7"], ENERGY, clean=[90, 0.25], PRIME=[80, 2]))
    assert (
        "at frequencies 0-3 and 4-7 (white noise has 25.0 in each): clean 90.0 and 0.25, PRIME 80.0 and 2.00." in said
    )
    (said,) = insights.observe(block("adaptation", ["as trained", "single", "partial"], ERM=[50, 52, 57.5]))
    assert said.endswith("in points: ERM +7.5.")
    assert insights.observe(block("methods", ["clean"], ERM=[1])) == []

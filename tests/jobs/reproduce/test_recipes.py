"""The recipes as they are: every job in them is valid, and every column of every table is measured."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from passband.jobs.dataset.spec import parse_job
from passband.jobs.reproduce.attacking import AttackTask
from passband.jobs.reproduce.coverage import CoverageTask
from passband.jobs.reproduce.diagonal import DiagonalTask
from passband.jobs.reproduce.energy import EnergyTask
from passband.jobs.reproduce.flatness import FlatnessTask
from passband.jobs.reproduce.generating import GenerationTask
from passband.jobs.reproduce.graph import DatasetTask, Made
from passband.jobs.reproduce.logged import LoggedTask
from passband.jobs.reproduce.mapping import SensitivityTask
from passband.jobs.reproduce.outcome import conclude, write
from passband.jobs.reproduce.recipes import ALTERNATING, RECIPES, find_recipe
from passband.jobs.reproduce.recipes.diagonal.setting import SETTINGS as DIAGONAL
from passband.jobs.reproduce.recipes.digits.methods import METHODS
from passband.jobs.reproduce.recipes.fgmix.setting import DOMAINS
from passband.jobs.reproduce.recipes.hfc import SETTINGS as HFC
from passband.jobs.reproduce.recipes.insights.bench import SETTINGS as PRIME
from passband.jobs.reproduce.recipes.margins import CLIPPED, PLAIN, PUBLISHED, THESIS
from passband.jobs.reproduce.recipes.sharpdro.setting import SETTINGS as SHARPDRO
from passband.jobs.reproduce.scores import ScoreTask
from passband.jobs.reproduce.spectrum import SpectrumTask
from passband.jobs.reproduce.step_time import StepTimeTask
from passband.jobs.reproduce.surface import ACCURACY, BOTH, ORIGINALS, SurfaceTask
from passband.jobs.reproduce.synthetic.study import study
from passband.jobs.reproduce.synthetic.task import MarginTask
from passband.jobs.reproduce.tasks import EvaluationTask, TrainingTask
from passband.jobs.reproduce.watched import WatchedTask, epoch_name
from passband.pipeline.errors import PassbandError
from tests.jobs.drawing.page import scroll_width

VERSIONS = [(name, quick) for name in RECIPES for quick in (False, True)]


def invented(recipe, seed=0):
    """Return results of all evaluations and maps, with numbers by their names."""
    results = {}
    for number, node in enumerate(recipe.graph):
        if isinstance(node.task, EvaluationTask):
            views = {
                name: {view: (seed + number) % 97 / 100 for view in views} for name, views in node.task.views.items()
            }
            results[node.name] = {"accuracy": views}
        elif isinstance(node.task, TrainingTask):
            results[node.name] = {"seconds": (seed + number) % 97}
        elif isinstance(node.task, WatchedTask):
            epochs = {epoch_name(epoch): (seed + number + epoch) % 97 / 100 for epoch in node.task.epochs}
            results[node.name] = {what: dict.fromkeys(node.task.views, epochs) for what in node.task.quantities}
        elif isinstance(node.task, ScoreTask):
            share = (seed + number) % 97 / 970
            told = {"images": 9, "mean": 10 * share, "histogram": [share] * len(node.task.edges)}
            results[node.name] = {"scores": {str(severity): told for severity in range(6)}}
        elif isinstance(node.task, AttackTask):
            told = {name: (seed + number) % 97 / 100 for name in ("clean", *node.task.attacks)}
            results[node.name] = {"accuracy": {f"{rho:g}": told for rho in node.task.rho}}
        elif isinstance(node.task, SensitivityTask):
            value = (seed + number) % 97 / 970
            summary = {"mean_l1": value, "standard_error": value / 10}
            results[node.name] = {"maps": [{"name": name, **summary} for name in node.task.job["maps"]]}
        elif isinstance(node.task, DiagonalTask):
            value = (seed + number) % 97 / 97
            quantiles = {"low": value, "median": 2 * value, "high": 3 * value, "images": 200, "unreachable": 3}
            families = [entry["kind"] for entry in node.task.job["margins"]["subspaces"]]
            table = [{"family": family, "subspace": j, **quantiles} for family in families for j in range(13)]
            results[node.name] = {"table": table}
        elif isinstance(node.task, CoverageTask):
            value = (seed + number) % 97 / 970
            names = [view if view == "clean" else view["name"] for view in node.task.job["coverage"]["views"]]
            results[node.name] = {"table": [{"views": name, "mean": 2 * value, "median": value} for name in names]}
        elif isinstance(node.task, EnergyTask):
            value = (seed + number) % 97 / 970
            views = [view if view == "clean" else view["name"] for view in node.task.job["spectrum"]["views"]]
            places = [(view, energy, j) for view in views for energy in ("own", "added") for j in range(8)]
            keys = ("views", "energy", "subspace", "median")
            results[node.name] = {"table": [dict(zip(keys, (*place, value), strict=True)) for place in places]}
        elif isinstance(node.task, SpectrumTask):
            value = (seed + number) % 97 / 970
            results[node.name] = {"energy": [[value, 2 * value, 3 * value]] * 13}
        elif isinstance(node.task, FlatnessTask):
            results[node.name] = {"squared_rise": [(1 + (seed + number) % 97) * r / 1000 for r in node.task.radii]}
        elif isinstance(node.task, LoggedTask):
            results[node.name] = {"mean": (seed + number) % 97 / 97}
        elif isinstance(node.task, SurfaceTask):
            names = [name + ending for ending in ("", "-SWA") for name, _ in node.task.trainings]
            ends = {name: {ORIGINALS: 0.1, BOTH: 0.2, ACCURACY: 0.5 + len(name) / 100} for name in names}
            results[node.name] = {"paths": {name: [[0.0, 0.0], [len(name), 2.0]] for name in names}, "ends": ends}
        elif isinstance(node.task, StepTimeTask):
            results[node.name] = {"ms": {name: 10.0 + len(name) for name in node.task.objectives}}
        elif isinstance(node.task, MarginTask):
            value = 1.0 + (seed + number) % 97
            entry = {"quantiles": [value, 2 * value, 3 * value], "unrefined": [value] * 3, "medians": [2 * value]}
            results[node.name] = {
                "accuracy": {"test": 1.0},
                "margins": {direction: entry for direction in node.task.setting["directions"]},
            }
    return results


class Finished:
    def __init__(self, recipe, results):
        self.graph, self.results, self.failed, self.made = recipe.graph, results, {}, {}


def versions(*others):
    """Yield every recipe in both sizes, and with rounds where it has them; `others` are marks of all but one."""
    for name, quick in VERSIONS:
        for rounds in (None, 3) if name in ALTERNATING else (None,):
            ending = f"-{rounds}" if rounds else ""
            marks = () if (name, quick) == ("prime", True) else others
            yield pytest.param(name, quick, rounds, id=f"{name}-{quick}{ending}", marks=marks)


@pytest.mark.parametrize(("name", "quick", "rounds"), list(versions()))
def test_every_job_is_valid(name, quick, rounds):
    recipe = find_recipe(name, quick=quick, rounds=rounds)
    made = {node.name: Made(f"{number:064x}", node.name) for number, node in enumerate(recipe.graph)}
    for node in recipe.graph:
        if isinstance(node.task, DatasetTask | GenerationTask):
            job = parse_job({"name": node.name, **node.task.job, "output": {"uri": "x", **node.task.job["output"]}})
            known = {view for view, _ in job.view_recipes()}
            for other in recipe.graph:
                if isinstance(other.task, EvaluationTask):
                    assert set(other.task.views.get(node.name, ())) <= known
                if isinstance(other.task, TrainingTask) and other.task.data == node.name:
                    assert set(other.task.job.get("data", {}).get("views", ())) <= known
        if not node.is_dataset:
            assert len(node.task.identity({need: made[need] for need in node.needs})) == 64


def seeds_of(recipe, row):
    """How many seeds say what a row does; what is published has one number."""
    published = row.fields["method"].startswith((THESIS, "paper, "))
    return 1 if published else len({m.seed for m in recipe.measures if m.fields == row.fields})


@pytest.mark.parametrize(("name", "quick", "rounds"), list(versions(pytest.mark.slow)))
def test_every_cell_of_every_table_is_measured(name, quick, rounds, tmp_path):
    recipe = find_recipe(name, quick=quick, rounds=rounds)
    result = conclude(recipe, Finished(recipe, invented(recipe)))
    for block in result.blocks:
        assert block.methods
        for method, rows in block.methods.items():
            assert None not in rows, (block.table.title, method)
            assert {len(row.values) for row in rows} == {seeds_of(recipe, rows[0])}
    assert result.findings
    write(result, str(tmp_path))
    assert len(json.loads((tmp_path / "results.json").read_text())["rows"]) == len(result.rows)
    page = (tmp_path / "report.html").read_text()
    assert scroll_width(page, 360, tmp_path) <= 360


@pytest.mark.parametrize("quick", [False, True])
def test_copies_enlarge_the_set_and_all_contenders_take_as_many_steps_of_as_many_samples(quick):
    recipe = find_recipe("prime", quick=quick)
    jobs = {node.name: node.task.job for node in recipe.graph if isinstance(node.task, TrainingTask)}
    for images, samples, epochs in (("photos", 3172, 3 if quick else 72), ("mnist5k", 4000, 2 if quick else 36)):
        mine = {name: job for name, job in jobs.items() if name.startswith(images)}
        longer = ("-k-", "-fresh-", "-twice-as-long-")
        study = {name: job for name, job in mine.items() if any(part in name for part in longer)}
        assert {job["steps"] for job in study.values()} == {epochs * (samples // 64)}
        whole = epochs if quick else epochs // 2
        assert {job["steps"] for name, job in mine.items() if name not in study} == {whole * (samples // 64)}
        assert {job["batch_size"] for job in mine.values()} == {64}
        for copies in (1, 4, 10) if quick else range(1, 11):
            job = mine[f"{images}-k-{copies}-0"]
            assert job["objective"] == {"kind": "erm"}
            assert job["data"]["views_as_samples"] is True
            assert job["data"]["views"] == ["clean", *(f"prime-{copy + 1}" for copy in range(copies))]
        fresh = mine[f"{images}-fresh-0"]
        assert fresh["data"]["views_by_epoch"] is True
        assert len(fresh["data"]["views"]) == epochs


@pytest.mark.parametrize(
    "images",
    [*(setting.images for settings in (PRIME, SHARPDRO, HFC, DIAGONAL) for setting in settings), *DOMAINS],
    ids=lambda one: one.name,
)
def test_a_recipe_knows_how_many_images_its_sources_have(images):
    """The steps of a training follow from it."""
    for split, number in (("train", images.train_samples), ("test", images.test_samples)):
        (source,) = parse_job({"name": "x", **images.job(split, [])} | {"output": {"uri": "x"}}).source
        assert sum(1 for _ in source.open().entries()) == number


def test_seeds_are_counted_and_names_are_known():
    assert find_recipe("sharpdro", seeds=2).seeds == 2
    with pytest.raises(PassbandError, match="'primes'; there are digits, fgmix, hfc, margins, prime, sharpdro"):
        find_recipe("primes")


def test_rounds_are_for_what_attacks_a_network():
    assert len(find_recipe("digits", rounds=1).graph) == len(find_recipe("digits").graph)
    assert len(find_recipe("digits", rounds=2).graph) > len(find_recipe("digits").graph)
    for name in set(RECIPES) - set(ALTERNATING):
        with pytest.raises(PassbandError, match=f"rounds: {name} .* has no rounds; digits has"):
            find_recipe(name, rounds=1)
        with pytest.raises(PassbandError, match=f"fine-tune: {name} makes no images against a network"):
            find_recipe(name, fine_tune=True)


def test_digits_is_the_papers_comparison():
    recipe = find_recipe("digits")
    trainings = {node.name: node.task for node in recipe.graph if isinstance(node.task, TrainingTask)}
    assert len(trainings) == (11 + 6 + 2 * 3 + 3 + 3 * 3 + 2) * 3  # methods, weights, shares, lambda, attacks, online
    jobs = [task.job for task in trainings.values()]
    assert len({(job["epochs"], job["batch_size"]) for job in jobs}) == 1  # as many steps for every method
    named = (re.sub("[^a-z0-9]+", "-", name.lower()) + "-0" for name in METHODS)
    weights = {name: trainings[name].job["objective"].get("weight") for name in named}
    ours = {weight for name, weight in weights.items() if name.split("-")[0] not in ("erm", "augmix", "prime")}
    assert len(ours - {None}) == 1
    assert weights["augmix-0"] == weights["prime-0"] == 12
    assert trainings["1sada-2mix-0"].job["data"]["views"] == ["clean", "sada-1", "mix-1", "mix-2"]
    assert trainings["1sada-2mix-0"].data == trainings["3sada-0mix-0"].data == trainings["without-jsd-0"].data
    for table in recipe.tables[:3]:
        assert [heading for _, heading in table.columns] == ["test", "digits", "mnistM", "synth", "invert", "avg"]


@pytest.mark.parametrize("quick", [False, True])
def test_hfc_changes_one_thing_at_a_time_and_watches_what_it_shows(quick):
    recipe = find_recipe("hfc", quick=quick, seeds=1)
    jobs = {node.name: node.task.job for node in recipe.graph if isinstance(node.task, TrainingTask)}
    vanilla = jobs["mnist5k-vanilla-0"]
    changed = {
        name.removeprefix("mnist5k-").removesuffix("-0"): {
            key for key in vanilla if key not in ("name", "watch") and job[key] != vanilla[key]
        }
        for name, job in jobs.items()
        if name.startswith("mnist5k")
    }
    bands = {f"{band}-{radius}": {"data"} for band in ("low", "high") for radius in (4, 8, 12, 16)}
    bands |= {f"low-{radius}-batch-norm": {"data", "network"} for radius in (4, 8, 12, 16)}
    assert changed == bands | {
        "vanilla": set(),
        "batches-of-25": {"batch_size"},
        "batches-of-400": {"batch_size"},
        "dropout": {"network"},
        "batch-norm": {"network"},
        "mixup": {"objective"},
        "adversarial": {"objective"},
        "shuffled": {"data", "epochs"},
    }
    assert jobs["mnist5k-shuffled-0"]["data"]["shuffle_labels"] == 0
    for node in recipe.graph:
        if isinstance(node.task, WatchedTask):
            watched = jobs[node.task.training]["watch"]
            assert watched["views"] == list(node.task.views)
            assert all(epoch % watched["every_epochs"] == 0 for epoch in node.task.epochs)
            assert node.task.epochs[-1] == jobs[node.task.training]["epochs"]


def test_table_4_removes_parts_of_2sada_1mix_and_replaces_nothing():
    recipe = find_recipe("digits", seeds=1)
    jobs = {node.name: node.task.job for node in recipe.graph if isinstance(node.task, TrainingTask)}
    views = {name: jobs[name]["data"]["views"] for name in ("2sada-1mix-0", "without-sada-0", "without-mix-0")}
    assert views == {
        "2sada-1mix-0": ["clean", "sada-1", "sada-2", "mix-1"],
        "without-sada-0": ["clean", "mix-1"],
        "without-mix-0": ["clean", "sada-1", "sada-2"],
    }
    without = jobs["without-jsd-0"]
    assert (without["data"]["views"], without["objective"]) == (views["2sada-1mix-0"], {"kind": "erm", "on": "all"})
    (ablation,) = [table for table in recipe.tables if "table 4" in table.title]
    methods = [m.fields["method"] for m in recipe.measures if m.fields["study"] == ablation.where["study"]]
    assert methods == ["2sada+1mix", "without SADA", "without Mix", "without JSD"]


def test_figure_6_has_a_random_row_that_takes_no_step():
    recipe = find_recipe("digits", seeds=1)
    (random,) = [node for node in recipe.graph if node.name == "random-0"]
    attacks = [view["sada"] for view in random.task.job["views"] if "sada" in view]
    assert len(attacks) == 3
    for attack in attacks:
        assert (attack["random_only"], attack["init"]) == (True, 0.2)
        assert "map" not in attack
    methods = [m.fields["method"] for m in recipe.measures if m.fields["study"] == "maps"]
    assert methods == ["enhanced map", "original map", "random perturbation"]


def test_the_command_plans_without_writing(tmp_path):
    command = [sys.executable, "-m", "passband", "reproduce", "sharpdro", "--quick", "--plan"]
    done = subprocess.run([*command, "--json", "--output", str(tmp_path / "o")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["jobs"] == len(plan["lines"]) == len(find_recipe("sharpdro", quick=True).graph)
    assert plan["done"] == 0
    assert plan["seconds"] > 0
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("quick", [False, True])
def test_margins_has_the_papers_networks_and_its_numbers_beside_ours(quick):
    recipe = find_recipe("margins", quick=quick, seeds=2)
    tasks = {node.name: node.task for node in recipe.graph if isinstance(node.task, MarginTask)}
    assert {node.needs for node in recipe.graph if node.name in tasks} == {()}
    table = tasks["MLP-1"].setting
    assert table["points"] == {"kind": "separable", "epsilon": 5.0, "sigma": 1.0}
    assert (table["dimensions"], table["rate"], table["seed"]) == (100, 0.1, 1)
    assert {name: table[name] for name in PLAIN} == PLAIN
    if not quick:
        assert (table["train_points"], table["test_points"], table["epochs"]) == (10_000, 1_000, 500)
        assert table["hidden"] == [500] * 10
    assert tasks["logistic-regression-1"].setting == table | {"hidden": []}
    figure = [task.setting for name, task in tasks.items() if name.startswith("MLP-") and name.count("-") == 2]
    assert {(one["points"]["rho"], one["points"]["periods"], one["points"]["sigma"]) for one in figure} == {(20, 3, 1)}
    assert {tuple(one["directions"]) for one in figure} == {("u1", "u2")}
    assert all(one | CLIPPED == one for one in figure)
    shown = {(row.fields["study"], row.fields["method"]): row for row in recipe.published if row.condition == "u1"}
    assert shown["table 4.1", "thesis, median"].values == (2.5,)
    assert len(recipe.published) == 4 * sum(map(len, PUBLISHED.values())) == 24


def test_margins_are_told_beside_the_papers(tmp_path):
    recipe = find_recipe("margins", quick=True)
    result = conclude(recipe, Finished(recipe, invented(recipe)))
    said = " ".join(result.findings)
    assert "Median margins of the MLP, and in brackets those of the thesis: u1 10.00 (2.5), rest 10.00 (12.36)" in said
    assert "the thesis's 102 does not lie between them" in said
    assert "smaller along u2 for every" in said
    write(replace(result, blocks=result.blocks[:4]), str(tmp_path))  # charts of all take ten seconds
    for name in ("report.html", "table.md"):
        text = (tmp_path / name).read_text()
        assert "Margins, which are distances to the decision boundary" in text
        assert "Accuracy in percent" not in text
        assert "is bold" not in text
    assert "| thesis, median | 2.50 | 12.36 | 102.00 | 27.90 |" in (tmp_path / "table.md").read_text()
    assert "ε" in (tmp_path / "report.html").read_text()


def test_the_smallest_node_of_margins_is_what_a_recipe_reads():
    recipe = find_recipe("margins", quick=True)
    (linear,) = [node.task.setting for node in recipe.graph if node.name.startswith("logistic")]
    results = study(linear | {"epochs": 1, "train_points": 300})
    reads = [reading for measure in recipe.measures for readings in measure.conditions.values() for reading in readings]
    values = [reading.value(results) for reading in reads if reading.node == "logistic-regression-0"]
    assert len(values) == 25
    assert all(value > 0 for value in values)


def test_a_direction_without_any_margin_leaves_its_cells_empty():
    recipe = find_recipe("margins", quick=True)
    results = invented(recipe)
    results["MLP-0-0"]["margins"]["u1"] = {"quantiles": [None] * 3, "unrefined": [None] * 3, "medians": [None]}
    results["logistic-regression-0"]["margins"]["random"] = results["MLP-0-0"]["margins"]["u1"]
    result = conclude(recipe, Finished(recipe, results))
    figure = result.blocks[2].methods["along u1"]
    assert figure[0] is None
    assert None not in figure[1:]
    assert result.findings

"""The recipe of FGMix, and how it looks at the losses around networks: flatness, surfaces, the log, the time."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.jobs.reproduce import step_time
from passband.jobs.reproduce.flatness import FlatnessTask, squared_rises
from passband.jobs.reproduce.graph import Made
from passband.jobs.reproduce.logged import LoggedTask
from passband.jobs.reproduce.mixed_losses import MixedLoss, Mixtures, image_loss, trained_mixtures, training_images
from passband.jobs.reproduce.outcome import conclude
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.recipes.fgmix.setting import DOMAINS, FGMIX, METHODS, VARIANTS
from passband.jobs.reproduce.report import page
from passband.jobs.reproduce.rows import Block, Row
from passband.jobs.reproduce.step_time import StepTimeTask
from passband.jobs.reproduce.surface import Plane, SurfaceTask
from passband.jobs.reproduce.surface_chart import read_surface
from passband.jobs.reproduce.tasks import EvaluationTask, TrainingTask
from passband.jobs.training.log import read_metrics
from passband.jobs.training.objectives.flatness import sphere
from passband.pipeline.errors import PassbandError
from passband.pipeline.networks.network import load_network
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job
from tests.jobs.reproduce.test_recipes import Finished, invented

JOB = {
    "name": "t",
    "seed": 1,
    "data": {"balance": "group_class"},
    "network": {"kind": "lenet"},
    "batch_size": 60,
    "steps": 6,
    "optimizer": {"kind": "adam", "lr": 1e-3, "weight_decay": 0.0},
    "schedule": {"kind": "constant"},
    "swa": {"start": 0.0},
    "output": {"keep_steps": [0, 3, 6], "log_every_steps": 1},
}
STEPS = (0, 3, 6)
NAMES = {domain.name for domain in DOMAINS}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Digits of two domains, and trainings of ERM and FGMix on them that begin alike and keep steps."""
    folder, threads = tmp_path_factory.mktemp("fgmix"), torch.get_num_threads()
    sources = [{"kind": "digits", "split": split, "domain": split} for split in ("test", "train")]
    job = small_job(folder / "set").model_dump(mode="json")
    generate(parse_job(job | {"source": sources, "views": ["clean"], "base": []}))
    needs = {"data": Made("0" * 64, str(folder / "set"))}
    for name, objective in (("erm", {"kind": "erm"}), ("fgmix", {"kind": "fgmix", "start_step": 2})):
        TrainingTask({**JOB, "objective": objective}, "data").run(str(folder / name), needs, lambda: False)
        needs |= {name: Made(name * 8, str(folder / name))}
    torch.set_num_threads(threads)
    return needs


def test_the_flatness_of_a_quadratic_is_its_closed_form():
    """L = |theta|^2 / 2: L(theta + g d) - L(theta) = g theta . d + g^2 / 2."""
    model = nn.Linear(3, 2).double()
    theta = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    directions, radii = sphere(np.random.default_rng(0), 5, len(theta)), (0.5, 2.0)

    def loss():
        return float(nn.utils.parameters_to_vector(model.parameters()).detach().square().sum()) / 2

    found = squared_rises(model, loss, directions, radii)
    expected = torch.stack([(radius * directions @ theta + radius**2 / 2) ** 2 for radius in radii], 1)
    torch.testing.assert_close(found, expected)
    assert torch.equal(nn.utils.parameters_to_vector(model.parameters()), theta)


def test_a_plane_has_its_three_points_where_they_belong():
    rng = torch.Generator().manual_seed(0)
    first, second, third = (torch.randn(50, generator=rng) for _ in range(3))
    plane = Plane.through(first, second, third)
    assert plane.coordinates(first) == pytest.approx((0, 0))
    assert plane.coordinates(second) == pytest.approx((float((second - first).norm()), 0), abs=1e-5)
    x, y = plane.coordinates(third)
    assert x**2 + y**2 == pytest.approx(float((third - first).square().sum()))
    assert y > 0
    torch.testing.assert_close(plane.at(x, y), third)
    off = third.double() + 7 * (torch.eye(50, dtype=torch.float64)[0] - plane.across[0] * plane.across
                                - plane.up[0] * plane.up)  # fmt: skip
    assert plane.coordinates(off) == pytest.approx((x, y))


def test_mixtures_of_one_sample_each_have_the_loss_of_the_samples(made):
    network, images = load_network(made["erm"].path), training_images(made["data"].path, 40)
    alone = MixedLoss(images, Mixtures(torch.eye(40), images.labels)).of(network)
    assert alone == pytest.approx((image_loss(network, images),) * 2, rel=1e-6)
    assert torch.bincount(images.groups).tolist() == [20, 20]
    mixtures = trained_mixtures(made["fgmix"], 6, load_network(made["fgmix"].path), images)
    torch.testing.assert_close(mixtures.matrix.sum(1), torch.ones(len(mixtures.labels)))
    for row, label in zip(mixtures.matrix, mixtures.labels, strict=True):
        assert images.labels[row != 0].tolist() == [int(label)] * 2
        assert sorted(images.groups[row != 0].tolist()) == [0, 1]


def test_the_plain_network_of_an_averaged_training_is_the_kept_one(made, tmp_path):
    averaged, kept = (EvaluationTask("erm", {"data": ("clean",)}, step=step) for step in (None, 6))
    assert averaged.identity(made) != kept.identity(made) != replace(kept, step=3).identity(made)
    seen = {step: replace(kept, step=step).run(str(tmp_path / str(step)), made, lambda: False) for step in (None, 0, 6)}
    assert {one["samples"]["data"] for one in seen.values()} == {1797}
    assert seen[6]["accuracy"] != seen[0]["accuracy"]
    with pytest.raises(PassbandError, match="has not kept step 4; delete it, and the same command trains it again"):
        replace(kept, step=4).run(str(tmp_path / "4"), made, lambda: False)


def test_flatness_is_of_the_kept_network(made, tmp_path):
    task = FlatnessTask("fgmix", "data", 6, True, 40, 3, (0.0, 1.0, 4.0))
    found = task.run(str(tmp_path / "mixed"), made, lambda: False)["squared_rise"]
    assert found[0] == 0 < found[1] < found[2]
    plain = replace(task, mixed=False)
    assert plain.run(str(tmp_path / "plain"), made, lambda: False)["squared_rise"] != found
    assert plain.identity(made) != task.identity(made)


def test_a_surface_holds_its_paths_and_their_ends(made, tmp_path):
    task = SurfaceTask((("ERM", "erm"), ("FGMix", "fgmix")), "data", "data", STEPS, 40, 3)
    found = task.run(str(tmp_path), made, lambda: False)
    paths = found["paths"]
    assert list(paths) == ["ERM", "FGMix", "ERM-SWA", "FGMix-SWA"]
    assert {len(path) for path in paths.values()} == {len(STEPS)}
    assert all(path[0] == pytest.approx((0, 0)) for path in paths.values())
    assert paths["ERM-SWA"][-1][1] == pytest.approx(0, abs=1e-5)
    assert paths["ERM"][1] == paths["ERM-SWA"][1]  # an epoch has not ended
    for axis, name in enumerate("xy"):
        places = [place[axis] for path in paths.values() for place in path]
        assert found[name][0] < min(places) <= max(places) < found[name][-1]
    assert np.shape(found["originals"]) == np.shape(found["both"]) == np.shape(found["accuracy"]) == (3, 3)
    network, images = load_network(made["erm"].path), training_images(made["data"].path, 40)
    assert found["ends"]["ERM-SWA"]["originals"] == pytest.approx(image_loss(network, images), rel=1e-5)
    assert set(read_surface(str(tmp_path)).paths) == set(paths)


def test_what_is_logged_is_read_from_its_end(made, tmp_path):
    lines = [line["extrapolating"] for line in read_metrics(Path(made["fgmix"].path)) if "scale" in line]
    assert len(lines) == 4  # steps 3 to 6
    task = LoggedTask("fgmix", "extrapolating", 2)
    assert task.run(str(tmp_path), made, lambda: False)["mean"] == pytest.approx(sum(lines[-2:]) / 2)
    with pytest.raises(PassbandError, match="has logged extrapolating 4 times, not 9"):
        replace(task, lines=9).run(str(tmp_path), made, lambda: False)


def test_the_time_of_a_step_is_the_median_of_blocks_that_take_turns(tmp_path, monkeypatch):
    """A clock that goes on by one more second each time it is read: blocks take 1, 3, 5, ... seconds."""
    clock = count()
    monkeypatch.setattr(step_time.time, "process_time", lambda: (n := next(clock)) * (n + 1) / 2)
    objectives = {"ERM": {"kind": "erm"}, FGMIX: {"kind": "fgmix", "start_step": 0}}
    found = StepTimeTask("lenet", 2, 4, objectives, 3, 2).run(str(tmp_path), {}, lambda: False)
    assert found["ms"] == {"ERM": 1000 * 5 / 2, FGMIX: 1000 * 7 / 2}


@pytest.mark.parametrize("quick", [False, True])
def test_each_domain_is_left_out_of_the_training_and_of_what_is_held_out(quick):
    recipe = find_recipe("fgmix", quick=quick, seeds=1)
    nodes = {node.name: node.task for node in recipe.graph}
    trainings = {name: task for name, task in nodes.items() if isinstance(task, TrainingTask)}
    changed = {name for name in trainings if "adversarial_weight" in name}
    assert len(changed) == (3 if quick else (4 * 4 - 1) * 5)
    assert len(trainings) == 5 * len(METHODS) + len(changed)
    for name, task in trainings.items():
        left, method = name.split("-", 1)
        sources = nodes[task.data].job["source"]
        assert {source["kind"] for source in sources} == {source["domain"] for source in sources} == NAMES - {left}
        assert {source["split"] for source in sources} == {"train"}
        assert nodes[task.data].job["group"] == "domain"
        assert task.job["data"] == {"balance": "group_class"}
        assert task.job["batch_size"] == 4 * 32
        assert ("swa" in task.job) is (method in ("ERM-0", "CORAL-0", "FGMix-0"))
        start = task.job["objective"].get("start_step")
        assert start == (0.6 * task.job["steps"] if task.job["objective"]["kind"] == "fgmix" else None)
    assert len({task.job["steps"] for task in trainings.values()}) == 1
    tables = [measure for measure in recipe.measures if measure.fields["study"].startswith("table")]
    for measure in tables:
        for left in NAMES:
            datasets = {seen.dataset.removesuffix("-test") for seen in measure.conditions[left]}
            assert datasets == ({left} if measure.fields["images"] == "clean" else NAMES - {left})
            assert {seen.evaluation.startswith(f"{left}-") for seen in measure.conditions[left]} == {True}
            assert {nodes[seen.dataset].job["source"]["split"] for seen in measure.conditions[left]} == {"test"}
            evaluations = [nodes[seen.evaluation] for seen in measure.conditions[left]]
            last = trainings[evaluations[0].training].job["steps"]
            expected = last if measure.fields["method"] in ("ERM", "CORAL", "FGMix") else None
            assert {task.step for task in evaluations} == {expected}
    table_2 = {measure.fields["method"] for measure in tables if measure.fields["study"] == "table 2"}
    assert table_2 == set(VARIANTS) == {*"ABCDEF", "FGMix"}


def test_what_is_looked_at_was_kept():
    recipe = find_recipe("fgmix", seeds=2)
    tasks = {node.name: node.task for node in recipe.graph}
    kept = {name: set(task.job["output"].get("keep_steps", ())) for name, task in tasks.items()
            if isinstance(task, TrainingTask)}  # fmt: skip
    looked = [task for task in tasks.values() if isinstance(task, FlatnessTask)]
    assert len(looked) == 4 * 5 * 2
    assert all(kept[task.training] >= {1500} for task in looked)
    assert {task.mixed for task in looked if "-ERM-" in task.training} == {False}
    assert {task.mixed for task in looked if "-ERM-" not in task.training} == {True}
    (surface,) = [task for task in tasks.values() if isinstance(task, SurfaceTask)]
    assert surface.trainings == (("ERM", "mnist_m-ERM-0"), ("FGMix", "mnist_m-FGMix-0"))
    assert (surface.steps[0], surface.steps[-1]) == (0, 1500)
    assert all(kept[name] == set(surface.steps) for _, name in surface.trainings)
    evaluated = [task for task in tasks.values() if isinstance(task, EvaluationTask) and task.step is not None]
    assert len(evaluated) == 3 * 5 * 2
    assert all(task.step in kept[task.training] for task in evaluated)
    (table,) = [table for table in recipe.tables if "C.3" in table.title]
    assert [heading for _, heading in table.columns] == ["λ = 0.01", "λ = 0.03", "λ = 0.1", "λ = 0.3"]
    printed = {row.condition: row.values for row in recipe.published if row.fields["method"] == "paper, a = 3"}
    assert printed == {"0.01": (47.3,), "0.03": (47.1,), "0.1": (49.2,), "0.3": (49.0,)}


def test_what_is_observed_follows_from_the_figures():
    recipe = find_recipe("fgmix", quick=True)
    blocks = []
    for table in recipe.tables:
        study = table.where["study"]
        methods = dict.fromkeys(m.fields["method"] for m in recipe.measures if m.fields["study"] == study)
        rows = {
            method: tuple(Row({}, condition, (50.0 + number,)) for condition, _ in table.columns)
            for number, method in enumerate(methods)
        }
        blocks.append(Block(table, rows))
    found = recipe.observe(blocks)
    assert "differs from ERM by +4.0 points on average, and is number 1 of 5" in found[0]
    assert found[1] == "Averaged weights add, in points on average: ERM +5.0, CORAL +3.0, FGMix +3.0."
    assert "A to B +1.0, B to C +1.0, C to D +1.0, D to E +1.0, E to FGMix +2.0, F to FGMix +1.0" in found[2]
    assert found[3:] == [
        "At a distance of 16 FGMix is not flatter than ERM: the squared rise of the loss is, in times ERM's, A 1.02, "
        "C 1.04, FGMix 1.06.",
        "Without mnist_m the path of FGMix-SWA ends at higher accuracy there than that of ERM-SWA, 53.0 and 52.0 %, "
        "where the loss of the originals is 53.000 and 52.000.",
        "The lambda of the highest accuracy, of one seed: 0.01 for a = 1 (50.0 %), 0.01 for a = 3 (51.0 %).",
        "Mixtures that extrapolate at the end of training, in percent on average: D 50.0, E 51.0, F 52.0, FGMix 53.0.",
        "The processor time of a step of FGMix, once it mixes, is 50.00 times that of ERM on lenet and 51.00 times "
        "that of ERM on resnet18.",
    ]
    assert recipe.observe([]) == []


def test_the_page_shows_the_surfaces_where_they_were_made(tmp_path):
    recipe = find_recipe("fgmix", quick=True)
    bare = replace(recipe, tables=())
    result = conclude(bare, Finished(bare, invented(bare)))
    title = "Losses and accuracy around the paths of ERM and FGMix, without mnist_m (figure 6)"
    assert title not in page(result)
    grid = [[0.1, 2.0, 30.0]] * 3
    names = ("ERM", "FGMix", "ERM-SWA", "FGMix-SWA")
    results = {
        "x": [-1.0, 0.0, 1.0],
        "y": [-1.0, 0.0, 1.0],
        "originals": grid,
        "both": grid,
        "accuracy": [[0.1, 0.5, 0.9]] * 3,
        "paths": {name: [[0.0, 0.0], [0.5, 0.5]] for name in names},
    }
    put_sealed(LocalStore(tmp_path), "results.json", results)
    there = replace(result, places={"mnist_m-surface": str(tmp_path)})
    assert there.as_json()["surfaces"] == {title: "/".join(tmp_path.parts[-2:])}
    shown = page(there)
    assert shown.count(title) == 1
    assert shown.count("data:image/png") == 4  # wide and narrow, light and dark
    assert "with the paths of ERM, FGMix, ERM-SWA, FGMix-SWA" in shown

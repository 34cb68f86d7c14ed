"""The recipe of SharpDRO, and how it looks at networks: along their training, and by the weights of their images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from passband.jobs.commands.reproduction import reproduce
from passband.jobs.comparison.reproductions import blocks_of
from passband.jobs.comparison.results import ReproductionResults
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.jobs.reproduce.display import SilentDisplay
from passband.jobs.reproduce.graph import DatasetTask, Graph, Made
from passband.jobs.reproduce.images import parse_images
from passband.jobs.reproduce.outcome import conclude
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.recipes.sharpdro.setting import BINS, EDGES
from passband.jobs.reproduce.rows import Block, Row
from passband.jobs.reproduce.run import run_graph
from passband.jobs.reproduce.scores import ScoreTask, by_severity
from passband.jobs.reproduce.tasks import TrainingTask
from passband.jobs.reproduce.watched import WatchedTask
from passband.jobs.training.batches import to_device
from passband.jobs.training.predict import stored_order
from passband.pipeline.canonical import digest
from passband.pipeline.errors import PassbandError
from passband.pipeline.manifest import read_manifest
from passband.pipeline.networks.network import load_network
from passband.pipeline.store import open_store
from tests.jobs.generation.made import small_job
from tests.jobs.training.objectives.made import make_objective
from tests.pipeline.sources import files

QUANTITIES = {"gradient_norm": "gradient_norm/test", "sharpness": "sharpness/test"}
JOB = {"name": "t", "network": {"kind": "lenet", "batch_norm": True}, "objective": {"kind": "erm"}, "batch_size": 60}
LANDSCAPE = {"evaluate": {"test": {"path": "@data", "views": ["clean", "low"], "sharpness": 0.05}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corrupted dataset and a training of two epochs on it whose landscape is measured."""
    folder, threads = tmp_path_factory.mktemp("sharpdro"), torch.get_num_threads()
    noise = {"corrupt": {"types": ["gaussian_noise"], "severity": {"poisson": 1.0}}}
    generate(small_job(folder / "set", base=[noise], views=["clean", {"radial": {"high": 4}, "name": "low"}]))
    needs = {"data": Made("0" * 64, str(folder / "set"))}
    results = TrainingTask(JOB | {"epochs": 2} | LANDSCAPE, "data").run(str(folder / "t"), needs, lambda: False)
    torch.set_num_threads(threads)
    return needs | {"training": Made("1" * 64, str(folder / "t"))}, results


def trainings(recipe):
    return {node.name: node for node in recipe.graph if isinstance(node.task, TrainingTask)}


def test_it_is_the_papers_comparison():
    recipe = find_recipe("sharpdro")
    found = trainings(recipe)
    assert len(found) == 3 * (2 * 3 * (5 + 3) + 2 + 6)  # seeds, sets, tables 1 and 2; table 3; the sweep of rho
    assert len({node.task.data for node in found.values()}) == 2 * 3 * 3  # each seed has training sets of its own
    methods: dict[str, list[str]] = {}
    for measure in recipe.measures:
        methods.setdefault(measure.fields["study"], []).append(measure.fields["method"])
    by_study = {study: list(dict.fromkeys(names)) for study, names in methods.items()}
    assert by_study["aware"] == ["ERM", "IRM", "V-REx", "GroupDRO", "SharpDRO"]
    assert by_study["agnostic"] == ["JTT", "EIIL", "SharpDRO agnostic"]
    assert by_study["ablation"] == ["ERM", "SAM", "GroupDRO", "SharpDRO worst-only", "SharpDRO"]
    severities = [f"severity {level}" for level in range(6)]
    assert by_study["rho"] == by_study["weights"] == severities
    for what in ("sharpness", "gradient norm"):
        studies = [what, *(f"{what} {level}" for level in (0, 3, 5))]
        assert all(by_study[study] == [*by_study["aware"], "SAM"] for study in studies)
    assert [heading for _, heading in recipe.tables[0].columns] == ["0", "1", "2", "3", "4", "5", "avg"]
    (sweep,) = [table for table in recipe.tables if "figure 5" in table.title]
    assert [float(heading) for _, heading in sweep.columns] == [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2]


def test_trainings_differ_in_their_objective_alone_and_the_landscape_shapes_none():
    found = trainings(find_recipe("sharpdro", seeds=1))
    mine = {name: dict(node.task.job) for name, node in found.items() if name.startswith("photos-gaussian")}
    measured = [name for name, job in mine.items() if job.pop("evaluate", None)]
    assert len(measured) == 6
    for job in mine.values():
        del job["name"], job["objective"]
    assert all(job == mine["photos-gaussian_noise-ERM-0"] for job in mine.values())
    assert not any("evaluate" in node.task.job for name, node in found.items() if name not in measured)
    node = found["photos-gaussian_noise-SharpDRO-0"]
    assert node.needs == (node.task.data, "photos-gaussian_noise-test")
    needs = {name: Made(f"{number:064x}", name) for number, name in enumerate(node.needs)}
    plain = {key: value for key, value in node.task.job.items() if key != "evaluate"}
    assert node.task.identity(needs) == replace(node.task, job=plain).identity(needs)


def test_the_landscape_is_read_from_the_log(made, tmp_path):
    needs, trained = made
    task = WatchedTask("training", ("clean", "low"), (1, 2), QUANTITIES)
    found = task.run(str(tmp_path), needs, lambda: False)
    for view in ("clean", "low"):
        for name, key in (("gradient_norm", "gradient_norms"), ("sharpness", "sharpness")):
            assert list(found[name][view]) == ["epoch 1", "epoch 2"]
            assert found[name][view]["epoch 2"] == trained[key][f"{name}/test/{view}"]
    accuracies = replace(task, quantities={"accuracy": "accuracy/train"})
    asked = {"training": "1" * 64, "views": ("clean", "low"), "epochs": (1, 2)}
    assert accuracies.identity(needs) == digest(asked) != task.identity(needs)


def test_images_weigh_as_the_objective_weighs_them(made, tmp_path):
    """All images in one batch: the objective's own step says the share of weights above 0."""
    needs, _ = made
    with stored_order(needs["data"].path, ["clean"], 10_000, 1) as stream:
        (batch,) = (to_device(one, torch.device("cpu")) for one in stream)
    task = ScoreTask("training", "data", 0.5, 10_000, EDGES)
    found = task.run(str(tmp_path), needs, lambda: False)["scores"]
    groups = batch.groups.numpy()
    assert {severity: one["images"] for severity, one in found.items()} == {
        str(group): (groups == group).sum() for group in np.unique(groups)
    }
    shares = {severity: one["images"] / len(groups) for severity, one in found.items()}
    assert sum(shares[s] * one["mean"] for s, one in found.items()) == pytest.approx(1, rel=1e-5)
    assert all(sum(one["histogram"]) == pytest.approx(1) for one in found.values())
    network = load_network(needs["training"].path).train()
    objective = make_objective("sharpdro", {"distribution": "agnostic", "rho": 0.5})
    step = objective.step(network, torch.optim.SGD(network.parameters(), lr=0.1), batch)
    above = 1 - sum(shares[s] * one["histogram"][0] for s, one in found.items())
    assert above == pytest.approx(float(step["share_weighted"]), abs=2 / len(groups))
    assert task.identity(needs) != replace(task, rho=0.1).identity(needs)


def test_weights_fall_into_bins_by_severity():
    weights = np.array([0, 0.1, 1, 2, 9, 0.5], np.float32)
    found = by_severity(weights, np.array([0, 0, 0, 0, 2, 2]), (0.0, 0.1, 1.0, 2.0))
    assert list(found) == ["0", "2"]
    assert found["0"]["images"] == 4
    assert found["0"]["histogram"] == [0.25, 0.25, 0.25, 0.25]
    assert found["0"]["mean"] == pytest.approx(3.1 / 4)
    assert found["2"] == {"images": 2, "mean": 4.75, "histogram": [0, 0.5, 0, 0.5]}
    assert len(BINS) == len(EDGES)


def filled(table, means):
    """A block of a table with one seed's numbers, the same in every column unless a list of them is given."""
    columns = [condition for condition, _ in table.columns]
    return Block(
        table,
        {
            method: tuple(
                Row({}, condition, (float(value),))
                for condition, value in zip(columns, np.broadcast_to(mean, len(columns)), strict=True)
            )
            for method, mean in means.items()
        },
    )


def test_the_figures_are_told_against_the_papers_claims():
    recipe = find_recipe("sharpdro", seeds=1)
    by_title = {table.title: table for table in recipe.tables}
    (ablation,) = [table for title, table in by_title.items() if "table 3" in title]
    sharpness, norm = (
        by_title[f"photos, gaussian noise: {what} at the end of training ({figure})"]
        for what, figure in (("sharpness", "figure 3"), ("norm of the gradient", "figure 4"))
    )
    (sweep,) = [table for title, table in by_title.items() if "figure 5" in title]
    (weights,) = [table for title, table in by_title.items() if "figure 6" in title]
    blocks = [
        filled(recipe.tables[0], {"ERM": [90, 89, 88, 87, 86, 70, 80], "GroupDRO": 60, "SharpDRO": 75}),
        filled(recipe.tables[1], {"ERM": [90, 89, 88, 87, 86, 80, 80], "GroupDRO": 70, "SharpDRO": 71}),
        filled(ablation, {"SAM": 50, "GroupDRO": 53, "SharpDRO worst-only": 56, "SharpDRO": 55}),
        filled(sharpness, {"ERM": [1, 1, 1, 1, 1, 3], "SharpDRO": [1, 1, 1, 1, 1, 2]}),
        filled(norm, {"ERM": [2, 1, 1, 1, 1, 3], "SharpDRO": [2, 1, 1, 1, 1, 4]}),
        filled(sweep, {"severity 0": [80, 81, 79, 70, 60, 50, 40], "severity 5": [40, 41, 42, 43, 44, 45, 46]}),
        filled(weights, {"severity 0": [0] * 8 + [0.9], "severity 5": [0] * 8 + [1.25]}),
    ]
    assert recipe.observe(blocks) == [
        "From severity 0 to 5 plain ERM loses 10.0 to 20.0 points, depending on images and type.",
        "SharpDRO differs from ERM at severity 5 by -9.0 to +5.0 points, -2.0 in the mean of 2 tables.",
        "SharpDRO differs from GroupDRO at severity 5 by +1.0 to +15.0 points, +8.0 in the mean of 2 tables.",
        "SharpDRO has the highest mean at severity 5 in 1 of 2 tables.",
        "SharpDRO differs from ERM on average over the severities by -9.0 to -5.0 points, -7.0 in the mean of 2 "
        "tables.",
        "SharpDRO differs from GroupDRO on average over the severities by +1.0 to +15.0 points, +8.0 in the mean of 2 "
        "tables.",
        "SharpDRO has the highest mean on average over the severities in 0 of 2 tables.",
        "At severity 5 SharpDRO gains +2.0 by sharpness, +5.0 by the worst case, -1.0 by the recorded gradient, in "
        "points.",
        "On average SharpDRO gains +2.0 by sharpness, +5.0 by the worst case, -1.0 by the recorded gradient, in "
        "points.",
        "Sharpness at severity 5 over that at 0: ERM 3.0, SharpDRO 2.0 times; at 5 SharpDRO has the least.",
        "The gradient's norm at severity 5 over that at 0: ERM 1.5, SharpDRO 2.0 times; at 5 ERM has the least.",
        "The rho of the highest accuracy: severity 0 0.01 (81.0 %), severity 5 2 (46.0 %).",
        "Mean weight of the training images by severity, without knowing it: 0: 0.90, 5: 1.25.",
    ]
    assert recipe.observe([]) == []


@pytest.fixture
def folders(tmp_path):
    """The paper's three image sets in small."""
    for split in ("train", "test"):
        files.write_folder(tmp_path / "imagenet30" / split)
    return {
        "imagenet30": str(tmp_path / "imagenet30"),
        "cifar100": str(files.write_cifar(tmp_path / "cifar100", coarse=True)),
        "cifar10": str(files.write_cifar(tmp_path / "cifar10", rows=25)),
    }


def test_given_images_stand_in_place_of_the_small_ones_with_the_papers_settings(folders):
    usual, recipe = find_recipe("sharpdro", seeds=1), find_recipe("sharpdro", seeds=1, images=folders)
    found = trainings(recipe)
    assert len(found) == 3 * 3 * (5 + 3) + 2 + 6  # sets, tables 1 and 2; table 3; the sweep of rho
    ours = trainings(usual)["photos-gaussian_noise-SharpDRO-0"].task.job
    theirs = found["cifar10-gaussian_noise-SharpDRO-0"].task.job
    assert theirs["objective"] == ours["objective"]
    assert (theirs["network"], theirs["epochs"], theirs["batch_size"]) == ({"kind": "wide_resnet16_4"}, 200, 100)
    assert theirs["optimizer"] == {**ours["optimizer"], "lr": 0.1}
    assert theirs["optimizer"]["weight_decay"] == 5e-4
    assert set(theirs) == {*ours, "data"}
    tables = {"cifar10": "cifar", "cifar100": "cifar", "imagenet30": "tiny"}
    for node in recipe.graph:
        if isinstance(node.task, DatasetTask):
            name = node.name.split("-")[0]
            job = parse_job({"name": node.name, **node.task.job, "output": {"uri": "x", **node.task.job["output"]}})
            stages = [*job.base_recipe(), *(stage for _, recipe in job.view_recipes() for stage in recipe)]
            assert {options.table for stage, options in stages if stage == "corrupt"} == {tables[name]}
            assert node.task.job["source"]["path"] == folders[name]
            assert node.task.job["image"] == {"size": 64 if name == "imagenet30" else 32}
            assert sum(1 for _ in job.source[0].open().entries()) > 0
    assert [table.title for table in recipe.tables if "table 3" in table.title] == [
        "cifar10, gaussian noise: what each part is worth (table 3)"
    ]
    assert list(recipe.settings["images"]) == ["cifar10", "cifar100", "imagenet30"]
    assert recipe.settings["images"]["cifar100"] == {"size": 32, "base": [], "copies": 1, "epochs": 200}
    assert recipe.settings["table of constants"] == tables
    only = find_recipe("sharpdro", images={"imagenet30": "x"})
    assert only.settings["ablation and figures"] == "on imagenet30 with gaussian_noise"
    assert "given images" not in usual.settings
    assert find_recipe("sharpdro", seeds=1, images={}) == usual


def test_the_plan_lists_the_jobs_of_given_images(folders, tmp_path, capsys):
    texts = [f"cifar10={folders['cifar10']}", f"imagenet30={folders['imagenet30']}"]
    reproduce("sharpdro", output=tmp_path / "o", quick=True, workers=2, images=texts, plan=True)
    told = capsys.readouterr().out
    recipe = find_recipe("sharpdro", quick=True, images=folders)
    mine = [node.name for node in recipe.graph if not node.name.startswith("cifar100-")]
    assert all(name in told for name in mine)
    assert f"{len(mine)} jobs, 0 done" in told
    assert not any(name in told for name in ("photos", "mnist5k", "cifar100"))
    assert not (tmp_path / "o").exists()


def test_images_that_cannot_be_read_are_refused_before_anything_is_planned(folders, tmp_path):
    flat = str(files.write_folder(tmp_path / "flat"))
    (tmp_path / "data").mkdir()
    for name, texts, message in (
        ("sharpdro", ["cifar11=x"], "no images called 'cifar11'; there are cifar10, cifar100, imagenet30"),
        ("hfc", [f"cifar10={folders['cifar10']}"], "images: hfc takes no images from folders; sharpdro does"),
        ("sharpdro", ["cifar10"], "'cifar10' is not of the form NAME=FOLDER"),
        ("sharpdro", ["cifar10="], "'cifar10=' is not of the form NAME=FOLDER"),
        ("sharpdro", ["cifar10=a", "cifar10=b"], "images: cifar10 is given twice"),
        ("sharpdro", [f"cifar10={tmp_path}/nowhere"], "source cifar10: path '.*nowhere' does not exist"),
        ("sharpdro", [f"cifar10={tmp_path}/data"], "source cifar10: .* lacks the file"),
        ("sharpdro", [f"imagenet30={flat}"], "flat is no folder of splits: put what is trained on"),
    ):
        with pytest.raises(PassbandError, match=message):
            reproduce(name, output=tmp_path / "o", images=texts, plan=True)
    assert parse_images([f"a={tmp_path}/b=c"]) == {"a": f"{tmp_path}/b=c"}


def test_a_report_shows_the_tables_of_given_images():
    recipe = find_recipe("sharpdro", quick=True, images={"cifar100": "x"})
    row = {**recipe.tables[0].where, "method": "ERM", "condition": "severity 0", "values": [50.0]}
    told = {"name": "sharpdro", "title": "t", "source": "s", "quick": True, "seeds": 1, "findings": [], "failed": {}}
    found = ReproductionResults.model_validate({**told, "rows": [row], "settings": recipe.settings})
    blocks = blocks_of(found)
    assert [block.table for block in blocks] == list(recipe.tables)
    assert blocks[0].methods["ERM"][0].mean == 50.0


@pytest.mark.slow
def test_a_network_is_trained_on_given_images_and_measured(folders, tmp_path):
    recipe = find_recipe("sharpdro", quick=True, images={"cifar10": folders["cifar10"]})
    wanted = {"cifar10-shot_noise-ERM-0-test"}
    for node in reversed(recipe.graph.nodes):
        wanted.update(node.needs if node.name in wanted else ())
    part = Graph(tuple(node for node in recipe.graph if node.name in wanted))
    ledger = run_graph(part, str(tmp_path / "out"), 1, SilentDisplay())
    assert ledger.failed == {}
    assert len(ledger.made) == 4
    test = read_manifest(open_store(ledger.made["cifar10-shot_noise-test"].path))
    assert (test.samples, len(test.views)) == (25, 6)
    trained = ledger.results["cifar10-shot_noise-ERM-0"]
    assert (trained["network"], trained["steps"]) == ("wide_resnet16_4", 2)  # of 125 images, in batches of 100
    shown = {(row.fields["corruption"], row.fields["method"]) for row in conclude(recipe, ledger).rows}
    assert shown == {("shot_noise", "ERM")}

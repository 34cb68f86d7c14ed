import pytest

from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.spec import parse_job
from passband.jobs.evaluation.conditions import parts_of
from passband.jobs.evaluation.spec import load_evaluate_job, parse_evaluate_job
from passband.pipeline.augment.corruption import tables

IMAGES = {"source": {"kind": "digits", "split": "test"}, "image": {"size": 16}}


def given(**changes):
    return {"kind": "evaluate", "name": "x", "checkpoint": "c", "test": IMAGES, "output": {"uri": "o"}} | changes


@pytest.mark.parametrize("table", tables.TABLES)
def test_every_table_of_the_stage_can_be_asked_for(table):
    part = parts_of(parse_evaluate_job(given(corruptions={"types": ["fog"], "table": table})))[1]
    assert part.reference.job["views"][1]["corrupt"]["table"] == table


def test_no_other_table_can():
    with pytest.raises(JobError, match=f"corruptions.table.*{'.*'.join(tables.TABLES)}"):
        parse_evaluate_job(given(corruptions={"types": ["fog"], "table": "mnist"}))


def test_every_job_that_is_made_is_a_good_one_with_the_views_that_are_read():
    job = parse_evaluate_job(
        given(corruptions={"types": "all"}, frequency={"radii": [2, 5]}, domains={"other": IMAGES})
    )
    parts = parts_of(job)
    assert len(parts) == 1 + 1 + 15 + 1
    for part in parts:
        made = parse_job(part.reference.job | {"output": {"uri": "cache", **part.reference.job["output"]}})
        assert set(part.views) <= {name for name, _ in made.view_recipes()}
    names = [condition.name for part in parts for condition in part.conditions]
    assert len(set(names)) == len(names) == 2 + 1 + 75 + 4
    assert parts[0].reference == parts[1].reference, "one dataset, whoever asks for it"


def test_a_grid_is_one_dataset_a_corruption_whichever_severities_are_asked_for():
    few = parts_of(parse_evaluate_job(given(corruptions={"types": ["fog"], "severities": [5, 2]})))[1]
    every = parts_of(parse_evaluate_job(given(corruptions={"types": ["fog"]})))[1]
    assert few.reference == every.reference
    made = parse_job(every.reference.job | {"output": {"uri": "cache"}})
    assert [name for name, _ in made.view_recipes()] == ["clean", *(f"fog-{severity}" for severity in range(1, 6))]
    assert [options.severity for _, recipe in made.view_recipes()[1:] for _, options in recipe] == [1, 2, 3, 4, 5]
    assert few.views == ["clean", "fog-2", "fog-5"]


def test_filters_keep_what_their_names_say():
    part = parts_of(parse_evaluate_job(given(frequency={"radii": [6]})))[1]
    made = parse_job(part.reference.job | {"output": {"uri": "cache"}})
    (low,), (high,) = (recipe for _, recipe in made.view_recipes()[1:])
    assert (low[1].low, low[1].high, high[1].low, high[1].high) == (0, 6, 6, float("inf"))


def test_a_section_may_have_images_of_its_own():
    other = {"source": {"kind": "photos", "split": "test"}, "image": {"size": 128}}
    part = parts_of(parse_evaluate_job(given(corruptions={"types": ["fog"], "table": "imagenet", "seed": 3, **other})))[
        1
    ]
    assert part.reference.job["source"] == other["source"]
    assert part.reference.job["seed"] == 3
    assert part.reference.job["output"]["encoding"] == "png"
    assert part.reference.job["views"][1]["corrupt"]["table"] == "imagenet"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": {}}, "test: a dataset needs one of path, job, or source with image"),
        ({"test": {"path": "x", **IMAGES}}, "test: a dataset needs one of"),
        ({"test": {"source": {}}}, "test: source and image are given together"),
        ({"test": {**IMAGES, "view": "fog-1"}}, "view clean only, not 'fog-1'; give a job"),
        ({"test": {"path": "x"}, "corruptions": {}}, "corruptions needs source and image"),
        ({"test": {"path": "x"}, "frequency": {}}, "frequency needs source and image"),
        ({"corruptions": {"types": ["rain"]}}, r"corruptions.types\[0\]: got 'rain'"),
        ({"corruptions": {"types": []}}, "corruptions.types"),
        ({"corruptions": {"severities": [1, 1]}}, "severities names 1 more than once"),
        ({"corruptions": {"severities": [6]}}, r"corruptions.severities\[0\]: got 6"),
        (
            {"corruptions": {"published": "x", **IMAGES}},
            "published images were made .*; leave source, image out",
        ),
        ({"corruptions": {"published": "x", "table": "tiny"}}, "leave table out"),
        ({"frequency": {"radii": [0]}}, r"frequency.radii\[0\]: got 0"),
        ({"baseline": "x"}, "a baseline is for the mCE, which needs corruptions"),
        ({"bootstrap": {"confidence": 1.0}}, "bootstrap.confidence: got 1.0"),
        ({"adapt": {"prior": -1, "batch": 8}}, "adapt.prior: got -1"),
        ({"adapt": {"prior": 1, "batch": 0}}, "adapt.batch: got 0"),
        ({"grups": True}, r"unknown key 'grups' \(did you mean groups\?\); allowed: .*groups"),
        ({"kind": "train"}, "is a job of kind train where evaluate is needed; passband train runs it"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(changes, message):
    with pytest.raises(JobError, match=message):
        parse_evaluate_job(given(**changes))


def test_published_corruptions_are_a_dataset_for_each_type_and_severity():
    job = parse_evaluate_job(given(corruptions={"published": "C", "types": ["fog", "snow"], "severities": [5, 1]}))
    parts = parts_of(job)[1:]
    assert [(c.name, c.family, c.level, c.view) for part in parts for c in part.conditions] == [
        *(("fog-1", "fog", 1, "clean"), ("fog-5", "fog", 5, "clean")),
        *(("snow-1", "snow", 1, "clean"), ("snow-5", "snow", 5, "clean")),
    ]
    made = [parse_job(part.reference.job | {"output": {"uri": "cache"}}) for part in parts]
    assert [(m.source[0].path, m.source[0].corruption, m.source[0].severity) for m in made] == [
        *(("C", "fog", 1), ("C", "fog", 5), ("C", "snow", 1), ("C", "snow", 5)),
    ]
    assert parse_evaluate_job(given(test={"path": "x"}, corruptions={"published": "C"})).corruptions.published == "C"


def test_a_grid_that_names_no_folder_is_spelled_as_it_was():
    assert "published" not in parse_evaluate_job(given(corruptions={})).model_dump()["corruptions"]


def test_local_places_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = parse_evaluate_job(given(baseline="b.json", corruptions={})).with_absolute_paths()
    assert [job.checkpoint, job.baseline, job.datasets, job.output.uri] == [
        str(tmp_path / name) for name in ("c", "b.json", "runs/datasets", "o")
    ]
    stored = parse_evaluate_job(given(test={"path": "d"})).test.reference()
    assert stored.path == str(tmp_path / "d")


def test_the_recipes_that_we_ship_are_good(request):
    recipes = sorted((request.config.rootpath / "jobs" / "recipes").glob("*-evaluate.yaml"))
    assert recipes
    for recipe in recipes:
        assert parts_of(load_evaluate_job(recipe))


@pytest.mark.parametrize(("num_classes", "kind"), [(10, "cifar10c"), (100, "cifar100c"), (3, "cifar10c")])
def test_published_images_are_those_of_the_networks_classes(num_classes, kind):
    job = parse_evaluate_job(given(corruptions={"published": "folder", "types": ["fog"], "severities": [2]}))
    part = parts_of(job, num_classes)[-1]
    assert part.reference.job["source"] == {"kind": kind, "path": "folder", "corruption": "fog", "severity": 2}

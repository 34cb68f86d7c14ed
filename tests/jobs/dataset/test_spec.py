import copy

import pytest
import yaml

from passband.jobs.analysis.spec import load_analyze_job
from passband.jobs.common.jobfile import JobError, read_yaml
from passband.jobs.dataset.spec import load_job, parse_job
from passband.jobs.evaluation.spec import load_evaluate_job
from passband.jobs.training.spec import load_train_job

GOOD = {
    "kind": "generate",
    "name": "test",
    "source": {"kind": "mnist5k", "split": "train"},
    "image": {"size": 32},
    "views": ["clean", {"radial": {"high": 8}}],
    "output": {"uri": "out"},
}


def job(**changes):
    return copy.deepcopy(GOOD) | changes


def test_every_spelling_of_a_view_is_read():
    views = [
        "clean",
        "dct_flip",
        {"radial": {"high": 8}, "copies": 2, "name": "low"},
        [{"radial": {"high": 8}}, "dct_flip"],
    ]
    views.append({"chain": [{"dct": {"size": 4, "keep": "low"}}], "name": "block"})
    recipes = parse_job(job(views=views)).view_recipes()
    assert [name for name, _ in recipes] == ["clean", "dct_flip", "low-1", "low-2", "radial-dct_flip", "block"]
    assert [[stage for stage, _ in recipe] for _, recipe in recipes] == [
        [],
        ["dct_flip"],
        ["radial"],
        ["radial"],
        ["radial", "dct_flip"],
        ["dct"],
    ]


def test_resolving_is_idempotent_and_complete():
    parsed = parse_job(job())
    resolved = parsed.resolved()
    again = parse_job(yaml.safe_load(yaml.safe_dump(resolved)))
    assert again.resolved() == resolved
    assert resolved["views"][1] == {
        "name": "radial",
        "chain": [{"radial": {"low": 0.0, "high": 8.0, "range": "clip"}}],
    }
    assert resolved["compute"]["batch_size"] == 256


BAD = {
    "unknown key": (job(sead=1), r"unknown key 'sead' \(did you mean seed\?\); allowed: bad_images, base"),
    "unknown key below": (job(output={"uri": "x", "shards": 3}), "output: unknown key 'shards'"),
    "wrong type": (job(seed="7"), "seed: got '7'"),
    "bool for int": (job(seed=True), "seed: got True"),
    "negative seed": (job(seed=-1), "seed: got -1"),
    "unknown stage": (
        job(views=["clean", {"radail": {"high": 8}}]),
        r"unknown key 'radail' \(did you mean radial\?\); allowed: augmix, chain",
    ),
    "unknown stage name": (job(views=["clean", "radail"]), "radail"),
    "unknown source": (job(source={"kind": "imagenet"}), "source.*imagenet.*mnist5k"),
    "unknown option": (
        job(views=["clean", {"radial": {"hi": 8}}]),
        r"views\[1\].radial: unknown key 'hi' \(did you mean high\?\); allowed: high, low",
    ),
    "radius below zero": (job(views=["clean", {"radial": {"low": -1}}]), r"views\[1\].radial.low: got -1"),
    "radius nan": (job(views=["clean", {"radial": {"low": float("nan")}}]), r"views\[1\].radial.low"),
    "zero copies": (job(views=["clean", {"radial": {"high": 8}, "copies": 0}]), r"views\[1\].copies: got 0"),
    "clean is not first": (job(views=[{"radial": {"high": 8}}, "clean"]), "views must begin with clean"),
    "no views": (job(views=[]), "views"),
    "two stages in one": (
        job(views=["clean", {"radial": {"high": 8}, "dct_flip": {}}]),
        "a view is one stage or a chain",
    ),
    "empty chain": (job(views=["clean", []]), r"views\[1\]: a view is one stage"),
    "two views of one name": (
        job(views=["clean", {"dct_flip": {}, "name": "a"}, {"dct_flip": {}, "name": "a"}]),
        "share the name a",
    ),
    "name of a member": (job(views=["clean", {"dct_flip": {}, "name": "A b"}]), r"views\[1\].name: got 'A b'"),
    "float before the end": (
        job(views=["clean", [{"radial": {"high": 8, "range": "float"}}, "dct_flip"]]),
        "range float is for the last stage",
    ),
    "float in ffcv": (
        job(
            views=["clean", {"radial": {"low": 8, "range": "float"}}],
            output={"uri": "x", "formats": ["webdataset", "ffcv"]},
        ),
        "FFCV",
    ),
    "ffcv alone": (job(output={"uri": "x", "formats": ["ffcv"]}), "must contain webdataset"),
    "size": (job(image={"size": 0}), "image.size: got 0; needs a side"),
    "size of three": (job(image={"size": [1, 2, 3]}), "image.size"),
    "channels": (job(image={"size": 32, "channels": 1}), "image.channels: got 1"),
    "too large for the image": (job(views=["clean", {"dct": {"size": 33, "keep": "low"}}]), "dct: dct: .*33"),
    "two sources without domains": (job(source=[GOOD["source"], GOOD["source"]]), "need a domain each"),
    "group without domain": (job(group="domain"), "group: domain needs"),
    "group without severity": (job(group="severity"), "group: severity needs"),
    "inline with workers": (job(compute={"executor": "inline", "workers": 2}), "inline has one worker"),
    "no job": ([], "a job is a mapping"),
    "other kind": (job(kind="train"), "is a job of kind train where generate is needed; passband train runs it"),
    "missing": (
        {k: v for k, v in GOOD.items() if k != "output"},
        "missing: output; for example output: {uri: runs/mine}",
    ),
}


@pytest.mark.parametrize(("given", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_job_is_refused_by_key_value_and_what_is_allowed(given, message):
    with pytest.raises(JobError, match=message):
        parse_job(given)


def test_several_problems_are_told_at_once():
    with pytest.raises(JobError) as error:
        parse_job(job(seed="x", image={"size": -1}))
    assert "seed" in str(error.value)
    assert "image.size" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("kind: generate\nkind: generate", "is given twice"),
        ("!!python/object/apply:os.system ['true']", "the tag !!python/object/apply:os.system is not read here"),
        ("", "a job is a mapping"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(JobError, match=message):
        load_job(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(JobError, match="cannot read the job file .*nothing.yaml: No such file"):
        load_job(tmp_path / "nothing.yaml")


def test_the_recipes_that_we_ship_are_good(request):
    load = {
        "generate": load_job,
        "train": load_train_job,
        "evaluate": load_evaluate_job,
        "analyze": load_analyze_job,
    }
    recipes = sorted((request.config.rootpath / "jobs" / "recipes").glob("*.yaml"))
    assert {read_yaml(recipe)["kind"] for recipe in recipes} == set(load)
    for recipe in recipes:
        kind = read_yaml(recipe)["kind"]
        assert load[kind](recipe).name


NEEDED = "it must be a text: YAML reads"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "no",
            'got False; it must be a text: YAML reads a bare no, off and false as false; write it in quotes, as "no"',
        ),
        (
            "yes",
            'got True; it must be a text: YAML reads a bare yes, on and true as true; write it in quotes, as "yes"',
        ),
        *(
            (written, f"got {value}; {NEEDED} this as a {kind}; write it in quotes, as it stands in the file")
            for written, value, kind in (
                ("3", "3", "number"),
                ("010", "8", "number"),
                ("1_000", "1000", "number"),
                ("12:30", "750", "number"),
                ("1.50", "1.5", "number"),
                ("2024-01-02", "2024-01-02", "date"),
                ("2024-01-02t03:04:05", "2024-01-02 03:04:05", "date"),
            )
        ),
        (
            "null",
            'got None; it must be a text: YAML reads a bare null, ~ or nothing as null; write it in quotes, as "null"',
        ),
    ],
)
def test_what_yaml_made_of_a_text_is_told_wherever_a_text_is_needed(written, told):
    given = yaml.safe_load(f"[cat, {written}]")
    for key in ("classes", "image", "ignore"):
        source = {"kind": "webdataset", "path": "x", key: given}
        with pytest.raises(JobError) as error:
            parse_job(job(source=source))
        assert str(error.value) == f"job:\n  source.{key}[1]: {told}"


def test_a_domain_that_yaml_did_not_read_as_a_text():
    with pytest.raises(JobError, match=r'source.domain: got False; .* write it in quotes, as "no"'):
        parse_job(job(source={"kind": "digits", "domain": False}))

"""What is said of a wrong value: in words for whoever wrote it, short, and none of pydantic's own."""

import copy
import re
from datetime import date, datetime
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from passband.jobs.analysis.envelope import Envelope
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob, parse_analyze_job
from passband.jobs.common.examples import EXAMPLES, example
from passband.jobs.common.jobfile import JobError
from passband.jobs.comparison.results import AnalysisResults, ReproductionResults, TrainingResults
from passband.jobs.dataset.entries import AnySource
from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.jobs.evaluation.results import Evaluation
from passband.jobs.evaluation.spec import EvaluateJob, parse_evaluate_job
from passband.jobs.training.objectives import OBJECTIVES
from passband.jobs.training.spec import TrainJob, parse_train_job
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.networks.network import NetworkSpec
from passband.pipeline.problems import PATTERNS, first_problem
from passband.pipeline.records import Manifest, ShardRecord
from passband.pipeline.sources import SOURCES

NOT_OURS = re.compile(
    r"Input should|should be|should have|Field required|validation error|type=|discriminator|\btags?\b|pydantic|"
    r"valid (dictionary|string|integer|number|list|boolean|tuple)|Value error|Assertion|instance of|Unable to|Extra",
    re.IGNORECASE,
)
WRONG = [
    *(None, True, 3, -1, 0, 10**30, 10**4000, 1.5, -1.5, float("nan"), float("inf")),
    *("", "x", "x" * 300_000, "a b\n\x1b[0m", [], [None], ["x"], [[["x"]]], [3, 3], [1.5, float("nan")], ["x"] * 5000),
    *({}, {"x": 1}, {"kind": "x"}, {"kind": [4]}, {"kind": None}, {"x" * 100_000: 1}, {3: 4}),
    *(date(2024, 1, 2), datetime(2024, 1, 2, 3)),
]
SHORT = {"kind": "digits"}


def small(key):
    """An example of a key as a value."""
    return yaml.safe_load(example(key))


def stage(name):
    fields = AUGMENTATIONS[name].Options.model_fields
    given = {key: small(f"{name}.{key}") for key, field in fields.items() if field.is_required() and name != "prime"}
    return {name: given or ({"high": 8} if name == "radial" else {})}


def source(kind):
    fields = SOURCES[kind].Options.model_fields
    return {"kind": kind} | {key: small(key) for key, field in fields.items() if field.is_required()}


def generate_jobs():
    for kind in SOURCES:
        yield {**generate(), "source": source(kind)}
    for name in AUGMENTATIONS:
        if name != "sada":  # its checks read a checkpoint
            yield {
                **generate(),
                "views": ["clean", stage(name), [stage(name)], {**stage(name), "copies": 2, "name": "a"}],
            }
    yield parse_job({**generate(), "views": ["clean", "prime", "dct_flip"]}).resolved()


def generate():
    return {
        "kind": "generate",
        "name": "n",
        "source": SHORT,
        "image": {"size": 32},
        "views": ["clean"],
        "output": {"uri": "o"},
    }


def train_jobs():
    for kind in OBJECTIVES:
        yield {
            "kind": "train",
            "name": "n",
            "data": {"path": "d"},
            "network": {"kind": "lenet"},
            "objective": {"kind": kind},
            "epochs": 1,
            "output": {"uri": "o"},
        }
    full = parse_train_job({**next(train_jobs_plain()), "evaluate": {"a": {"path": "b"}}, "swa": {}}).model_dump()
    yield full


def train_jobs_plain():
    yield {
        "kind": "train",
        "name": "n",
        "data": {"path": "d"},
        "network": {"kind": "lenet"},
        "objective": {"kind": "jsd"},
        "epochs": 1,
        "output": {"uri": "o"},
    }


def evaluate_jobs():
    yield parse_evaluate_job(
        {
            "kind": "evaluate",
            "name": "n",
            "checkpoint": "c",
            "test": {"source": SHORT, "image": {"size": 32}},
            "domains": {"d": {"path": "p"}},
            "corruptions": {},
            "frequency": {},
            "adapt": {"prior": 1, "batch": 2},
            "output": {"uri": "o"},
        }
    ).model_dump()


def analyze_jobs():
    yield {
        "kind": "analyze",
        "name": "n",
        "source": SHORT,
        "image": {"size": 32},
        "surrogate": {"network": "lenet", "checkpoint": "c"},
        "output": {"uri": "o"},
    }
    yield parse_analyze_job({**next(analyze_jobs()), "base": ["dct_flip"]}).resolved()
    families = [{"kind": "dct"}, {"kind": "random"}, {"kind": "file", "path": "p"}]
    sections = {"attack": {}, "margins": {"subspaces": families}, "coverage": {"views": ["clean", "augmix"]}}
    sections["spectrum"] = {"views": ["clean", "augmix"]}
    yield parse_analyze_job({**next(analyze_jobs()), **sections}).resolved()


def places(value, path=()):
    """Yield the path of every value in a structure, itself included."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def replaced(value, path, wrong):
    if not path:
        return wrong
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], wrong)
    return changed


def without(value, path):
    changed = copy.copy(value)
    if len(path) == 1:
        del changed[path[0]]
    else:
        changed[path[0]] = without(value[path[0]], path[1:])
    return changed


def at(value, path):
    return at(value[path[0]], path[1:]) if path else value


def spoiled(job):
    """Yield the job with each of its values replaced, each key left out, and a strange key in each mapping."""
    for path in places(job):
        for wrong in WRONG:
            yield replaced(job, path, wrong)
        if path and isinstance(path[-1], str):
            yield without(job, path)
        if isinstance(at(job, path), dict):
            yield replaced(job, path, {**at(job, path), "outputt": 1})


PARSERS = {
    "generate": (parse_job, generate_jobs),
    "train": (parse_train_job, train_jobs),
    "evaluate": (parse_evaluate_job, evaluate_jobs),
    "analyze": (parse_analyze_job, analyze_jobs),
}


@pytest.mark.parametrize("kind", PARSERS)
def test_no_wrong_value_is_answered_in_pydantics_words(kind):
    parse, jobs = PARSERS[kind]
    refused = 0
    for job in jobs():
        parse(job)
        for given in spoiled(job):
            try:
                parse(given)
            except JobError as error:
                refused += 1
                check_words(str(error))
    assert refused > 400


def check_words(message):
    own = re.sub(r"'[^'\n]*'", "", message)  # without what was given
    assert not NOT_OURS.search(own), message
    lines = message.splitlines()
    assert len(lines) < 30
    assert all(len(line) < 1100 and line.isprintable() for line in lines), message


RESULTS = [
    *(Manifest, ShardRecord, Envelope, Analysis, Evaluation, NetworkSpec),
    *(TrainingResults, AnalysisResults, ReproductionResults),
]


@pytest.mark.parametrize("model", RESULTS, ids=lambda model: model.__name__)
def test_nor_is_a_damaged_file(model):
    refused = 0
    for key in model.model_fields:
        for wrong in WRONG:
            try:
                TypeAdapter(dict[str, model]).validate_python({"m": {key: wrong}})
            except ValidationError as error:
                message = first_problem(error)
                assert not NOT_OURS.search(re.sub(r"'[^']*'", "", message)), message
                assert len(message) < 1100
                assert message.isprintable()
                refused += 1
    assert refused >= len(WRONG)


def models_in(annotation, seen):
    """Collect the models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.model_fields.values():
            models_in(field.annotation, seen)
    for part in get_args(annotation):
        models_in(part, seen)


def test_every_key_that_is_needed_has_an_example_that_is_allowed():
    seen = set()
    for model in (GenerateJob, TrainJob, EvaluateJob, AnalyzeJob):
        models_in(model, seen)
    tried = 0
    parents = {name: AUGMENTATIONS[name].Options for name in AUGMENTATIONS}
    for model in seen:
        if model.__name__ == "PrimeOptions":
            continue  # its preset fills in what is left out
        parent = next((name for name, options in parents.items() if options is model), _parent(model))
        for key, field in model.model_fields.items():
            if field.is_required() and key != "kind" and not key.startswith(("poisson", "uniform")):
                shown = yaml.safe_load(example(f"{parent}.{key}" if parent else key))
                annotation = field.rebuild_annotation()
                TypeAdapter(annotation).validate_python(shown)
                tried += 1
    assert tried > 25
    assert {name for name in EXAMPLES if name.endswith("kind")} >= {"source.kind", "network.kind", "objective.kind"}


def _parent(model):
    names = {"ImageSection": "image", "SurrogateOptions": "surrogate", "NetworkSection": "network"}
    return (names | {"WatchSection": "watch", "StoredOptions": "stored"}).get(model.__name__, "")


def test_patterns_have_words():
    patterns = set()

    def collect(node):
        if isinstance(node, dict):
            patterns.update({node["pattern"]} if isinstance(node.get("pattern"), str) else ())
            for part in node.values():
                collect(part)
        elif isinstance(node, list):
            for part in node:
                collect(part)

    for model in (GenerateJob, TrainJob, EvaluateJob, AnalyzeJob):
        collect(model.model_json_schema())
    assert patterns
    assert patterns <= PATTERNS.keys()


SAID = {
    "missing": ({"output": None}, "  output: got None; it must be a mapping of keys"),
    "literal": ({"output": {"uri": "o", "encoding": "jpg"}}, "allowed: png, webp, npy, jpeg (did you mean jpeg?)"),
    "kind of a source": ({"source": {"kind": "digts"}}, "  source: kind: got 'digts'; allowed: mnist5k, digits,"),
    "nearest source": ({"source": {"kind": "digts"}}, "(did you mean digits?)"),
    "no kind": ({"source": {"path": "x"}}, "  source: missing: kind; for example kind: imagefolder"),
    "bound": ({"output": {"uri": "o", "quality": 101}}, "  output.quality: got 101; it must be at most 100"),
    "infinite": ({"compute": {"task_timeout_s": float("inf")}}, "got inf; it must be a finite number"),
    "name": ({"name": "a b"}, "  name: got 'a b'; it must be 1 to 100 letters, digits, '_', '.' and '-'"),
    "list": ({"output": {"uri": "o", "formats": []}}, "got an empty list; it must be of at least 1 entry"),
    "long text": ({"seed": "x" * 300_000}, "seed: got 'xxxxx"),
    "long integer": ({"seed": 10**5000}, "seed: got an integer of about 5,001 digits; it must be less than"),
    "long list": ({"seed": [[1] * 1000] * 1000}, "  seed: got a list; it must be an integer"),
}


@pytest.mark.parametrize(("change", "said"), SAID.values(), ids=SAID.keys())
def test_words(change, said):
    with pytest.raises(JobError) as error:
        parse_job({**generate(), **change})
    assert said in str(error.value)
    assert len(str(error.value)) < 400


def test_a_missing_key_is_told_with_an_example():
    job = generate()
    del job["output"], job["image"]["size"]
    with pytest.raises(JobError) as error:
        parse_job(job)
    assert str(error.value).splitlines()[1:] == [
        "  image: missing: size; for example size: 224",
        "  missing: output; for example output: {uri: runs/mine}",
    ]


def test_a_thousand_problems_are_not_a_thousand_lines():
    with pytest.raises(JobError, match="and more: 4,980 problems are left out") as error:
        parse_train_job({**next(train_jobs_plain()), "data": {"path": "d", "views": [3] * 5000}})
    assert len(str(error.value).splitlines()) == 22


def test_the_sources_of_a_job_are_all_spoiled():
    """The loops above go over what is installed: each source and stage is one of theirs."""
    assert {get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(AnySource)[0])} == set(
        SOURCES
    )


@pytest.mark.parametrize("stage", [{"prime": {}}, {"radial": {"high": 8}}])
def test_fifty_entries_of_a_thousand_copies_are_refused_before_they_are_spelled_out(stage, monkeypatch):
    monkeypatch.setattr(GenerateJob, "view_recipes", lambda job: pytest.fail("spelled out"))
    with pytest.raises(JobError, match="views: 51,201 with their copies; at most 4,096 are allowed"):
        parse_job({**generate(), "views": ["clean", *[{**stage, "copies": 1024}] * 50]})
    with pytest.raises(JobError, match="views: 10,240 stages with their copies; at most 8,192 are allowed"):
        parse_job({**generate(), "views": ["clean", {"chain": [stage] * 10, "copies": 1024}]})


def test_the_largest_job_reads_back():
    job = parse_job({**generate(), "views": ["clean", *[{"radial": {"high": 8}, "copies": 1023}] * 4]})
    assert len(job.view_recipes()) == 4093

"""The documents say what the code does: names, options, defaults, bounds, citations, links, paths and commands."""

import ast
import importlib
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from passband.jobs.analysis.options import AttackOptions, MarginOptions
from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.cli import app
from passband.jobs.dataset.spec import parse_job
from passband.jobs.evaluation.attack import Fgsm, ProjectedGradient
from passband.jobs.evaluation.results import Summary
from passband.jobs.evaluation.spec import (
    Adaptation,
    Bootstrap,
    CorruptionGrid,
    EvaluateJob,
    FrequencySplit,
    Smoothing,
    parse_evaluate_job,
)
from passband.jobs.reproduce.recipes import RECIPES
from passband.jobs.training.objectives import OBJECTIVES
from passband.jobs.training.spec import parse_train_job
from passband.kernels import reference
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.augmix import OPERATIONS
from passband.pipeline.augment.corruption.options import PoissonSeverity
from passband.pipeline.augment.corruption.tables import TABLES
from passband.pipeline.augment.prime_options import PRESETS, PrimeOptions
from passband.pipeline.corruptions import NAMES
from passband.pipeline.formats import FORMATS
from passband.pipeline.networks.network import NETWORKS
from passband.pipeline.sources import SOURCES
from tests.methods import METHODS, ROOT, chapter, numbered, titled
from tests.syntax import parsed
from tests.test_structure import LAYERS

CITATION = re.compile(r"METHODS (\d+(?:\.\d+)?)(?: \(([a-z])\))?")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
CODE = ("kernels", "pipeline", "jobs", "tests", "benchmarks")
EVALUATED = (CorruptionGrid, FrequencySplit, Bootstrap, Adaptation, Fgsm, ProjectedGradient, Smoothing)
UNTOLD = ("types", "seed", "source", "image")
"""Options of evaluations and analyses that are told in other words."""
LISTED = ("methods", "subspaces", "kind")
"""Options of analyses that are told as lists."""


class Option(NamedTuple):
    """One field of a model of options: `where` it is given with its default, `around` that its choices."""

    where: str
    around: str
    name: str
    field: FieldInfo


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field may hold, but those that are the options of an objective of their own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in {objective.Options for objective in OBJECTIVES.values()}:
            yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType, list):
        for part in get_args(annotation):
            yield from models_in(part)


def options_of(model: type[BaseModel], where: str) -> Iterator[Option]:
    for name, field in model.model_fields.items():
        yield Option(where, chapter(where), name, field)
        for inner in models_in(field.annotation):
            yield from options_of(inner, where)


def choices_of(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    elif get_origin(annotation) in (Annotated, Union, UnionType, list):
        yield from chain.from_iterable(map(choices_of, get_args(annotation)))


def given_for(name: str, text: str) -> list[str]:
    """Return what stands in parentheses behind an option wherever it is written as one."""
    return re.findall(rf"`{name}` \(((?:[^()]|\([^()]*\))*)\)", " ".join(text.split()))


def numbers_in(text: str) -> list[float]:
    return [float(found) for found in NUMBER.findall(text.replace(",", ""))]


def says_default(text: str, field: FieldInfo) -> bool:
    """Tell whether the words before the semicolon are the default."""
    said = text.partition(";")[0].strip()
    if said.startswith("preset"):
        return field.is_required()
    if field.is_required() or said == "required":
        return field.is_required() and said == "required"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return said == str(default).lower()
    if isinstance(default, int | float):
        return said == "inf" if default == float("inf") else numbers_in(said) == [default]
    if isinstance(default, list):
        return [float(one) for one in said.split(",")] == default
    if isinstance(default, str):
        return said == f"`{default}`"
    return bool(said)  # null and models of their own are told in words


def bounds_of(field: FieldInfo) -> list[float]:
    keys = ("ge", "gt", "le", "lt")
    return [getattr(part, key) for part in field.metadata for key in keys if getattr(part, key, None) is not None]


def said_wrong(option: Option) -> str | None:
    """Return what the document lacks or misstates of an option."""
    given = given_for(option.name, option.where)
    if not given:
        return f"`{option.name}` (default; allowed) is missing"
    fitting = [text for text in given if says_default(text, option.field)]
    if not fitting:
        return f"`{option.name}` has the default {option.field.default!r}, not ({given[0]})"
    if not any(set(bounds_of(option.field)) <= set(numbers_in(text)) for text in fitting):
        return f"`{option.name}` is bounded by {bounds_of(option.field)}, not ({fitting[0]})"
    missing = [choice for choice in choices_of(option.field.annotation) if f"`{choice}`" not in option.around]
    return f"`{option.name}` allows {missing}" if missing else None


ALSO_TOLD_IN = {"deepfool": ("3.4",), "sparsefool": ("3.4", "8.1")}
"""Stage or objective -> sections that tell options which it shares with others."""


def told_options(name: str, model: Any) -> Iterator[Option]:
    """Yield the options of a stage or objective, each with the first section of its own that names it."""
    sections = [titled(name), *map(numbered, ALSO_TOLD_IN.get(name, ()))]
    for places in zip(*(options_of(model, section) for section in sections), strict=True):
        yield next((option for option in places if given_for(option.name, option.where)), places[0])


def all_options() -> list[Any]:
    owners = {name: owner.Options for name, owner in chain(AUGMENTATIONS.items(), OBJECTIVES.items())}
    found = [(name, option) for name, model in owners.items() for option in told_options(name, model)]
    evaluated = chain.from_iterable(options_of(model, numbered("7.1")) for model in EVALUATED)
    found += [("evaluate", option) for option in evaluated if option.name not in UNTOLD]
    for model, section in ((AttackOptions, "7.5"), (MarginOptions, "7.6")):
        inner = options_of(model, numbered(section))
        found += [("analyze", option) for option in inner if option.name not in (*UNTOLD, *LISTED)]
    return [pytest.param(option, id=f"{name}.{option.name}") for name, option in found]


@pytest.mark.parametrize("option", all_options())
def test_an_option_is_told_with_its_default_bounds_and_choices(option):
    assert said_wrong(option) is None


def test_the_check_of_options_can_fail():
    steps, keep = (AUGMENTATIONS[name].Options.model_fields[key] for name, key in (("sada", "steps"), ("dct", "keep")))
    assert said_wrong(Option("`steps` (5; 0 to\n254)", "", "steps", steps)) is None
    for wrong in ("`step` (5; 0 to 254)", "`steps` (6; 0 to 254)", "`steps` (5; 0 to 25)", "`steps` (required)"):
        assert said_wrong(Option(wrong, "", "steps", steps))
    assert said_wrong(Option("`keep` (required)", "`low`", "keep", keep)) == "`keep` allows ['high']"


def table_rows(text: str) -> dict[str, list[str]]:
    """Return the name in backticks that begins a row -> its other cells."""
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def test_the_presets_of_prime_are_those_of_the_code():
    text = titled("prime")
    columns = re.search(r"^\| option \|(.*)\|$", text, re.MULTILINE)
    assert columns is not None
    names = re.findall(r"`([\w-]+)`", columns[1])
    assert names == list(PRESETS)
    resolved = [PrimeOptions.model_validate({"preset": name}) for name in names]
    for option, cells in table_rows(text).items():
        assert cells == [spelled(getattr(preset, option)) for preset in resolved], option
    shown = {*table_rows(text), "preset", "primitives", "mix"}
    for option in PrimeOptions.model_fields.keys() - shown:
        (value,) = {getattr(preset, option) for preset in resolved}
        assert any(says.startswith(f"preset: {value:g};") for says in given_for(option, text)), option


def spelled(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "null" if value is None else str(value)


def test_the_constants_of_corruptions_are_those_of_the_code():
    text = titled("corrupt")
    shown = re.search(r"^\| `table` \|(.*)\|$", text, re.MULTILINE)
    assert shown is not None
    names = re.findall(r"`(\w+)`", shown[1])
    rows = {table: table_rows(text)[table] for table in TABLES}
    for table, cells in rows.items():
        for name, cell in zip(names, cells, strict=True):
            assert numbers_in(cell.replace(", ", " ")) == [value for (value,) in TABLES[table][name]], (table, name)


def test_the_corruptions_have_the_numbers_of_the_code():
    assert re.findall(r"^\| (\d+) `(\w+)` \|", titled("corrupt"), re.MULTILINE) == [
        (str(number), name) for number, name in enumerate(NAMES)
    ]


def test_the_severities_of_poisson_are_those_of_the_code():
    ends = [0, *PoissonSeverity(poisson=1.0).thresholds(), 2**32]
    shares = [f"{(stop - start) / 2**32:.4f}" for start, stop in zip(ends, ends[1:], strict=False)]
    assert ", ".join(shares) in " ".join(titled("corrupt").split())


def test_operations_summaries_and_kernels_are_named():
    summaries = get_args(Summary.model_fields["name"].annotation)
    named = [(titled("augmix"), OPERATIONS), (numbered("7.1"), summaries), (METHODS, reference.__all__)]
    assert [name for text, names in named for name in names if f"`{name}`" not in text] == []
    conditions = EvaluateJob.model_fields.keys() & {"test", "domains", "corruptions", "frequency", "groups", "adapt"}
    conditions |= EvaluateJob.model_fields.keys() & {"attacks", "smoothing"}
    assert len(conditions) == 8
    assert [name for name in conditions if f"`{name}`" not in numbered("7.1")] == []


def citations() -> list[Any]:
    paths = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    found = [
        pytest.param(number, part, id=f"{path.relative_to(ROOT)}:{number}{part}")
        for path in paths
        if path != Path(__file__)
        for number, part in CITATION.findall(path.read_text())
    ]
    assert len(found) > 10
    return found


@pytest.mark.parametrize(("number", "part"), citations())
def test_what_a_docstring_cites_is_there(number, part):
    assert f"({part})" in numbered(number) if part else numbered(number)


DOCUMENTS = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not {part for part in path.relative_to(ROOT).parts if part.startswith(".") or part in ("runs", "build", "dist")}
    if "passband" not in path.relative_to(ROOT).parts[:1]  # the same files by their links
]
FOLDERS = ("jobs/", "pipeline/", "kernels/", "tests/", "benchmarks/")
LINK = re.compile(r"\]\(([^)\s]+)\)|<img\s[^>]*src=\"([^\"]+)\"")
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})[^`\s]*)`")
COMMAND = re.compile(r"(?<![/\w])passband ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
KINDS = {"generate": parse_job, "train": parse_train_job, "evaluate": parse_evaluate_job, "analyze": parse_analyze_job}

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(path: Path) -> set[str]:
    """Return what links into a document may name: its headings as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    found = []
    for link in (first or second for first, second in LINK.findall(text)):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if "://" not in link and not (target.exists() and (not anchor or anchor in anchors(target))):
            found.append(link)
    return found


def missing_paths(text: str) -> list[str]:
    """Return the paths in backticks that are not in the repository; `*` stands for some letters of a name."""
    return [name for name in PATH.findall(text) if not any(ROOT.glob(name.rstrip("/")))]


def unknown_commands(text: str) -> list[str]:
    """Return what is written as a command of passband, in code or in backticks, and is none."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    code = [block for language, block in BLOCK.findall(text) if language == ""]
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    found = []
    for name, inner in COMMAND.findall("\n".join([*code, *spans])):
        known = getattr(commands.get(name), "commands", None)
        if name not in commands or (known is not None and inner and inner not in known):
            found.append(f"{name} {inner}".strip())
    return found


@every_document
def test_links_lead_somewhere(path):
    assert broken_links(path, path.read_text()) == []


@every_document
def test_paths_are_there(path):
    if path.name != "CHANGELOG.md":  # it tells of what was there once
        assert missing_paths(path.read_text()) == []


@every_document
def test_commands_are_those_of_the_command_line(path):
    if path.name != "CHANGELOG.md":
        assert unknown_commands(path.read_text()) == []


def test_the_readme_lists_every_command():
    listed = {name for name, _ in COMMAND.findall((ROOT / "README.md").read_text())}
    assert set(typer.main.get_command(app).commands) - listed == set()  # type: ignore[attr-defined]


def test_the_checks_of_links_paths_and_commands_can_fail():
    here = ROOT / "README.md"
    text = '[a](METHODS.md#2-prime-prime) [b](nothing.md) <img width="3" src="no.png"> [c](#no-such-heading) [d](https://x.y)'
    assert broken_links(here, text) == ["nothing.md", "no.png", "#no-such-heading"]
    assert missing_paths("`jobs/cli.py` `jobs/executors/ray*.py` `jobs/no.py` `kernels/cpu/`") == ["jobs/no.py"]
    code = "```\npassband analyze sensitivity JOB\npassband fly\n```\n"
    text = f"`passband run JOB` `passband walk` `passband bench flops`\n{code}"
    assert unknown_commands(text) == ["fly", "walk", "bench flops"]


@every_document
def test_code_in_documents_is_python_with_names_that_passband_has(path):
    for language, block in BLOCK.findall(path.read_text()):
        if language != "python":
            continue
        for node in ast.walk(parsed(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("passband"):
                module = importlib.import_module(node.module or "")
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def jobs_in_documents() -> list[Any]:
    """Return the job files that documents show, and those to copy."""
    blocks = [(path, *block) for path in DOCUMENTS for block in BLOCK.findall(path.read_text())]
    given = [(path, text) for path, language, text in blocks if language == "yaml"]
    given += [(path, path.read_text()) for path in sorted((ROOT / "jobs" / "recipes").glob("*.yaml"))]
    read = [(path, yaml.safe_load(text)) for path, text in given]
    found = [pytest.param(job, id=f"{path.relative_to(ROOT)}:{job['name']}") for path, job in read if "kind" in job]
    assert len(found) > 8
    return found


@pytest.mark.parametrize("job", jobs_in_documents())
def test_job_files_that_are_shown_are_good(job, monkeypatch):
    monkeypatch.chdir(ROOT)
    KINDS[job["kind"]](job)


def test_the_first_page_is_short_and_leads_to_every_other():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    linked = {ROOT / first for first, _ in LINK.findall(text)}
    seconds = [path for path in DOCUMENTS if len(path.relative_to(ROOT).parts) <= 3 and path.name == "README.md"]
    own = [path for path in seconds if path.is_relative_to(ROOT / "jobs") or path.parent.parent == ROOT]
    own += [path for path in DOCUMENTS if path.parent == ROOT and path.name != "README.md"]
    assert len(own) > 10
    assert [path for path in own if path not in linked] == []


@every_document
def test_lines_are_short(path):
    """But in tables, of which each row is a line, and in what is written by a command or kept as it was."""
    if path.name != "CHANGELOG.md" and not path.is_relative_to(ROOT / "benchmarks"):
        lines = path.read_text().partition("<!-- written by")[0].splitlines()
        assert [line for line in lines if len(line) > 120 and line[:1] not in ("|", " ")] == []


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PLACED = re.compile(r"`(\w+(?:\.\w+)?)`(?: \(| of )`([\w/]+\.py)`")
CALLED = re.compile(r"`([A-Za-z_]+(?:\.[a-z_]+)?)(?:\([^`]*\))?`")
NO_NAMES = {"base", "clean", "run", "job.yaml", "plan.parquet"}


def defined_in(path: Path) -> set[str]:
    """Return the names of the functions, classes and methods (as CLASS.METHOD) of a module."""
    names = set()
    for node in parsed(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return names


def test_the_walks_name_functions_that_are_there():
    """Each where it is said to be; of those that are said without a place, one is somewhere."""
    whole = " ".join(ARCHITECTURE.split())
    walks = whole.partition("## The walk of one image")[2].partition("## Where to add what")[0]
    placed, called = PLACED.findall(walks), set(CALLED.findall(walks)) - NO_NAMES
    assert len(placed) > 20
    assert len(called) > 40
    assert [(name, path) for name, path in placed if name not in defined_in(ROOT / path)] == []
    modules = (path for folder in ("kernels", "pipeline", "jobs") for path in (ROOT / folder).rglob("*.py"))
    assert called - set().union(*map(defined_in, modules)) == set()


def test_the_layers_are_those_of_the_test_that_holds_them():
    (line,) = re.findall(r"^`common`.*?`entry`$", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    assert [set(group.split(", ")) for group in re.findall(r"`([^`]+)`", line)] == [set(layer) for layer in LAYERS]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("pipeline/README.md", [*AUGMENTATIONS, *SOURCES, *FORMATS]),
        ("jobs/training/README.md", [*OBJECTIVES, *NETWORKS]),
        ("jobs/reproduce/README.md", list(RECIPES)),
    ],
)
def test_pages_list_all_there_are(page, names):
    text = (ROOT / page).read_text()
    assert [name for name in names if f"`{name}`" not in text] == []

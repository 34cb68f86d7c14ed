"""Who may import whom, and what must stay light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("kernels", "pipeline", "jobs")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path):
    """Top-level names that a module imports, wherever it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def offenders(paths, forbidden):
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in imported(path)
        if name.partition(".")[0] in forbidden
    ]


def below(*folders):
    found = [path for path in MODULES if any(path.is_relative_to(ROOT / folder) for folder in folders)]
    assert found
    return found


def test_imports_follow_the_data():
    assert offenders(below("kernels"), {"pipeline", "jobs"}) == []
    assert offenders(below("pipeline"), {"jobs"}) == []


def test_ray_is_imported_by_its_executor_and_where_jobs_are_submitted_alone():
    allowed = ("jobs/executors/ray*.py", "jobs/cluster/client.py")
    others = [path for path in MODULES if not any(path.match(pattern) for pattern in allowed)]
    assert len(others) < len(MODULES)
    assert offenders(others, {"ray"}) == []


def test_gpus_are_met_in_the_cuda_kernels_alone_and_their_energy_in_its_meter():
    others = [path for path in MODULES if not path.is_relative_to(ROOT / "kernels" / "cuda")]
    assert len(others) < len(MODULES)
    assert offenders(others, {"cupy", "cupyx"}) == []
    assert offenders([path for path in MODULES if path != ROOT / "jobs/bench/energy.py"], {"pynvml"}) == []


def training_modules():
    """Names of the modules of the trainer and of what it reads with; those that open a beton may be the exception."""
    found = below("jobs/training", "jobs/evaluation", "pipeline/loading", "pipeline/networks")
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in found)
    commands = {"jobs.commands.training", "jobs.commands.evaluation"}
    return sorted({*names, *commands, "jobs.common.jobfile", "jobs.common.missing_datasets"})


def test_the_trainer_needs_neither_what_makes_data_nor_what_spreads_work():
    """Also by what is imported on the way: in a fresh process, all at once."""
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(sorted({'ray', 'cupy', 'numba', 'kernels'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    modules = [name for name in training_modules() if "beton" not in name]
    assert len(modules) > 40
    assert subprocess.check_output([sys.executable, "-c", script, *modules], text=True) == "[]\n"


def test_the_trainer_imports_nothing_of_the_kind_later():
    found = below("jobs/training", "jobs/evaluation", "pipeline/loading", "pipeline/networks")
    paths = [path for path in found if "beton" not in path.name]
    assert offenders(paths, {"ray", "cupy", "numba", "kernels", "ffcv"}) == []
    generation = [
        f"{path.name} imports {name}"
        for path in paths
        for name in imported(path)
        if name.startswith(("jobs.generation", "jobs.executors", "jobs.bench", "pipeline.augment", "pipeline.sources"))
    ]
    assert generation == []


def test_the_checks_can_fail():
    assert offenders(below("jobs/executors"), {"ray"})
    assert offenders(below("pipeline"), {"kernels"})


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_stay_light(package):
    heavy = "{'numba', 'ray', 'torch', 'ffcv', 'matplotlib', 'scipy'}"
    script = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_help_is_quick():
    """By the time of the processor, which a busy machine does not stretch."""
    spent = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "jobs.cli", "--help"], check=True, capture_output=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.5


def test_the_wrong_kernels_package_is_named(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import pipeline"
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert child.returncode == 1
    assert "Passband needs its own 'kernels' package" in child.stderr

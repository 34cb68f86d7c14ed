"""Who may import whom, and what must stay light."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.syntax import parsed

ROOT = Path(__file__).parent.parent
PACKAGES = ("kernels", "pipeline", "jobs")
LAYERS = [
    ("common",),
    ("drawing", "executors"),
    ("dataset",),
    ("analysis", "training"),
    ("generation", "evaluation"),
    ("reproduce", "bench", "init"),
    ("comparison",),
    ("cluster",),
    ("commands",),
    ("cli",),
    ("entry",),
]
"""Rooms of `jobs`: each may import those of the layers before it."""
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path):
    """Names of what a module imports, wherever it does so; our own without ``passband.``."""
    for node in ast.walk(parsed(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("passband.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "passband":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.removeprefix("passband.")


def module_of(path):
    """Name of a module of ours."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def arrows():
    """Module -> modules of ours that it imports: at its top, in a function, or for types alone."""
    known = {module_of(path): path for path in MODULES}
    return {module: sorted(set(own(path, known)) - {module}) for module, path in known.items()}


def own(path, known):
    """Modules among `known` that a module imports; of ``from package import module`` that is the module."""
    for node in ast.walk(parsed(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.removeprefix("passband.") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = node.module.removeprefix("passband").removeprefix(".")
            inner = [f"{start}.{alias.name}".removeprefix(".") for alias in node.names]
            names = [name if name in known else start for name in inner]
        else:
            continue
        yield from (name for name in names if name in known)


def circles(graph):
    """Groups of modules each of which imports every other, perhaps by way of others."""
    return [group for group in strongly_connected(graph) if len(group) > 1]


def strongly_connected(graph):
    """Tarjan's algorithm."""
    index, low, stack, groups = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            start = stack.index(node)
            groups.append(sorted(stack[start:]))
            del stack[start:]

    for node in graph:
        if node not in index:
            visit(node)
    return groups


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


def test_imports_within_jobs_go_down_the_layers():
    rank = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    upward = [
        f"{module} imports {other}"
        for module, others in arrows().items()
        for other in others
        if module.startswith("jobs.") and other.startswith("jobs.")
        if module.split(".")[1] != other.split(".")[1]
        if rank[module.split(".")[1]] <= rank[other.split(".")[1]]
    ]
    assert upward == []


def test_every_room_of_jobs_has_a_layer():
    assert {module_of(path).split(".")[1] for path in below("jobs") if path != ROOT / "jobs/__init__.py"} == {
        room for layer in LAYERS for room in layer
    }


def test_no_modules_import_each_other():
    assert circles(arrows()) == []


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


def test_the_reference_is_met_in_tests_alone():
    others = [path for path in MODULES if not path.is_relative_to(ROOT / "kernels" / "reference")]
    met = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in others
        for name in imported(path)
        if f"{name}.".startswith("kernels.reference.")
    ]
    met += [
        str(path) for path in others if re.search(r"from passband\.kernels import .*\breference\b", path.read_text())
    ]
    assert met == []
    assert len(others) < len(MODULES)


def test_a_worker_imports_no_transforms_before_a_stage_asks_for_them():
    script = (
        "import sys, passband.jobs.generation.run; "
        "print(sorted({'scipy.fft', 'scipy.special', 'scipy.ndimage'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def training_modules():
    """Names of the modules of the trainer and of what it reads with."""
    found = below("jobs/training", "jobs/evaluation", "pipeline/loading", "pipeline/formats", "pipeline/networks")
    names = (f"passband.{module_of(path)}" for path in found)
    commands = {"passband.jobs.commands.training", "passband.jobs.commands.evaluation"}
    return sorted({*names, *commands, "passband.jobs.common.jobfile", "passband.jobs.common.missing_datasets"})


def test_the_trainer_needs_neither_what_makes_data_nor_what_spreads_work():
    """Also by what is imported on the way: in a fresh process, all at once."""
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(sorted({'ray', 'cupy', 'numba', 'passband.kernels'} & set(sys.modules)))"
    )
    modules = training_modules()
    assert len(modules) > 40
    assert subprocess.check_output([sys.executable, "-c", script, *modules], text=True) == "[]\n"


def test_the_trainer_imports_nothing_of_the_kind_later():
    paths = below("jobs/training", "jobs/evaluation", "pipeline/loading", "pipeline/formats", "pipeline/networks")
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


def test_circles_are_found():
    assert circles({"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": []}) == [["a", "b", "c"]]
    assert sum(map(len, arrows().values())) > 1000


@pytest.mark.parametrize("package", ["passband", *(f"passband.{package}" for package in PACKAGES)])
def test_packages_stay_light(package):
    heavy = "{'numba', 'ray', 'torch', 'ffcv', 'matplotlib', 'scipy', 'numpy'}"
    script = f"import sys, {package}; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


def test_help_is_quick():
    """By the time of the processor, which a busy machine does not stretch."""
    spent = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, "-m", "passband", "--help"], check=True, capture_output=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) < 0.5


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="the tests run in one process")
def test_the_tests_of_a_file_run_in_one_process(request):
    """Else each process would make the fixtures of every module: pytest-xdist has failed to hear of groups before."""
    assert request.node.nodeid.endswith(f"@{request.path}")

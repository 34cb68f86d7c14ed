"""One code-generation baseline, a cache that survives what is done to it, and bits that do not depend on AVX-512."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from passband.kernels import cpu
from passband.kernels.cpu.compile import BASELINE, X86_BASELINE, bits_of, float_of, fma, kernel

WORDS = (
    "import numpy as np; from passband.kernels import cpu; "
    "print(cpu.words(1, np.arange(3, dtype=np.uint32), 0, 0, 5).sum())"
)


def run(code, *, cwd=None, **environment):
    command = [sys.executable, "-c", code]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_")}
    return subprocess.Popen(
        command, cwd=cwd, env=inherited | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def output(child):
    out, error = child.communicate(timeout=240)
    assert child.returncode == 0, error
    return out.strip()


def test_the_baseline_is_in_force():
    from numba.core import registry

    _, name, features = registry.cpu_target.target_context.codegen().magic_tuple()
    assert (name, features) == (BASELINE, "")


@pytest.mark.skipif(BASELINE != X86_BASELINE, reason="no x86-64 processor with AVX2 and FMA")
def test_code_uses_no_wider_vectors():
    @numba.njit  # not `kernel`: code from the disk cannot be inspected
    def axpy(x, y):
        for i in range(x.size):
            y[i] = fma(np.float32(3), x[i], y[i])

    axpy(np.ones(100, np.float32), np.ones(100, np.float32))
    (assembly,) = axpy.inspect_asm().values()
    assert "vfmadd" in assembly
    assert "%ymm" in assembly
    assert "%zmm" not in assembly
    assert "%xmm16" not in assembly


def test_a_changed_environment_does_not_bring_the_host_back():
    code = (
        "import os; from passband.kernels.cpu import compile as c; os.environ['NUMBA_DEBUG_CACHE'] = '0'; import numba;"
        "numba.config.reload_config(); print(numba.config.CPU_NAME, repr(numba.config.CPU_FEATURES))"
    )
    assert output(run(code)) == f"{BASELINE} ''"


HOST_FIRST = """
import numba, numpy as np
@numba.njit
def double(x):
    return np.sqrt(x * x) + x
assert double(np.ones(5)).sum() == 10
from passband.kernels import cpu
from numba.core import registry
assert registry.cpu_target.target_context.codegen().magic_tuple()[1:] == (cpu.BASELINE, "")
assert double(np.ones(5)).sum() == double(np.ones(5, np.float32)).sum() == 10
print(cpu.normals(1, np.arange(9, dtype=np.uint32), 0, 0, 50).tobytes().hex())
"""


def test_numba_may_have_been_set_up_for_the_host_before():
    expected = cpu.normals(1, np.arange(9, dtype=np.uint32), 0, 0, 50)
    assert output(run(HOST_FIRST)) == expected.tobytes().hex()


def test_fma_rounds_once_and_bits_go_both_ways():
    @kernel
    def once(a, b, c):
        return fma(a, b, c)

    @kernel
    def there_and_back(x):
        return float_of(bits_of(x))

    a = np.float32(1 + 2**-12)
    assert once(a, a, np.float32(-1)) == np.float32(2**-11 + 2**-24)
    assert there_and_back(np.float32(-1.5)) == -1.5


@pytest.fixture
def copy(tmp_path):
    """Return a folder that holds a copy of `passband` without caches."""
    source = Path(__file__).parents[2] / "passband"
    shutil.copytree(source, tmp_path / "passband", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def cached(folder):
    return sorted(folder.rglob("*.nbc"))


def test_two_processes_compile_at_once(copy):
    children = [run(WORDS, cwd=copy, PYTHONPATH=str(copy)) for _ in range(2)]
    first, second = (output(child) for child in children)
    assert first == second
    before = {path: path.stat().st_mtime_ns for path in cached(copy)}
    assert before
    assert output(run(WORDS, cwd=copy, PYTHONPATH=str(copy))) == first
    assert {path: path.stat().st_mtime_ns for path in cached(copy)} == before


@pytest.mark.parametrize(
    "source",
    ["prime_steps.py", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cpu/arrays.py", "philox.py"))],
)
def test_a_changed_source_is_compiled_again_in_its_callers(copy, source):
    first = output(run(WORDS, cwd=copy, PYTHONPATH=str(copy)))
    changed = copy / "passband" / "kernels" / source
    changed.write_text(changed.read_text() + "\n# another source\n")
    before = set(cached(copy))
    assert output(run(WORDS, cwd=copy, PYTHONPATH=str(copy))) == first
    assert set(cached(copy)) > before


@pytest.mark.slow
def test_a_changed_constant_reaches_compiled_code(copy):
    first = output(run(WORDS, cwd=copy, PYTHONPATH=str(copy)))
    philox = copy / "passband" / "kernels" / "philox.py"
    text = philox.read_text()
    assert text.count("ROUNDS = 10") == 1
    philox.write_text(text.replace("ROUNDS = 10", "ROUNDS = 7"))
    assert output(run(WORDS, cwd=copy, PYTHONPATH=str(copy))) != first
    philox.write_text(text)
    assert output(run(WORDS, cwd=copy, PYTHONPATH=str(copy))) == first


@pytest.mark.slow
def test_a_process_killed_while_it_saves_leaves_no_wrong_code(copy):
    """Die between the index and the code, as kill -9 may: the next process compiles again."""
    killed = (
        "import os\nfrom numba.core.caching import IndexDataCacheFile as File\n"
        "File._save_data = lambda *rest: os._exit(9)\n" + WORDS
    )
    child = run(killed, cwd=copy, PYTHONPATH=str(copy))
    child.communicate()
    assert child.returncode == 9
    assert cached(copy) == []
    assert list(copy.rglob("*.nbi"))
    expected = output(run(WORDS))
    assert output(run(WORDS, cwd=copy, PYTHONPATH=str(copy))) == expected


def test_nowhere_to_write_the_cache(copy):
    # Files where the folders would be: permissions do not stop root.
    (copy / "passband/kernels/cpu/__pycache__").write_text("")
    (copy / "home").write_text("")
    places = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": str(copy / "home")}
    child = run(WORDS, cwd=copy, PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1", **places)
    assert output(child)
    assert cached(copy) == []


ONE_SIGNATURE = """
import pkgutil, importlib
import numpy as np
from passband.kernels import cpu
from benchmarks.augment import make_run
from numba.core.dispatcher import Dispatcher
for side in (5, 32):
    images = np.random.default_rng(0).random((4, 3, side, side), dtype=np.float32)
    for options in ({}, {"preset": "imagenet-thesis"}, {"primitives": ["noise"]}):
        make_run(options, images)()
    cpu.phase_only(images)
    cpu.to_float(cpu.to_uint8(images))
    cpu.random_filter(images, np.zeros((4, 3, 3), np.float32))
modules = [importlib.import_module(f"{cpu.__name__}.{m.name}") for m in pkgutil.iter_modules(cpu.__path__)]
found = {id(f): f for module in modules for f in vars(module).values() if isinstance(f, Dispatcher)}
counts = {f.py_func.__name__: len(f.signatures) for f in found.values()}
assert sum(counts.values()) > 10, counts
print(sorted(name for name, count in counts.items() if count > 1))
"""


@pytest.mark.slow
def test_every_kernel_is_compiled_for_one_set_of_types(copy):
    """Two would meet in one cache file, were two processes to compile them at once.

    What comes from the cache compiles none of the functions it calls, so this needs an empty one.
    """
    shutil.copytree(Path(__file__).parents[2] / "benchmarks", copy / "benchmarks")
    assert output(run(ONE_SIGNATURE, cwd=copy, PYTHONPATH=str(copy))) == "[]"

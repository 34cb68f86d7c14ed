"""How kernels become machine code: one baseline for every x86-64 processor, no fast-math, compiled once to disk.

Numba would compile for the processor at hand, and wider vectors may move a last bit. The settings hold for the whole
process, from the import of this module on.
"""

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
from llvmlite import ir
from numba.core import registry, types
from numba.core.cgutils import get_or_insert_function
from numba.core.codegen import JITCPUCodegen
from numba.extending import intrinsic

X86_BASELINE = "x86-64-v3"
_NEEDED = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")


def _choose_baseline() -> str:
    """Return what LLVM calls the processor to compile for."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "generic"
    features = llvm.get_host_cpu_features()
    return X86_BASELINE if all(features.get(name, False) for name in _NEEDED) else "generic"


def _settle(baseline: str) -> None:
    # Both: Numba reads its variables again whenever one changes, and would then forget what was set by hand.
    settings = {"NUMBA_CPU_NAME": baseline, "NUMBA_CPU_FEATURES": ""}
    os.environ.update(settings)
    numba.config.reload_config()
    context = registry.cpu_target.target_context
    if context.codegen().magic_tuple()[2]:
        # Another library (ffcv) has set Numba up for the processor at hand. What it compiled stays as it is.
        context._internal_codegen = JITCPUCodegen("numba.exec")
    if context.codegen().magic_tuple()[1:] != (baseline, ""):
        raise RuntimeError(
            "Numba was set up for this very processor before passband.kernels.cpu was imported: import that first, or "
            f"start Python with NUMBA_CPU_NAME={baseline} NUMBA_CPU_FEATURES="
        )


BASELINE = _choose_baseline()
"""The processor that code is made for: "x86-64-v3" (AVX2 and FMA), or "generic" where that does not run."""
_settle(BASELINE)


def _digest_sources() -> str:
    """Return a hash of all that decides a kernel's machine code: every source of `kernels`, Numba, and the baseline."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(f"{numba.__version__} {llvm.llvm_version_info} {BASELINE}".encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _cache_folder() -> Path | None:
    """Return a writable folder for the machine code of these very sources, or None where there is none.

    Numba's own cache asks whether the function's file has changed, not those of the functions and constants it uses,
    and after a change writes new code under the old name, where a process that is killed in between leaves the old
    code for good. With the hash in the folder's name, code of other sources has no name at all.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    own = [Path(home) / "passband"] if os.path.isabs(home) else []  # where nobody knows the home, it is "~" itself
    for parent in (Path(__file__).with_name("__pycache__"), *own):
        folder = parent / f"numba-{_digest_sources()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


_CACHE = _cache_folder()


def is_compiled() -> bool:
    """Tell whether kernels of these sources lie compiled on disk; if not, the first calls take half a minute."""
    return _CACHE is not None and any(_CACHE.rglob("*.nbc"))


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function on its first call: no GIL, no fast-math, cached on disk where a folder can be written.

    Call it with one set of types only: two processes that compile two signatures at once would use one file name.
    """
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_CACHE or "")
    try:
        return numba.njit(nogil=True, error_model="numpy", fastmath=False, cache=_CACHE is not None)(function)
    finally:
        numba.config.CACHE_DIR = before


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c of float32 or vectors of them, rounded once: by name, never left to the compiler's choice."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0].type
        name = f"llvm.fma.v{value.count}f32" if isinstance(value, ir.VectorType) else "llvm.fma.f32"
        function = get_or_insert_function(builder.module, ir.FunctionType(value, [value] * 3), name)
        return builder.call(function, arguments)

    kind = types.float32 if isinstance(a, types.Number) else a
    return kind(kind, kind, kind), generate


@intrinsic
def bits_of(typing: Any, x: Any) -> Any:
    """Return the bits of a float32 as an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@intrinsic
def float_of(typing: Any, x: Any) -> Any:
    """Return the float32 that has these bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate

"""Compile a CUDA C++ source, unmodified, for the CPU: a shared library with every kernel behind one calling convention.

Libraries are kept by the hash of all that decides them, so a test run compiles each source once, and a second run
compiles nothing.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from passband.kernels.cuda.sources import kernel_names

SHIM = Path(__file__).parent / "shim"
CACHE = Path(
    os.environ.get("PASSBAND_CUDA_HOST_CACHE", Path(tempfile.gettempdir(), f"passband-cuda-host-{os.getuid()}"))
)
COMPILER = ("g++", "-std=c++17", "-fPIC", "-g", "-march=x86-64-v3", "-ffp-contract=fast", "-I", str(SHIM))
RUNTIME = ("fiber.cpp", "scheduler.cpp")


class Way(NamedTuple):
    """How kernels are compiled and linked. The scheduler never is instrumented: it only knows of a sanitizer."""

    kernels: tuple[str, ...]
    scheduler: tuple[str, ...] = ()
    link: tuple[str, ...] = ()


_ADDRESS = "-fsanitize=address,alignment,bounds"
SANITIZERS = {
    "": Way(("-O2",)),
    "thread": Way(("-O1", "-fsanitize=thread"), ("-DSIMT_TSAN",), ("-fsanitize=thread",)),
    # Not all of UBSan: README.md, "What it cannot see".
    "address": Way(("-O1", _ADDRESS), ("-DSIMT_ASAN",), (_ADDRESS,)),
    "trace": Way(("-O1", "-fsanitize=thread"), (), (str(SHIM / "trace.cpp"),)),  # in the place of the runtime
}


def build(text: str, options: tuple[str, ...] = (), sanitizer: str = "") -> Path:
    """Return the library of a source; raise RuntimeError with what the compiler said if it does not compile.

    Parameters
    ----------
    options : such as ``-DSIDE=32``, as NVRTC takes them
    sanitizer : "", "thread", "address" or "trace"
    """
    decisive = repr((text, options, sanitizer, _version()))

    def compile_kernels(work: Path) -> None:
        way = SANITIZERS[sanitizer]
        (work / "kernels.cu").write_text(text)
        exports = "".join(f"SIMT_EXPORT({name})\n" for name in kernel_names(text))
        (work / "exports.cpp").write_text(f'#include "kernels.cu"\n{exports}')
        front = ["-Wno-unknown-pragmas", "-include", "cuda_host.h"]
        _call([*COMPILER, *way.kernels, *options, *front, "-c", "exports.cpp", "-o", "kernels.o"], work)
        folder = _scheduler(way.scheduler)
        shared = ["-L", str(folder), f"-Wl,-rpath,{folder}", "-l:scheduler.so"]
        _call([*COMPILER, "-shared", "kernels.o", *way.link, *shared, "-o", "kernels.so"], work)

    return _once(decisive, compile_kernels) / "kernels.so"


def _scheduler(defines: tuple[str, ...]) -> Path:
    """Return the folder of the scheduler, one library for all kernels: so they share its fibers."""

    def compile_scheduler(work: Path) -> None:
        texts = [str(SHIM / name) for name in RUNTIME]
        _call([*COMPILER, "-O2", *defines, "-shared", *texts, "-o", "scheduler.so"], work)

    return _once(repr((defines, _version())), compile_scheduler)


@cache
def _version() -> str:
    """Return what every library depends on."""
    return repr((COMPILER, [path.read_text() for path in (Path(__file__), *sorted(SHIM.iterdir()))]))


def _once(decisive: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` has filled, or some process has before."""
    folder = CACHE / hashlib.sha256(decisive.encode()).hexdigest()[:20]
    if not folder.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            make(Path(work))
            try:
                Path(work).rename(folder)
            except OSError:
                assert folder.exists()  # another process was first
            Path(work).mkdir(exist_ok=True)
    return folder


def _call(command: list[str], work: Path) -> None:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[:4000]}")

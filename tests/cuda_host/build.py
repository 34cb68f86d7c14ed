"""Compile a CUDA C++ source, unmodified, for the CPU: a shared library with every kernel behind one calling convention.

Libraries are kept by the hash of all that decides them, so a test run compiles each source once, and a second run
compiles nothing.
"""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from kernels.cuda.sources import kernel_names

HERE = Path(__file__).parent
CACHE = Path(
    os.environ.get("PASSBAND_CUDA_HOST_CACHE", Path(tempfile.gettempdir(), f"passband-cuda-host-{os.getuid()}"))
)
FLAGS = ("-O2", "-g", "-march=x86-64-v3", "-ffp-contract=fast")
SANITIZERS = {
    "": (),
    "thread": ("-fsanitize=thread", "-DSIMT_TSAN"),
    "address": ("-fsanitize=address,undefined", "-DSIMT_ASAN"),
    "trace": ("-fsanitize=thread",),  # compiled for it, linked to trace.cpp in its place
}


def build(text: str, options: tuple[str, ...] = (), sanitizer: str = "") -> Path:
    """Return the library of a source; raise RuntimeError with what the compiler said if it does not compile.

    Parameters
    ----------
    options : such as ``-DSIDE=32``, as NVRTC takes them
    sanitizer : "", "thread", "address" or "trace"
    """
    shim = [HERE / name for name in ("cuda_host.h", "cuda_host.cpp", "trace.cpp")]
    decisive = repr((text, options, sanitizer, FLAGS, [path.read_text() for path in shim]))
    folder = CACHE / hashlib.sha256(decisive.encode()).hexdigest()[:20]
    library = folder / "kernels.so"
    if not library.exists():
        CACHE.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            _compile(Path(work), text, options, sanitizer)
            try:
                Path(work).rename(folder)
            except OSError:
                assert library.exists()  # another process was first
            Path(work).mkdir(exist_ok=True)
    return library


def _compile(work: Path, text: str, options: tuple[str, ...], sanitizer: str) -> None:
    (work / "kernels.cu").write_text(text)
    exports = "".join(f"SIMT_EXPORT({name})\n" for name in kernel_names(text))
    (work / "exports.cpp").write_text(f'#include "kernels.cu"\n{exports}')
    flags = SANITIZERS[sanitizer]
    defines = [flag for flag in flags if flag.startswith("-D")]
    common = ["g++", "-std=c++17", "-fPIC", "-I", str(HERE), *FLAGS]
    kernels = [*options, *flags, "-Wno-unknown-pragmas", "-include", str(HERE / "cuda_host.h")]
    _call([*common, *defines, "-c", str(HERE / "cuda_host.cpp"), "-o", "runtime.o"], work)  # never instrumented
    _call([*common, *kernels, "-c", "exports.cpp", "-o", "kernels.o"], work)
    last = [str(HERE / "trace.cpp")] if sanitizer == "trace" else list(flags)
    _call([*common, "-shared", "kernels.o", "runtime.o", *last, "-o", "kernels.so"], work)


def _call(command: list[str], work: Path) -> None:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[:4000]}")

"""Compile a source for a GPU where there is none: NVRTC needs no driver. What its ptxas says about every kernel.

``-std=c++17 -ftz=true --device-as-default-execution-space`` and the architecture are what CuPy 14 gives NVRTC;
`test_nvrtc.py` holds them to CuPy's own path.
"""

import re
from functools import cache
from typing import NamedTuple

from passband.kernels.cuda.device import OPTIONS

CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
ARCHITECTURES = (80, 90, 100)
"""Compute capabilities times ten: A100; H100 and H200; B100 and B200."""
_FIGURES = {
    "stack_bytes": r"(\d+) bytes stack frame",
    "spill_store_bytes": r"(\d+) bytes spill stores",
    "spill_load_bytes": r"(\d+) bytes spill loads",
    "registers": r"Used (\d+) registers",
    "barriers": r"used (\d+) barriers",
    "static_shared_bytes": r"(\d+) bytes smem",
}


class Resources(NamedTuple):
    """What one kernel takes; registers of a thread, static shared memory of a block."""

    registers: int = 0
    static_shared_bytes: int = 0
    stack_bytes: int = 0
    spill_store_bytes: int = 0
    spill_load_bytes: int = 0
    barriers: int = 0


def version() -> str:
    """Return NVRTC's version, such as 13.0."""
    from cuda.bindings import nvrtc

    _, major, minor = nvrtc.nvrtcVersion()
    return f"{major}.{minor}"


@cache
def compiled(text: str, architecture: int, options: tuple[str, ...]) -> dict[str, Resources]:
    """Return what each kernel of a source takes; raise RuntimeError with NVRTC's log if it does not compile."""
    from cuda.bindings import nvrtc

    _, program = nvrtc.nvrtcCreateProgram(text.encode(), b"kernels.cu", 0, [], [])
    flags = [*OPTIONS, *options, *CUPY_OPTIONS, f"-arch=sm_{architecture}", "--ptxas-options=-v"]
    try:
        error, *_ = nvrtc.nvrtcCompileProgram(program, len(flags), [flag.encode() for flag in flags])
        log = bytearray(nvrtc.nvrtcGetProgramLogSize(program)[1])
        nvrtc.nvrtcGetProgramLog(program, log)
        if error != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise RuntimeError(f"sm_{architecture} {' '.join(options)}: {log.decode(errors='replace')}")
        return parse(log.decode(errors="replace"))
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def parse(log: str) -> dict[str, Resources]:
    """Return kernel -> resources from what ``--ptxas-options=-v`` made ptxas say."""
    found: dict[str, Resources] = {}
    for part in re.split(r"Compiling entry function '", log)[1:]:
        figures = {figure: re.search(pattern, part) for figure, pattern in _FIGURES.items()}
        found[part[: part.index("'")]] = Resources(**{f: int(match[1]) for f, match in figures.items() if match})
    return found

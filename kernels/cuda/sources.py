"""The CUDA C++ sources of this package, each with its own headers written into it.

A device is given one self-contained text: NVRTC has no folder of ours to look in, and the tests' host shim compiles
the very same text.
"""

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)


def names() -> list[str]:
    """Return the names of the sources that hold kernels, sorted."""
    return sorted(path.name for path in _FOLDER.glob("*.cu"))


@cache
def read(name: str) -> str:
    """Return the text of a source with every header of this package in its place, each once."""
    return _expand(_FOLDER.joinpath(name).read_text(), set())


def kernel_names(text: str) -> list[str]:
    """Return the names of the kernels that a source defines, in order."""
    return re.findall(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(', text)


def _expand(text: str, seen: set[str]) -> str:
    def insert(match: re.Match[str]) -> str:
        header = match[1]
        if header in seen:
            return ""
        seen.add(header)
        body = _FOLDER.joinpath(header).read_text().replace("#pragma once\n", "")
        return _expand(body, seen)

    return _INCLUDE.sub(insert, text)

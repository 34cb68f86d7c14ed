"""CuPy's own way from a source to a binary, without a driver: its options, its preprocessing, its call of NVRTC.

Two of CuPy's private names are replaced, so this is for the CuPy that `pyproject.toml` allows, 14.
"""

from contextlib import contextmanager
from typing import Any
from unittest import mock


def cupy_compile(text: str, architecture: int, options: tuple[str, ...]) -> tuple[bytes, list[tuple[str, ...]]]:
    """Return the binary that ``cupy.RawModule`` would load on a GPU, and the options that it gave NVRTC."""
    from cupy.cuda import compiler, function

    loaded: list[bytes] = []

    class Module:
        """Stands for ``cupy.cuda.function.Module``, which needs a driver."""

        def load(self, binary):
            loaded.append(bytes(binary))

        def _set_mapping(self, mapping):
            pass

    def architecture_for(_: Any = None) -> tuple[str, str]:
        return f"-arch=sm_{architecture}", "cubin"

    with (
        mock.patch.object(function, "Module", Module),
        mock.patch.object(compiler, "_get_arch_for_options_for_nvrtc", architecture_for),
        mock.patch.dict("os.environ", {"CUPY_CACHE_IN_MEMORY": "1"}),  # what the disk has would not be compiled
        _seen_by_nvrtc(compiler) as seen,
    ):
        compiler._compile_module_with_cache(text, options, arch=str(architecture))
    return loaded[0], seen


@contextmanager
def _seen_by_nvrtc(compiler: Any):
    """Collect the options of every program that is compiled meanwhile."""
    seen: list[tuple[str, ...]] = []
    compile_program = compiler._NVRTCProgram.compile

    def noted(program, options=(), log_stream=None):
        seen.append(tuple(options))
        return compile_program(program, options, log_stream)

    with mock.patch.object(compiler._NVRTCProgram, "compile", noted):
        yield seen

"""Python's own parser, safe to call in a test."""

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile.

    Numba's finalizers raise (see the warnings in pyproject.toml), and pytest formats what they raise, which Python 3.11
    does by parsing a line. Where that happens while something else is parsed, the latter ends in a SystemError
    ("AST constructor recursion depth mismatch", python/cpython issue 106905).
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def parsed(source: str) -> ast.Module:
    """Parse a module."""
    with uncollected():
        return ast.parse(source)

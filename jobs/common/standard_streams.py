"""Standard input, output and error as they may be: closed, on a full disk, or with nobody at the other end."""

import os
import sys
from typing import Any

from passband.pipeline.errors import PassbandError


class StreamError(PassbandError):
    """Standard output takes nothing; the message says why."""


def mend_streams() -> None:
    """Open the standard descriptors that are closed, on nothing, and let the streams say what is wrong with them.

    A closed one would be the number of the next file that is opened: what a library prints would go into a dataset.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, mode, closefd=False))
    if sys.stdout is sys.__stdout__:
        sys.stdout = _Output(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _Progress(sys.stderr)


def flush_output() -> None:
    """Flush standard output; raise BrokenPipeError or StreamError where what was printed cannot be delivered."""
    try:
        sys.stdout.flush()
    except (BrokenPipeError, StreamError):
        discard_output()
        raise


def discard_output() -> None:
    """Send what is still in standard output to nowhere, or the interpreter complains of it once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Stream:
    """A text stream with its own answer to an error."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Output(_Stream):
    """Standard output: results go here, so that one which cannot be written is an error."""

    def write(self, text: str) -> int:
        """Write, or raise StreamError."""
        return int(self._told(self._stream.write, text))

    def flush(self) -> None:
        """Flush, or raise StreamError."""
        self._told(self._stream.flush)

    @staticmethod
    def _told(call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StreamError(f"cannot write to standard output: {error.strerror or error}") from error


class _Progress(_Stream):
    """Standard error: only words on the work go here, which goes on without them."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return int(self._stream.write(text))
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except OSError:
            pass

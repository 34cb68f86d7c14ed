"""Reading what torch wrote without running it: tensors and plain values alone, whole, and finite."""

import io
import zipfile
import zlib
from typing import Any

import torch

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.finite import find_non_finite

FORMAT = 1


def refuse_non_finite(state: Any, where: str) -> None:
    """Raise NetworkError, naming it, if a weight is not finite."""
    if (found := find_non_finite(state)) is not None:
        raise NetworkError(f"{where}: the weight {found}; a network that is not finite is of no use")


def load_safely(content: bytes, where: str, *, hashed: bool = False) -> dict[str, Any]:
    """Return the mapping in a file of torch's, tensors and plain values alone; raise NetworkError otherwise.

    Parameters
    ----------
    hashed : whether it was compared with a hash
        If not, it is held against the check sums of its own archive, which torch does not look at.
    """
    if not hashed:
        _check_archive(content, where)
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch answers damage with errors of pickle, zip and its own
        raise NetworkError(f"{where}: is not a checkpoint that can be read safely: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise NetworkError(f"{where}: is not a checkpoint of format {FORMAT}")
    return found


def _check_archive(content: bytes, where: str) -> None:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return  # torch's older form, which has no check sums
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise NetworkError(f"{where}: is not a checkpoint that can be read safely: {first_line(error)}") from error
    if damaged is not None:
        raise NetworkError(f"{where}: is damaged: {damaged} in it has another check sum than is recorded")


def first_line(error: Exception) -> str:
    """Return the first line of what a library says of an error."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

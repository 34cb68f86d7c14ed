"""Writing what was measured to a file: atomically, and never over something else."""

from pathlib import Path

from passband.pipeline.documents import read_json_file
from passband.pipeline.errors import PassbandError
from passband.pipeline.options import StrictModel
from passband.pipeline.store import LocalStore


def check_output(output: Path | None) -> None:
    """Raise PassbandError unless `output` is free, or a result of a benchmark."""
    if output is None:
        return
    if output.suffix.lower() != ".json" or output.is_dir():
        raise PassbandError(f"--output {output}: is to be a file that ends in .json")
    if output.exists() and not _is_ours(output):
        raise PassbandError(f"--output {output}: is there already and was not written by passband bench")


def _is_ours(output: Path) -> bool:
    try:
        found = read_json_file(output)
    except ValueError:
        return False
    return isinstance(found, dict) and str(found.get("kind")).startswith("bench ")


def write_document(document: StrictModel, output: Path) -> None:
    """Write a document as indented JSON."""
    check_output(output)
    LocalStore(output.parent).put(output.name, (document.model_dump_json(indent=1) + "\n").encode())

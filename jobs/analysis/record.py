"""The record of a block: a file, from which alone the results are put together."""

from typing import Any

from pydantic import ValidationError, model_validator

from passband.pipeline.layout import BLOCKS
from passband.pipeline.options import StrictModel
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import Store


class BlockRecord(StrictModel):
    """What a block came to; written last, its presence means done. A study adds its own columns.

    Attributes
    ----------
    start, stop : range of the part's items
    seconds : that it took, on `threads` threads
    model_seconds : within the surrogate, all threads together; null where that is not measured
    """

    identity: str
    part: str
    block: int
    start: int
    stop: int
    seconds: float
    threads: int
    model_seconds: float | None = None
    attempts: int
    worker: str

    @model_validator(mode="before")
    @classmethod
    def _of_a_map(cls, given: Any) -> Any:
        """Take the records of earlier versions, whose parts were all called maps."""
        if not isinstance(given, dict) or "map" not in given:
            return given
        return {"part": given["map"], **{key: value for key, value in given.items() if key != "map"}}


def block_name(part: str, block: int) -> str:
    """Return the name of a block's record."""
    return f"{BLOCKS}/{part}-{block:06d}.json"


def read_block(store: Store, record: type[BlockRecord], identity: str, part: str, block: int) -> BlockRecord | None:
    """Read a record; None where there is none that counts: a damaged one is made again, and so is another job's."""
    where = block_name(part, block)
    if not store.exists(where):
        return None
    try:
        found = record.model_validate(read_sealed(store, where))
    except (ValidationError, ValueError):
        return None
    return found if (found.identity, found.part, found.block) == (identity, part, block) else None

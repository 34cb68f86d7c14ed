"""What an analysis found, as ``results.json`` holds it. Error rates are in 0..1."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer

from passband.jobs.analysis.spec import What
from passband.jobs.common.jobfile import JobError
from passband.pipeline.documents import DocumentError
from passband.pipeline.layout import RESULTS
from passband.pipeline.options import StrictModel
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import Store


class MapSummary(StrictModel):
    """One map in numbers.

    Attributes
    ----------
    mean, mean_l1 : of its entries, and of their absolute values; the same, since none is negative
    standard_error : of `mean_l1`, that the subset costs; 0 without one, null where it shows no variance
    largest : entry
    frequencies : that were evaluated, where a stride left some out; absent: all
    """

    name: Literal["original", "enhanced", "amplitude"]
    mean: float
    mean_l1: float
    standard_error: float | None
    largest: float
    frequencies: int | None = None

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the younger key out of whole maps, whose results stay as they were."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if (key, value) != ("frequencies", None)}


class UsedSurrogate(StrictModel):
    """The model that was looked at."""

    network: str
    sha256: str


class Analysis(StrictModel):
    """All that ``results.json`` says.

    Attributes
    ----------
    samples, of : images looked at, and images of the source
    shape : [C, H, W]
    seconds : of work, added over the workers
    model_share : of the time of all threads, what the surrogate's own forward passes took
    evaluations : images shown to the surrogate
    maps : of a sensitivity or an amplitude
    table : rows of what another study found
    maps_sha256, arrays_sha256 : of the file of the maps, or of other arrays; earlier analyses say nothing of it
    """

    format: Literal[1] = 1
    kind: Literal["analyze"] = "analyze"
    what: What
    name: str
    identity: str
    samples: int
    of: int
    shape: list[int]
    surrogate: UsedSurrogate | None
    maps: list[MapSummary] = []
    table: list[dict[str, Any]] = []
    seconds: float
    model_share: float | None
    evaluations: int
    maps_sha256: str | None = None
    arrays_sha256: str | None = None
    environment: dict[str, str]
    job: dict[str, Any]


def summarize(
    name: Any, values: NDArray[np.float64], standard_error: float | None, frequencies: int | None = None
) -> MapSummary:
    """Return a map, (H, W), in numbers; `frequencies` were evaluated, None: all."""
    return MapSummary(
        name=name,
        mean=float(values.mean()),
        mean_l1=float(np.abs(values).mean()),
        standard_error=standard_error,
        largest=float(values.max()),
        frequencies=frequencies,
    )


def read_results(store: Store) -> Analysis | None:
    """Return the results in a folder, None where there are none; raise JobError if they are not of an analysis."""
    if not store.exists(RESULTS):
        return None
    where = f"{store.uri}/{RESULTS}"
    try:
        return Analysis.model_validate(read_sealed(store, RESULTS))
    except DocumentError as error:
        raise JobError(f"{where}: is damaged: {error}; delete it, and the same command makes it again") from error
    except ValidationError as error:
        raise JobError(f"{where}: is not the {RESULTS} of an analysis; choose another folder") from error

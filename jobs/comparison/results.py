"""What the ``results.json`` of trainings, analyses and reproductions say; an evaluation's has a module of its own."""

from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from passband.jobs.analysis.spec import AMPLITUDE, What
from passband.pipeline.documents import DocumentError
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.problems import first_problem
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import Store


class _Results(BaseModel):
    """Keys that a later version adds are no damage."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    name: str


class TrainingResults(_Results):
    """What a training came to; accuracies are 0 to 1."""

    identity: str
    network: str
    parameters: int
    objective: str
    epochs: float = Field(gt=0)
    steps: int
    loss: float
    accuracy: dict[str, float]
    losses: dict[str, float] = {}
    seconds: float
    samples_per_s: float
    waiting_share: float
    processes: int = 1
    device: str


class Surrogate(BaseModel):
    """The model that was looked at."""

    network: str
    sha256: str


class MapSummary(BaseModel):
    """One map of an analysis in numbers; `standard_error` is that of `mean_l1`, `frequencies` null where all count."""

    name: Literal["original", "enhanced", "amplitude"]
    mean: float
    mean_l1: float
    standard_error: float | None
    largest: float
    frequencies: int | None = None


class AnalysisResults(_Results):
    """What an analysis found.

    Attributes
    ----------
    samples, of : images looked at, and images of the source
    shape : (C, H, W)
    maps : of a sensitivity or an amplitude
    table : rows of what another study found
    maps_sha256, arrays_sha256 : of the file of the maps, or of other arrays; earlier analyses say nothing of it
    """

    format: Literal[1]
    what: What
    identity: str
    samples: int
    of: int
    shape: list[int] = Field(min_length=3, max_length=3)
    surrogate: Surrogate | None
    maps: list[MapSummary] = []
    table: list[dict[str, Any]] = []
    seconds: float
    model_share: float | None
    maps_sha256: str | None = None
    arrays_sha256: str | None = None

    @property
    def of_maps(self) -> bool:
        """Whether maps were made."""
        return self.what in ("sensitivity", AMPLITUDE)

    @model_validator(mode="after")
    def _check_found(self) -> Self:
        if not (self.maps if self.of_maps else self.table):
            raise ValueError(f"an analysis of {self.what} without {'maps' if self.of_maps else 'a table'}")
        return self


class ReproducedRow(BaseModel):
    """What is told of a method under a condition, in `unit`; `values` holds one a seed."""

    model_config = ConfigDict(extra="allow", frozen=True)
    condition: str
    unit: str = "percent"
    values: list[float] = Field(min_length=1)

    @property
    def fields(self) -> dict[str, str]:
        """Return what tells the row from those of other methods and datasets."""
        return {k: str(v) for k, v in (self.model_extra or {}).items() if k not in ("mean", "std", "seeds")}


class ReproductionResults(_Results):
    """What a reproduction found."""

    title: str
    source: str
    quick: bool
    seeds: int = Field(ge=1)
    findings: list[str]
    failed: dict[str, str]
    rows: list[ReproducedRow]
    settings: dict[str, Any] = {}


Model = TypeVar("Model", bound=BaseModel)


def read_results(store: Store) -> dict[str, Any]:
    """Return the content of ``results.json``; raise PassbandError where it is damaged."""
    try:
        return read_sealed(store, RESULTS)
    except DocumentError as error:
        raise PassbandError(f"{store.uri}: {RESULTS} is damaged: {error}") from error


def checked(model: type[Model], found: dict[str, Any], store: Store) -> Model:
    """Return `found` as `model`; raise PassbandError that names the first key that is missing or wrong."""
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise PassbandError(f"{store.uri}: {RESULTS} is damaged: {first_problem(error)}") from error

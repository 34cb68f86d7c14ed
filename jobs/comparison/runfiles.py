"""What the status of a run takes from its files, with its types; a damaged or foreign file is told in one line."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from passband.pipeline.errors import PassbandError
from passband.pipeline.problems import first_problem


class _Taken(BaseModel):
    """Only what is told is looked at: other keys may be of a later version."""

    model_config = ConfigDict(extra="ignore", strict=True)
    name: str = ""


class _Trained(_Taken):
    steps: int
    loss: float
    accuracy: dict[str, float]
    seconds: float
    samples_per_s: float


class _Evaluated(_Taken):
    rows: list[dict[str, Any]]


class _Analyzed(_Taken):
    what: str
    samples: int
    of: int


class _Reproduced(_Taken):
    rows: list[dict[str, Any]] = []
    failed: dict[str, Any] = {}


class _Job(_Taken):
    epochs: int | None = None
    steps: int | None = None


class _Metrics(_Taken):
    """A line of a training's log."""

    step: int = Field(0, ge=0)
    epoch: int | None = Field(None, ge=0)
    loss: float | None = None


_RESULTS: dict[str, type[_Taken]] = {
    "train": _Trained,
    "evaluate": _Evaluated,
    "analyze": _Analyzed,
    "reproduction": _Reproduced,
}


def check_results(kind: str, found: Any, where: str) -> None:
    """Raise PassbandError for results that lack what is told of a run of this kind, or hold something else."""
    _check(_RESULTS[kind], found, where)


def check_job(found: Any, where: str) -> None:
    """Raise PassbandError for a job whose name, epochs or steps cannot be told."""
    _check(_Job, found, where)


def check_metrics(found: Any, where: str) -> None:
    """Raise PassbandError for a line of a log whose numbers cannot be told."""
    _check(_Metrics, found, where)


def _check(model: type[BaseModel], found: Any, where: str) -> None:
    try:
        model.model_validate(found)
    except ValidationError as error:
        raise PassbandError(f"{where}: is damaged: {first_problem(error)}") from error

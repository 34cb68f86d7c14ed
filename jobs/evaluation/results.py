"""What an evaluation found, as ``results.json`` holds it. Accuracies and errors are in 0..1, an mCE is in percent."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from passband.jobs.common.jobfile import JobError
from passband.pipeline.documents import DocumentError, read_json_file
from passband.pipeline.layout import RESULTS
from passband.pipeline.options import StrictModel
from passband.pipeline.problems import first_problem
from passband.pipeline.seals import unsealed

FORMAT = 1
Kind = Literal["test", "domain", "clean", "corruption", "low", "high", "group", "attack"]


class Interval(StrictModel):
    """Ends of a bootstrap interval."""

    low: float
    high: float


class Row(Interval):
    """Accuracy under one condition.

    Attributes
    ----------
    family : name of the corruption, domain or attack; else the condition
    level : severity, radius in frequency bins, or number of the group
    dataset : identity
    smoothing : rho of the kernels of the first convolution; None is the network itself
    """

    condition: str
    kind: Kind
    family: str
    level: int | None
    accuracy: float
    samples: int
    dataset: str
    smoothing: float | None = None

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "smoothing" or value is not None}


class Summary(Interval):
    """One number over several conditions; `of` says which of them it is, where it is one."""

    name: Literal["mean_domain_accuracy", "mean_corruption_accuracy", "mean_error", "mCE", "worst_group"]
    value: float
    of: str | None = None


class CorruptionError(Interval):
    """Error of one corruption, mean over its severities; `ce` is relative to the baseline's, in percent."""

    corruption: str
    error: float
    ce: float | None


class EvaluatedOn(StrictModel):
    """A dataset that was used."""

    name: str
    path: str
    identity: str
    samples: int


class Checkpoint(StrictModel):
    """The weights that were looked at."""

    path: str
    sha256: str
    network: str


class Evaluation(StrictModel):
    """All that ``results.json`` says."""

    format: int = FORMAT
    kind: Literal["evaluate"] = "evaluate"
    name: str
    checkpoint: Checkpoint
    job: dict[str, Any]
    datasets: list[EvaluatedOn]
    rows: list[Row]
    corruptions: list[CorruptionError]
    summaries: list[Summary]

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format} is unknown; this version reads {FORMAT}")
        return self

    def of_kind(self, *kinds: Kind) -> list[Row]:
        """Return the rows of some kinds, in their order; those of the network itself."""
        return [row for row in self.rows if row.kind in kinds and row.smoothing is None]

    @property
    def smoothed(self) -> list[Row]:
        """Rows of the network with smoothed kernels."""
        return [row for row in self.rows if row.smoothing is not None]

    def over_rho(self) -> list[tuple[Row, dict[float, Row]]]:
        """Return each row of the network itself, with those of the same condition by rho, itself at 0; [] without."""
        found: dict[tuple[str, str, int | None], dict[float, Row]] = {}
        for row in self.rows:
            found.setdefault((row.kind, row.family, row.level), {})[row.smoothing or 0.0] = row
        return [(by_rho[0.0], by_rho) for by_rho in found.values() if len(by_rho) > 1]

    def accuracy(self, condition: str) -> float:
        """Return the accuracy under the condition of this name; KeyError where there is none."""
        return {row.condition: row.accuracy for row in self.rows}[condition]

    def summary(self, name: str) -> Summary | None:
        """Return the summary of this name."""
        return next((summary for summary in self.summaries if summary.name == name), None)


def read_evaluation(path: str | Path) -> Evaluation:
    """Read the results of an evaluation: its file, or its folder; raise JobError where it is none."""
    file = Path(path) / RESULTS if Path(path).is_dir() else Path(path)
    try:
        return Evaluation.model_validate(unsealed(read_json_file(file)))
    except OSError as error:
        raise JobError(f"cannot read the results {file}: {error.strerror}") from error
    except ValidationError as error:
        raise JobError(f"{file}: is not the {RESULTS} of an evaluation: {first_problem(error)}") from error
    except DocumentError as error:
        raise JobError(f"{file}: is not the {RESULTS} of an evaluation: {error}") from error

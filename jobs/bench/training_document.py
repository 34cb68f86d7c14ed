"""What the comparison of trainings came to: the document that is printed as JSON and that a table is made from."""

from typing import Literal

from passband.jobs.bench.document import SCHEMA, DeviceFacts, Spread
from passband.pipeline.options import StrictModel


class TrainingSettings(StrictModel):
    """How it was measured.

    Attributes
    ----------
    views : of each sample, beside the clean one
    steps : of each way in a round, at most
    """

    source: str
    samples: int
    size: int
    encoding: str
    network: str
    objective: str
    preset: str
    views: int
    batch_size: int
    steps_per_epoch: int
    rounds: int
    steps: int
    price_per_hour: float | None


class TrainingRow(StrictModel):
    """One way of getting the views.

    Attributes
    ----------
    step_s : of all steps
    samples_per_s : of the median step
    waiting_share, augmenting_share : of the time, until a batch was there, and from there until its views were
    over_stored : time of a step over that of a stored one, paired by round
    break_even_epochs : epochs after which making the shards is paid back, by `over_stored`; null where it never is
    """

    way: str
    what: str
    steps: int
    step_s: Spread | None = None
    samples_per_s: float | None = None
    waiting_share: float | None = None
    augmenting_share: float | None = None
    over_stored: Spread | None = None
    break_even_epochs: float | None = None
    cost_per_million_samples: float | None = None


class TrainingDocument(StrictModel):
    """Everything; ``complete`` is false where it was stopped before the last round.

    Attributes
    ----------
    generation_s : seconds that making the shards took, all views, hashing and writing
    """

    schema_version: int = SCHEMA
    kind: Literal["bench training"] = "bench training"
    date: str
    complete: bool
    device: DeviceFacts
    versions: dict[str, str]
    settings: TrainingSettings
    generation_s: float
    rows: list[TrainingRow]

"""What was measured of trainings, as a table for people."""

from passband.jobs.bench.columns import Column, format_rows, number, relative_spread
from passband.jobs.bench.table import spell_device, wrapped
from passband.jobs.bench.training import TrainingPlan
from passband.jobs.bench.training_document import TrainingDocument, TrainingRow
from passband.jobs.bench.training_estimate import TrainingEstimate
from passband.jobs.bench.ways import WAYS
from passband.jobs.common.wording import count, duration

COLUMNS = (
    Column[TrainingRow]("views", 7, 0, lambda row: row.way),
    Column[TrainingRow]("ms/step", 7, 0, lambda row: number(1e3 * row.step_s.median if row.step_s else None)),
    Column[TrainingRow]("IQR", 4, 2, lambda row: relative_spread(row.step_s)),
    Column[TrainingRow]("samples/s", 9, 1, lambda row: number(row.samples_per_s)),
    Column[TrainingRow]("x stored", 8, 0, lambda row: number(row.over_stored.median if row.over_stored else None)),
    Column[TrainingRow]("pays after", 10, 0, lambda row: _break_even(row)),
    Column[TrainingRow]("waiting", 7, 4, lambda row: "" if row.waiting_share is None else f"{row.waiting_share:.1%}"),
    Column[TrainingRow](
        "augment", 7, 3, lambda row: "" if row.augmenting_share is None else f"{row.augmenting_share:.1%}"
    ),
    Column[TrainingRow]("cost/10^6", 9, 5, lambda row: number(row.cost_per_million_samples)),
)


def _break_even(row: TrainingRow) -> str:
    if row.over_stored is None:
        return ""
    return "never" if row.break_even_epochs is None else f"{number(row.break_even_epochs)} ep."


def format_training(document: TrainingDocument, width: int) -> str:
    """Return what was measured for a terminal of `width` columns."""
    settings = document.settings
    lines = [
        spell_device(document.device),
        f"{document.date}, {settings.network}, {settings.objective}",
        f"{settings.source}: {count(settings.samples, 'sample')}, clean + {settings.views} PRIME, {settings.size} px",
        f"batches of {settings.batch_size}, {count(settings.steps_per_epoch, 'step')} an epoch",
        f"making the shards ({settings.encoding}) took {duration(document.generation_s)}",
    ]
    notes = [f"{row.way}: {row.what}" for row in document.rows]
    notes += ["pays after: epochs in which the shorter steps of stored views make up for making the shards"]
    notes += [] if document.complete else ["stopped early: the figures are of what was done"]
    table = format_rows(COLUMNS, document.rows, width)
    return "\n\n".join([wrapped(lines, width), table, wrapped(notes, width)])


def format_training_estimate(plan: TrainingPlan, found: TrainingEstimate, width: int) -> str:
    """Return what a dry run found."""
    lines = [f"{'shards':<8} about {duration(found.generation_s)} to make, once"]
    lines += [f"{way:<8} about {duration(spent)} a step, {WAYS[way]}" for way, spent in found.steps_s.items()]
    rounds = f"{count(plan.rounds, 'round')} of up to {count(plan.steps, 'step')} of each way"
    return wrapped([*lines, f"{rounds}: about {duration(found.seconds)} in all (nothing is kept)"], width)

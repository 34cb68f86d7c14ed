"""From the seconds of its rounds to a case's row."""

from passband.jobs.bench.cost import FLOAT32, UINT8, cost_per_million, least_bytes, share_of_copy
from passband.jobs.bench.document import Row, Spread
from passband.jobs.bench.timing import quartiles
from passband.jobs.bench.trial import Plan, Trial


def make_row(plan: Plan, trial: Trial, seconds: list[float], copy_bytes_per_s: float | None) -> Row:
    """Return a case's row from the seconds of its rounds."""
    case = trial.case
    values = 3 * case.size * case.size
    least = least_bytes(values, FLOAT32 if plan.pixels == "float32" else UINT8)
    row = Row(
        name=case.name,
        stage=case.stage,
        options=case.options,
        size=case.size,
        batch=case.batch,
        rounds=len(seconds),
        least_bytes_per_image=least,
        shard_bytes_per_image=least_bytes(values, UINT8),
        error=trial.error,
    )
    if not seconds:
        return row
    fast, median, slow = quartiles(seconds)
    rate, price = case.batch / median, plan.price_per_hour
    return row.model_copy(
        update={
            "seconds": Spread(first=fast, median=median, third=slow),
            "images_per_s": Spread(first=case.batch / slow, median=rate, third=case.batch / fast),
            "bytes_per_s": least * rate,
            "share_of_copy": copy_bytes_per_s and share_of_copy(least * case.batch, median, copy_bytes_per_s),
            "cost_per_million_images": None if price is None else cost_per_million(rate, price),
        }
    )


def spread(values: list[float]) -> Spread:
    """Return the quartiles of `values`."""
    first, median, third = quartiles(values)
    return Spread(first=first, median=median, third=third)

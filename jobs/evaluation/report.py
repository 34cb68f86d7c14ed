"""The results as one page that needs nothing beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from passband.jobs.common.wording import count, plain
from passband.jobs.drawing.templates import templates
from passband.jobs.evaluation.results import Evaluation, Kind, Row
from passband.jobs.evaluation.wording import amount, percent, title


@dataclass(frozen=True)
class Chart:
    """A drawing for every screen, and what is said beside it."""

    heading: str
    caption: str
    alt: str
    variants: list[tuple[str, str]]


def report_html(found: Evaluation) -> str:
    """Return the page of an evaluation."""
    confidence = f"{100 * found.job['bootstrap']['confidence']:g} %"
    return (
        templates(Path(__file__).parent)
        .get_template("evaluation.html.j2")
        .render(
            found=found,
            lede=_lede(found),
            numbers=_numbers(found),
            summaries=[
                (title(summary), *(amount(summary, value) for value in (summary.value, summary.low, summary.high)))
                for summary in found.summaries
            ],
            charts=_charts(found),
            confidence=confidence,
            resamples=count(found.job["bootstrap"]["resamples"], "resample"),
            job_yaml=yaml.safe_dump(found.job, sort_keys=False, allow_unicode=True),
            percent=percent,
        )
    )


def _lede(found: Evaluation) -> str:
    adapt = found.job["adapt"]
    statistics = (
        f" Its batch-norm statistics are adapted to {count(adapt['batch'], 'test sample')} at a time, the training's "
        f"weighing as {adapt['prior']}."
        if adapt
        else ""
    )
    looked_at = count(len(found.rows), "condition")
    return f"A {found.checkpoint.network} under {looked_at}, on {count(len(found.datasets), 'dataset')}.{statistics}"


def _numbers(found: Evaluation) -> list[tuple[str, str]]:
    test = found.of_kind("test")[0]
    return [
        ("accuracy on test, %", percent(test.accuracy)),
        *((f"{title(summary)}, %", amount(summary, summary.value)) for summary in found.summaries),
        ("samples of test", f"{test.samples:,}"),
    ]


def _charts(found: Evaluation) -> list[Chart]:
    from passband.jobs.drawing.charts import variants  # matplotlib takes a while to import
    from passband.jobs.evaluation import figures

    charts = []
    if corrupted := found.of_kind("corruption"):
        clean = next(iter(found.of_kind("clean")), None)
        caption = f"{'Severity 0 is the clean image. ' if clean else ''}The band is the interval."
        alt = "Line charts: accuracy over severity, one for each corruption"
        drawn = variants(partial(figures.severity_png, corrupted, clean))
        charts.append(Chart("Corruptions", caption, alt, drawn))
    if filtered := found.of_kind("low", "high"):
        caption = "A low-pass keeps what is nearer to zero frequency than the radius, a high-pass the rest."
        alt = "Line chart: accuracy over the radius of a low-pass and of a high-pass"
        charts.append(Chart("Frequency", caption, alt, variants(partial(figures.frequency_png, filtered))))
    kinds: tuple[tuple[str, Kind], ...] = (("Domains", "domain"), ("Attacks", "attack"), ("Groups", "group"))
    for heading, kind in kinds:
        if rows := found.of_kind(kind):
            charts.append(_intervals(heading, [*found.of_kind("test"), *rows]))
    if smoothed := [entry for entry in found.over_rho() if entry[0].kind in ("test", "domain", "attack")]:
        caption = "The kernels of the first convolution, to which rho times the sum of their neighbors is added."
        alt = "Line chart: accuracy over the strength of smoothing, a line a condition"
        charts.append(Chart("Smoothed kernels", caption, alt, variants(partial(figures.smoothing_png, smoothed))))
    return charts


def _intervals(heading: str, rows: Sequence[Row]) -> Chart:
    from passband.jobs.drawing.charts import variants
    from passband.jobs.evaluation import figures

    alt = "Dots with intervals: " + ", ".join(f"{plain(row.condition)} {percent(row.accuracy)} %" for row in rows)
    return Chart(heading, "", alt, variants(partial(figures.intervals_png, rows)))

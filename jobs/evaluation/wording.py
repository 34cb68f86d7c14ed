"""How results are said."""

from passband.jobs.evaluation.results import Summary

NAMES = {
    "mean_domain_accuracy": "mean accuracy over domains",
    "mean_corruption_accuracy": "mean accuracy over corruptions",
    "mean_error": "mean error over corruptions",
    "mCE": "mCE, relative to the baseline",
    "worst_group": "worst group",
}


def percent(share: float) -> str:
    """Return a share of 0 to 1 as percent with one digit."""
    return f"{100 * share:.1f}"


def amount(summary: Summary, value: float) -> str:
    """Return a value of a summary in percent; an mCE is one already."""
    return f"{value:.1f}" if summary.name == "mCE" else percent(value)


def title(summary: Summary) -> str:
    """Return what a summary is of."""
    return NAMES[summary.name] + (f", {summary.of}" if summary.of else "")


def spell_summary(summary: Summary) -> str:
    """Return a summary on one line."""
    value, low, high = (amount(summary, number) for number in (summary.value, summary.low, summary.high))
    return f"{title(summary)}: {value} ({low} to {high})"

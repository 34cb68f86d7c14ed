"""How far the making of a dataset is, in words: for the run that makes it, and for a job that waits for its dataset."""

from collections.abc import Mapping
from typing import Any

from passband.jobs.common.screen import sentence, some
from passband.jobs.common.wording import duration


def shards_made(state: Mapping[str, Any]) -> str:
    """Spell what a ``progress`` event says on one line of at most about 100 characters."""
    return sentence(
        f"shards {state['done']}/{state['shards']}",
        some(state["failed"], "failed"),
        some(state["retried"], "retried"),
        some(state["bad_images"], "bad images"),
        f"{state['samples_per_s']:,.0f} samples/s",
        f"{state['views_per_s']:,.0f} views/s",
        f"ETA {duration(state['eta_s'])}",
    )

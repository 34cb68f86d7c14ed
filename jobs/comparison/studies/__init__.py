"""What the page shows of analyses that are no maps: a file for each study, and a line in `SHOWN`."""

from passband.jobs.comparison.studies import attack, coverage, margins, spectrum
from passband.jobs.comparison.studies.shown import Shown

SHOWN: dict[str, Shown] = {
    "attack": attack.SHOWN,
    "margins": margins.SHOWN,
    "coverage": coverage.SHOWN,
    "spectrum": spectrum.SHOWN,
}
"""Name of the study -> its part of the page."""

"""The analyses that are done part by part, each a file here and a line in `STUDIES`.

What is heavy is imported when a study is loaded: the command line reads the lines alone.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of analysis: a line of `STUDIES`.

    Attributes
    ----------
    summary : str
        What its command does, for the help of the command line.
    noun : str
        What its items are called, in displays and in JSON: "frequencies".
    module : str
        Has a `Study` as ``STUDY``.
    looks_at_all : bool
        Whether an item is a look at all images, as a frequency is; else it is one at one image.
    uses_surrogate : bool
        Whether it looks at a frozen model, which its jobs must name; else at images alone.
    """

    summary: str
    noun: str
    module: str
    looks_at_all: bool = False
    uses_surrogate: bool = True

    def load(self) -> Any:
        """Return the study itself, a `jobs.analysis.study.Study`, which job files must not wait for."""
        return import_module(self.module).STUDY


STUDIES: dict[str, Kind] = {
    "sensitivity": Kind(
        "Map a frozen model's error by frequency. The frequency is added to its images; the same command resumes it.",
        "frequencies",
        "passband.jobs.analysis.studies.sensitivity",
        looks_at_all=True,
    ),
    "attack": Kind(
        "Find small perturbations that fool a frozen model: by DeepFool, and of few pixels by SparseFool. The same "
        "command resumes it.",
        "attacks",
        "passband.jobs.analysis.studies.attack",
    ),
    "margins": Kind(
        "Measure how far a frozen model's boundary is in each of a sequence of subspaces, by frequency. The same "
        "command resumes it.",
        "margins",
        "passband.jobs.analysis.studies.margins",
    ),
    "coverage": Kind(
        "Measure how near views come to corrupted images, in what a frozen model makes of both. The same command "
        "resumes it.",
        "comparisons",
        "passband.jobs.analysis.studies.coverage",
    ),
    "spectrum": Kind(
        "Measure how the energy of views, and of what they add to the clean image, is spread along the diagonal of "
        "the DCT. The same command resumes it.",
        "spectra",
        "passband.jobs.analysis.studies.spectrum",
        uses_surrogate=False,
    ),
}
"""Name in job files and on the command line -> the study."""

"""The job files of kind ``analyze``: of which images and which frozen model the frequencies are mapped."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from passband.jobs.analysis.counting import MAPS, MapName
from passband.jobs.analysis.options import AttackOptions, CoverageOptions, MarginOptions, SpectrumOptions
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.common.jobfile import JobError, absolute_path, check_kind, read_yaml, validated
from passband.jobs.dataset.entries import MAX_STAGES, AnySource, StageEntry
from passband.jobs.dataset.spec import ComputeSection, GenerateJob, ImageSection
from passband.jobs.executors.choice import of_here
from passband.pipeline.options import StrictModel, listed
from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions

AMPLITUDE = "amplitude"
SECTIONS: dict[str, type[StrictModel]] = {
    "attack": AttackOptions,
    "margins": MarginOptions,
    "coverage": CoverageOptions,
    "spectrum": SpectrumOptions,
}
"""Sections of a job that are one study's; they are left out of the resolved job unless they are given."""
if TYPE_CHECKING:
    What = str
else:
    What = listed(STUDIES, lambda: Literal[(AMPLITUDE, *STUDIES)])


class AnalyzeOutput(StrictModel):
    """Where maps, pictures and results are written."""

    uri: str = Field(min_length=1, description="a folder, or s3://bucket/prefix")


class AnalyzeCompute(ComputeSection):
    """How the work is run; nothing here changes a bit of what is found."""

    backend: Literal["auto", "cpu"] = Field("auto", description="an analysis runs on the CPU")
    block: int | None = Field(None, ge=1, description="items a task; default: about 256 forward passes")
    task_timeout_s: float = Field(3600.0, gt=0, description="deadline of a block, where workers can be killed")


class AnalyzeJob(SensitivityOptions):
    """A job of kind ``analyze``, as its file says it."""

    kind: Literal["analyze"]
    what: What | None = Field(None, description="if given, the one subcommand that the file is for")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
    seed: int = Field(0, ge=0, lt=2**63, description="of the signs, the subset, and stages in base")
    source: Annotated[
        list[AnySource],
        BeforeValidator(lambda given: [given] if isinstance(given, dict) else given, AnySource | list[AnySource]),
        Field(min_length=1),
    ]
    image: ImageSection
    base: list[StageEntry] = Field(default=[], max_length=MAX_STAGES)
    bad_images: int = Field(0, ge=0, description="unreadable images that may be left out before it fails")
    surrogate: SurrogateOptions | None = Field(None, description="the frozen model; amplitude and spectrum need none")
    maps: list[MapName] = Field(default=list(MAPS), min_length=1)
    attack: AttackOptions | None = Field(None, description="of analyze attack; null: its defaults")
    margins: MarginOptions | None = Field(None, description="of analyze margins; null: its defaults")
    coverage: CoverageOptions | None = Field(None, description="of analyze coverage; null: its defaults")
    spectrum: SpectrumOptions | None = Field(None, description="of analyze spectrum; null: its defaults")
    output: AnalyzeOutput
    compute: AnalyzeCompute = Field(default_factory=lambda: AnalyzeCompute.model_validate({}))

    @model_validator(mode="after")
    def _check_maps(self) -> Self:
        if len(set(self.maps)) < len(self.maps):
            raise ValueError(f"maps: {', '.join(self.maps)} names one more than once")
        return self

    def images(self) -> GenerateJob:
        """Return the job of kind generate whose clean images are looked at.

        Raises
        ------
        JobError
            If source, image and base do not go together.
        """
        given = {
            "kind": "generate",
            "name": "images",
            "seed": self.seed,
            "source": self.source,
            "image": self.image,
            "base": self.base,
            "bad_images": self.bad_images,
            "views": ["clean"],
            "output": {"uri": self.output.uri},
        }
        job: GenerateJob = validated(GenerateJob, given, self.name)
        return job

    def options(self) -> SensitivityOptions:
        """Return the options of the maps alone."""
        return SensitivityOptions(scale=self.scale, norm=self.norm, subset=self.subset, stride=self.stride)

    def resolved(self) -> dict[str, Any]:
        """Return the job with every default filled in; it reads back as the same job."""
        images = self.images().resolved()
        absent = {key for key in SECTIONS if getattr(self, key) is None}  # then jobs count as they did before it
        return self.model_dump(exclude=absent) | {key: images[key] for key in ("source", "base")}

    def for_command(self, what: What) -> "AnalyzeJob":
        """Return the job as `what` runs it; raise JobError where it is for another, or lacks what that needs."""
        if self.what not in (None, what):
            raise JobError(f"{self.name}: what: got {self.what!r}, the command is analyze {what}")
        if uses_surrogate(what) and self.surrogate is None:
            raise JobError(f"{self.name}: surrogate: is needed for {what}: {{network: ..., checkpoint: PATH}}")
        given: dict[str, Any] = {"what": what}
        if what in SECTIONS and getattr(self, what) is None:
            given[what] = SECTIONS[what].model_validate({})
        return self.model_copy(update=given)

    def with_compute(self, **changes: Any) -> "AnalyzeJob":
        """Return the job with some of `compute` replaced; None leaves a value as it is."""
        return self.model_copy(update={"compute": self.compute.changed(changes)})

    def with_output(self, uri: str) -> "AnalyzeJob":
        """Return the job with another place for its output."""
        return self.model_copy(update={"output": AnalyzeOutput(uri=uri)})

    def with_absolute_paths(self) -> "AnalyzeJob":
        """Return the job with its local paths made absolute: a worker's working folder may be another."""
        images = self.images().with_absolute_paths()
        changed: dict[str, Any] = {"source": images.source, "base": images.base}
        if self.surrogate is not None:
            changed["surrogate"] = self.surrogate.with_absolute_path(absolute_path)
        if self.margins is not None:
            changed["margins"] = self.margins.with_absolute_paths(absolute_path)
        if self.spectrum is not None:
            changed["spectrum"] = self.spectrum.with_absolute_paths(absolute_path)
        return self.model_copy(update=changed).with_output(images.output.uri)


def uses_surrogate(what: What) -> bool:
    """Return whether an analysis looks at a frozen model, not at images alone."""
    return what in STUDIES and STUDIES[what].uses_surrogate


def load_analyze_job(path: str | Path) -> AnalyzeJob:
    """Read a job file of kind ``analyze``, or the ``job.yaml`` of an analysis.

    Raises
    ------
    JobError
        With one line for every problem: the key's path, the value, what is allowed.
    """
    given = read_yaml(path)
    if isinstance(given, dict) and "identity" in given and "job" in given:
        own_folder = os.path.dirname(os.path.abspath(path))  # where the analysis lies now, should it have moved
        return parse_analyze_job(of_here(given["job"]), str(path)).with_output(own_folder)
    return parse_analyze_job(given, str(path))


def parse_analyze_job(given: Any, where: str = "job") -> AnalyzeJob:
    """Check a job that is already a mapping; `where` names it in errors."""
    check_kind(given, where, "analyze")
    job: AnalyzeJob = validated(AnalyzeJob, given, where)
    job.images()
    return job

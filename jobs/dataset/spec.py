"""Job files: YAML in, a checked and resolved job out."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticKnownError

from passband.jobs.common.jobfile import absolute_path, check_kind, read_yaml, validated
from passband.jobs.dataset.entries import MAX_STAGES, MAX_VIEW_STAGES, MAX_VIEWS, AnySource, StageEntry, View
from passband.jobs.dataset.view_names import LONGEST, copy_names, numbered_name, view_names
from passband.jobs.executors.choice import AUTO, EXECUTORS, executor_names, known_executor, of_here, refuse_misfit
from passband.pipeline.augment import AUGMENTATIONS, StageOptions
from passband.pipeline.formats import FORMATS, PRIMARY, exports
from passband.pipeline.options import StrictModel
from passband.pipeline.sources import SOURCES

Recipe = list[tuple[str, StageOptions]]


def _check_size(given: Any) -> Any:
    sides = [given, given] if isinstance(given, int) and not isinstance(given, bool) else given
    if sides == "native":
        return sides
    fits = isinstance(sides, list) and len(sides) == 2
    if not fits or not all(isinstance(s, int) and not isinstance(s, bool) and 1 <= s <= 8192 for s in sides):
        raise ValueError("needs a side of 1 to 8192 pixels, [height, width], or native")
    return sides


class ImageSection(StrictModel):
    """Size of the stored images and how a source image is brought to it."""

    size: Annotated[list[int] | Literal["native"], BeforeValidator(_check_size, int | list[int] | Literal["native"])]
    channels: Literal[3] = 3
    fit: Literal["crop", "stretch", "pad"] = "crop"


def _check_format(given: Any) -> Any:
    if not isinstance(given, str) or given not in FORMATS:
        raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, FORMATS))})
    return given


FormatName = Annotated[str, PlainValidator(_check_format), WithJsonSchema({"enum": list(FORMATS), "type": "string"})]


class OutputSection(StrictModel):
    """Where the dataset goes and how it is encoded."""

    uri: str = Field(min_length=1, description="a folder, or s3://bucket/prefix")
    encoding: Literal["png", "webp", "npy", "jpeg"] = "png"
    quality: int = Field(95, ge=1, le=100, description="of jpeg")
    samples_per_shard: int | None = Field(
        None, ge=1, le=1_000_000, description="default: about 100 MB, and at least 64 shards from 2,048 samples on"
    )
    formats: list[FormatName] = Field(default=[PRIMARY], min_length=1)
    members: Literal["names", "numbers"] = Field("names", description="of a sample's files: prime-1.png, or view1.png")
    cls: bool = Field(False, description="a member .cls with the label, which some readers ask for")

    @model_validator(mode="after")
    def _check_formats(self) -> Self:
        if PRIMARY not in self.formats:
            derived = FORMATS[self.formats[0]].title
            raise ValueError(f"formats {self.formats} must contain {PRIMARY}: {derived} is derived from the shards")
        return self


def _describe_executors(schema: dict[str, Any]) -> None:
    kinds = "; ".join(f"{name}: {kind.summary}" for name, kind in EXECUTORS.items())
    schema.update(enum=executor_names(), description=f"{AUTO}: one worker, or as many as are asked for; {kinds}")


class ComputeSection(StrictModel):
    """How the work is run; nothing here changes a byte of the result."""

    backend: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda where CuPy finds a GPU, else cpu")
    batch_size: int = Field(256, ge=1, le=65536, description="samples that come at once, at most")
    batch_bytes: int = Field(
        64_000_000, ge=1, description="pixels in flight in a worker: so many samples come at once, but at least one"
    )
    executor: Annotated[str, BeforeValidator(known_executor, str)] = Field(AUTO, json_schema_extra=_describe_executors)
    workers: int | None = Field(None, ge=1, le=65536, description="default: one, with a thread for each CPU")
    address: str | None = Field(None, description="of an existing Ray cluster")
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="of each worker, and so what it reserves; worker threads share theirs; inline: all CPUs, else one",
    )
    max_attempts: int = Field(3, ge=1, le=100, description="tries of one shard before it counts as failed")
    failure_budget: int = Field(10, ge=0, description="failed shards after which no further one is started")
    task_timeout_s: float = Field(600.0, gt=0, description="deadline of a shard, where workers can be killed")

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return the section with some values replaced; None leaves a value as it is."""
        given = self.model_dump()
        asked = EXECUTORS.get(changes.get("executor") or "")
        if asked is not None and not asked.has_workers:  # asked for over a file that names workers: it has one
            given["workers"] = None
        if asked is not None and not asked.takes_address:
            given["address"] = None
        given |= {key: value for key, value in changes.items() if value is not None}
        section: Self = validated(type(self), given, "compute")
        return section

    @model_validator(mode="after")
    def _check_executor(self) -> Self:
        refuse_misfit(self.executor, self.workers, self.address)
        return self


class GenerateJob(StrictModel):
    """A job of kind ``generate``, as its file says it."""

    kind: Literal["generate"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")
    seed: int = Field(0, ge=0, lt=2**63)
    source: Annotated[
        list[AnySource],
        BeforeValidator(lambda given: [given] if isinstance(given, dict) else given, AnySource | list[AnySource]),
        Field(min_length=1),
    ]
    image: ImageSection
    base: list[StageEntry] = Field(default=[], max_length=MAX_STAGES)
    views: list[View] = Field(min_length=1)
    group: Literal["auto", "domain", "severity", "domain_severity"] = "auto"
    bad_images: int = Field(0, ge=0, description="unreadable images that may be left out before the run fails")
    output: OutputSection
    compute: ComputeSection = Field(default_factory=lambda: ComputeSection.model_validate({}))

    def base_recipe(self) -> Recipe:
        """Return the stages that are applied to the sample itself."""
        return [stage for entry in self.base for stage in entry.stages()]

    def view_recipes(self) -> list[tuple[str, Recipe]]:
        """Return (name, recipe) of every view, copies spelled out; number 0 is ``clean``."""
        recipes = [entry.recipe() for entry in self.views for _ in range(entry.copies)]
        return list(zip(view_names(self.views), recipes, strict=True))

    def recipes(self) -> list[tuple[str, Recipe]]:
        """Return ("base", its stages) and (name, recipe) of every view."""
        return [("base", self.base_recipe()), *self.view_recipes()]

    def resolved(self) -> dict[str, Any]:
        """Return the job with every default filled in and copies spelled out; it reads back as the same job."""
        job = self.model_dump()
        if len(self.source) == 1:
            job["source"] = job["source"][0]
        job["base"] = [{name: options.model_dump()} for name, options in self.base_recipe()]
        job["views"] = ["clean"] + [
            {"name": view, "chain": [{name: options.model_dump()} for name, options in recipe]}
            for view, recipe in self.view_recipes()[1:]
        ]
        return job

    def with_compute(self, **changes: Any) -> "GenerateJob":
        """Return the job with some of `compute` replaced; None leaves a value as it is."""
        return self.model_copy(update={"compute": self.compute.changed(changes)})

    def with_absolute_paths(self) -> "GenerateJob":
        """Return the job with its local paths made absolute: a worker's working folder may be another."""
        sources = [
            entry.model_copy(update={"path": absolute_path(path)})
            if (path := getattr(entry, "path", None)) is not None
            else entry
            for entry in self.source
        ]
        entries = {key: [_absolute(entry) for entry in getattr(self, key)] for key in ("base", "views")}
        job = self.model_copy(update={"source": sources, **entries})
        return job.with_output(absolute_path(job.output.uri))

    def as_once_read(self) -> "GenerateJob":
        """Return the job with the former defaults: numbered views and members, shards of 500 samples."""
        views = [entry.model_copy(update={"copies": 1}) for entry in self.views for _ in range(entry.copies)]
        names = (name for entry in self.views if entry.name for name in copy_names(entry.name, entry.copies))
        named = [
            entry.model_copy(update={"name": next(names) if entry.name else numbered_name(number)})
            for number, entry in enumerate(views)
        ]
        members = self.output.members if "members" in self.output.model_fields_set else "numbers"
        once = {"members": members, "samples_per_shard": self.output.samples_per_shard or 500}
        return self.model_copy(update={"views": named, "output": self.output.model_copy(update=once)})

    def as_begun(self, begun: "GenerateJob") -> "GenerateJob":
        """Return the job with the names that `begun` was read with, if it is what this job once made.

        Domains that it does not name are those that the source had then.
        """
        before = self.as_once_read()
        same_names = [name for name, _ in before.view_recipes()] == [name for name, _ in begun.view_recipes()]
        same_members = before.output.members == begun.output.members
        members = before.output.members if same_members else self.output.members
        domains = begun.source[0].domain_names if getattr(self.source[0], "domains", ()) is None else ()
        return self.with_domains(domains).model_copy(
            update={
                "views": before.views if same_names else self.views,
                "output": self.output.model_copy(update={"members": members}),
            }
        )

    def with_output(self, uri: str) -> "GenerateJob":
        """Return the job with another place for its output."""
        return self.model_copy(update={"output": self.output.model_copy(update={"uri": uri})})

    def with_samples_per_shard(self, count: int | None) -> "GenerateJob":
        """Return the job with shards of so many samples."""
        return self.model_copy(update={"output": self.output.model_copy(update={"samples_per_shard": count})})

    def with_domains(self, names: Sequence[str]) -> "GenerateJob":
        """Return the job with the domains named that its source tells itself; nothing changes where it tells none."""
        if not names:
            return self
        return self.model_copy(update={"source": [self.source[0].model_copy(update={"domains": list(names)})]})

    @model_validator(mode="after")
    def _check_views(self) -> Self:
        self._check_number()
        recipes = self.view_recipes()
        names = [name for name, _ in recipes]
        if names[0] != "clean":
            raise ValueError("views must begin with clean")
        if longest := next((name for name in names if len(name) > LONGEST), None):
            raise ValueError(f"view {longest}: a name has at most {LONGEST} characters, with the number of its copy")
        repeated = sorted(name for name, times in Counter(names).items() if times > 1)
        if repeated:
            raise ValueError(f"views share the name {', '.join(repeated)}; a name belongs to one view")
        for name, _ in self.base_recipe():
            if not AUGMENTATIONS[name].in_base:
                raise ValueError(f"base: {name} makes views of a sample, not the sample itself; name it in views")
        for name, recipe in [("base", self.base_recipe()), *recipes]:
            self._check_float(name, recipe)
        return self

    def _check_number(self) -> None:
        """Refuse more views or stages than a job holds, before their copies are spelled out."""
        views = sum(entry.copies for entry in self.views)
        stages = sum(entry.copies * len(entry.recipe()) for entry in self.views)
        if views > MAX_VIEWS:
            raise ValueError(f"views: {views:,} with their copies; at most {MAX_VIEWS:,} are allowed")
        if stages > MAX_VIEW_STAGES:
            raise ValueError(f"views: {stages:,} stages with their copies; at most {MAX_VIEW_STAGES:,} are allowed")

    def _check_float(self, name: str, recipe: Recipe) -> None:
        floats = [getattr(options, "range", None) == "float" for _, options in recipe]
        if any(floats[:-1]) or (name == "base" and any(floats)):
            raise ValueError(f"{name}: range float is for the last stage of a view; use clip, shift or minmax")
        if name == "views" and any(floats) and self.output.members == "names":
            raise ValueError("views: views.npy is the member that holds all views together; choose another name")
        for form in exports() if any(floats) else ():
            if form.name in self.output.formats and "float16" not in form.dtypes:
                raise ValueError(
                    f"{name}: range float cannot be stored in {form.title}; leave {form.name} out of output.formats"
                )

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        domains = [entry.domain for entry in self.source]
        own = next((entry.kind for entry in self.source if SOURCES[entry.kind].has_domains), None)
        if own and domains != [None]:
            raise ValueError(f"source {own} tells its domains itself: it stands alone, and without 'domain'")
        if len(domains) > 1 and (None in domains or len(set(domains)) < len(domains)):
            raise ValueError(f"several sources need a domain each, all different; found {domains}")
        if "domain" in self.group and None in domains and not own:
            raise ValueError(f"group: {self.group} needs a source with a domain")
        if "severity" in self.group and not any(AUGMENTATIONS[name].sets_severity for name, _ in self.base_recipe()):
            raise ValueError(f"group: {self.group} needs a stage in base that sets a severity")
        return self

    @model_validator(mode="after")
    def _check_shapes(self) -> Self:
        if self.image.size != "native":
            check_stages(self, (3, self.image.size[0], self.image.size[1]))
        return self


def _absolute(entry: Any) -> Any:
    """Return an entry of base or views with the paths in the options of its stages made absolute."""
    changed: dict[str, Any] = {
        name: options.with_absolute_paths(absolute_path)
        for name in AUGMENTATIONS
        if (options := getattr(entry, name, None)) is not None
    }
    if getattr(entry, "chain", None):
        changed["chain"] = [_absolute(inner) for inner in entry.chain]
    return entry.model_copy(update=changed)


def check_stages(job: GenerateJob, shape: tuple[int, int, int]) -> None:
    """Raise ValueError, naming view and stage, if a stage of `job` cannot work on images of `shape` (C, H, W)."""
    for view, recipe in job.recipes():
        for name, options in recipe:
            try:
                AUGMENTATIONS[name].check(options, shape)
            except ValueError as error:
                raise ValueError(f"{view}: {name}: {error}") from error


def load_job(path: str | Path) -> GenerateJob:
    """Read a job file, or the ``job.yaml`` of a finished dataset.

    Raises
    ------
    JobError
        With one line for every problem: the key's path, the value, what is allowed.
    """
    given = read_yaml(path)
    if isinstance(given, dict) and "identity" in given and "job" in given:
        own_folder = os.path.dirname(os.path.abspath(path))  # where the dataset lies now, should it have moved
        return parse_stored(given["job"], str(path)).with_output(own_folder)
    return parse_job(given, str(path))


def parse_job(given: Any, where: str = "job") -> GenerateJob:
    """Check a job that is already a mapping; `where` names it in errors."""
    check_kind(given, where, "generate")
    job: GenerateJob = validated(GenerateJob, given, where)
    return job


def parse_stored(given: Any, where: str) -> GenerateJob:
    """Check the job that a dataset keeps; what it does not say yet is as it was when it was written."""
    output = given.get("output") if isinstance(given, dict) else None
    if isinstance(output, dict):
        given = {**given, "output": {"members": "numbers", **output}}
    return parse_job(of_here(given), where)

"""The parts of a job file whose shape depends on what is installed: stages, views and sources.

Their models are made from `AUGMENTATIONS` and `SOURCES`, as they are when a job is read, so a stage that is a file and
a line there can be named in a job, is checked, and stands in the JSON Schema.
"""

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, create_model, model_validator

from passband.pipeline.augment import AUGMENTATIONS, StageOptions
from passband.pipeline.options import StrictModel, listed
from passband.pipeline.sources import SOURCES, Source

MAX_STAGES = 256
"""Stages of one recipe: their position is a byte in the address of their random draws."""
MAX_VIEWS = 4096
"""Views of a job, copies counted: each is an entry in job.yaml and in the manifest, and a member of every sample."""
MAX_VIEW_STAGES = 8192
"""Stages of all views together, copies counted: job.yaml spells each out with its options."""


class _OneStage(StrictModel):
    """What entries of base and of views share: a key for each stage."""

    @model_validator(mode="before")
    @classmethod
    def _fill_empty_options(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {given: {}}
        if isinstance(given, dict):
            return {key: {} if key in AUGMENTATIONS and value is None else value for key, value in given.items()}
        return given

    def stages(self) -> list[tuple[str, StageOptions]]:
        """Return the (name, options) of every stage that is set here."""
        named = ((name, getattr(self, name)) for name in AUGMENTATIONS)
        return [(name, options) for name, options in named if options is not None]


class _ExactlyOneStage(_OneStage):
    """A stage by name with its options: ``prime: {preset: cifar}``; no options at all are the defaults."""

    @model_validator(mode="after")
    def _check_count(self) -> Self:
        if len(self.stages()) != 1:
            raise ValueError(f"one stage is needed here, found {len(self.stages())}; stages: {_stage_list()}")
        return self


def _stage_list() -> str:
    return ", ".join(sorted(AUGMENTATIONS))


def _with_stages(base: type[_OneStage], name: str) -> type[_OneStage]:
    """Return a model beside `base` that has a key for each stage."""
    keys: dict[str, Any] = {stage: (found.Options | None, None) for stage, found in AUGMENTATIONS.items()}
    return create_model(name, __base__=base, __doc__=base.__doc__, **keys)


if TYPE_CHECKING:
    StageEntry = _ExactlyOneStage
else:
    StageEntry = listed(AUGMENTATIONS, lambda: _with_stages(_ExactlyOneStage, "StageEntry"))


class _ViewEntry(_OneStage):
    """A view's recipe: one stage, or ``chain`` for several; ``copies`` makes consecutive independent views."""

    chain: list[StageEntry] | None = Field(None, max_length=MAX_STAGES)
    copies: int = Field(1, ge=1, le=1024, description="independent views by this recipe, numbered consecutively")
    name: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="default: after its stages")

    @model_validator(mode="after")
    def _check_recipe(self) -> Self:
        if self.name == "clean" and self.copies == 1 and not self.stages() and not self.chain:
            return self
        if self.name == "clean":
            raise ValueError("'clean' is the name of view 0, which has no stages and one copy")
        if (len(self.stages()) == 1) == bool(self.chain) or len(self.stages()) > 1:
            raise ValueError(f"a view is one stage or a chain of at least one; stages: {_stage_list()}")
        return self

    def recipe(self) -> list[tuple[str, StageOptions]]:
        """Return the stages of the view in their order."""
        return self.stages() or [stage for entry in self.chain or [] for stage in entry.stages()]


def _spell_out(given: Any) -> Any:
    if given == "clean":
        return {"name": "clean"}
    if isinstance(given, list):
        return {"chain": given}
    return given


def _view() -> Any:
    entry = _with_stages(_ViewEntry, "ViewEntry")
    spelled = Literal["clean"] | Literal[tuple(sorted(AUGMENTATIONS))] | list[StageEntry] | entry
    return Annotated[entry, BeforeValidator(_spell_out, json_schema_input_type=spelled)]


if TYPE_CHECKING:
    View = _ViewEntry
else:
    View = listed(AUGMENTATIONS, _view)
    """One entry of ``views``: ``clean``, a stage, a list of stages, or the mapping with ``copies`` and ``name``."""


class _SourceEntry(StrictModel):
    kind: str
    domain: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="name of the domain")

    @property
    def domain_names(self) -> list[str]:
        """Names of its domains: the one that the job gives it, or those that it tells itself, once they are known."""
        return [self.domain] if self.domain is not None else getattr(self, "domains", None) or []

    def open(self) -> Source:
        """Return the source, opened with its options."""
        source = SOURCES[self.kind]
        return source(source.Options.model_validate(self.model_dump(exclude={"kind", "domain"})))


def _source_entry(kind: str) -> Any:
    bases = (_SourceEntry, SOURCES[kind].Options)
    return create_model(f"{kind.capitalize()}Source", __base__=bases, __doc__=None, kind=(Literal[kind], ...))  # type: ignore[arg-type]


def _any_source() -> Any:
    return Annotated[functools.reduce(operator.or_, map(_source_entry, SOURCES)), Discriminator("kind")]


if TYPE_CHECKING:
    AnySource = _SourceEntry
else:
    AnySource = listed(SOURCES, _any_source)

"""What an analysis is, as ``job.yaml`` in its folder holds it: all that a worker needs beside the inputs."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from passband.jobs.analysis.counting import MAPS
from passband.jobs.analysis.frequencies import distinct_frequencies
from passband.jobs.analysis.results import UsedSurrogate
from passband.jobs.analysis.spec import AnalyzeJob, What
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.analysis.study import Study
from passband.jobs.common.yamltext import YamlError, read_store_yaml
from passband.jobs.dataset.environment import processor, refuse_mixing
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import JOB
from passband.pipeline.options import StrictModel
from passband.pipeline.problems import first_problem
from passband.pipeline.seals import sealed_text
from passband.pipeline.store import Store

PartName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")]


class Envelope(StrictModel):
    """The content of ``job.yaml``: all that a worker needs beside the inputs.

    Attributes
    ----------
    samples, of : images looked at, and images of the source
    block : items a block
    parts : part -> items; None in folders of earlier versions, whose parts are the maps of the job
    inputs : sha256 of the inputs; None for the amplitude
    """

    format: Literal[1] = 1
    kind: Literal["analyze"] = "analyze"
    what: What
    identity: str
    fingerprint: str
    samples: int
    of: int
    shape: list[int]
    classes: list[str]
    surrogate: UsedSurrogate | None
    block: int = Field(ge=1)
    parts: dict[PartName, Annotated[int, Field(ge=1)]] | None = None
    key: int
    inputs: str | None
    environment: dict[str, str]
    job: dict[str, Any]
    digest: str | None = None

    @model_validator(mode="after")
    def _check_maps(self) -> Self:
        maps = self.job.get("maps")
        if (
            self.what == "sensitivity"
            and self.parts is None
            and not (isinstance(maps, list) and maps and set(map(str, maps)) <= set(MAPS))
        ):
            raise ValueError(f"maps of its job is {maps!r}; allowed: a list of {', '.join(MAPS)}")
        return self

    @property
    def sizes(self) -> dict[str, int]:
        """Part -> items."""
        if self.parts is not None or self.what != "sensitivity":
            return self.parts or {}
        count = len(distinct_frequencies(self.shape[1], self.shape[2]))
        return {str(name): count for name in self.job["maps"]}

    def blocks(self, part: str) -> list[tuple[int, int]]:
        """Return the ranges of a part's items, one a block."""
        size = self.sizes[part]
        return [(start, min(start + self.block, size)) for start in range(0, size, self.block)]

    def places(self) -> Iterator[tuple[tuple[str, int], tuple[int, int]]]:
        """Yield (part, block) and range of items of all blocks."""
        for part in self.sizes:
            for block, span in enumerate(self.blocks(part)):
                yield (part, block), span

    def study(self) -> Study:
        """Return the study that it is of; an amplitude, which is one pass, is of none."""
        study: Study = STUDIES[self.what].load()
        return study


def environment(of_images: dict[str, str], job: AnalyzeJob, what: What) -> dict[str, str]:
    """Return what the bits of a result depend on beside its job: torch chooses its code by the processor."""
    if what not in STUDIES:
        return dict(sorted(of_images.items()))
    own = {"torch": version("torch"), "processor": processor(), **STUDIES[what].load().environment(job)}
    return dict(sorted((of_images | own).items()))


def write_envelope(store: Store, envelope: Envelope) -> None:
    """Store ``job.yaml``."""
    written = yaml.safe_dump(envelope.model_dump(exclude={"digest"}), sort_keys=False, allow_unicode=True)
    store.put(JOB, sealed_text(written.encode()))


def read_envelope(store: Store) -> Envelope:
    """Read ``job.yaml``; raise PassbandError where it is another kind of output's, or damaged."""
    where = f"{store.uri}/{JOB}"
    try:
        given = read_store_yaml(store, JOB)
    except YamlError as error:
        raise PassbandError(f"{where}: is damaged: {error}") from error
    if not isinstance(given, dict) or given.get("kind") != "analyze":
        raise PassbandError(f"{where}: is of a dataset or a training; choose another folder for the analysis")
    try:
        return Envelope.model_validate(given)
    except ValidationError as error:
        raise PassbandError(f"{where}: is damaged or of another version: {first_problem(error)}") from error


def refuse_other(there: Envelope, here: Envelope, uri: str) -> None:
    """Raise PassbandError, naming what differs, if the folder of `there` is not one that `here` may go on with."""
    if there.identity != here.identity:
        found = "; ".join(list(_differences(there, here))[:8]) or "its options"
        raise PassbandError(f"{uri}: holds an analysis of another job: {found}. Choose another output.uri")
    refuse_mixing(there.environment, here.environment, uri, "blocks")


def _differences(there: Envelope, here: Envelope) -> Iterator[str]:
    old, new = _comparable(there), _comparable(here)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{key} is {old.get(key)} there and {new.get(key)} here"


def _comparable(envelope: Envelope) -> dict[str, Any]:
    form = {key: value for key, value in envelope.job.items() if key not in ("compute", "output", "surrogate")}
    model = {key: value for key, value in (envelope.job["surrogate"] or {}).items() if key != "checkpoint"}
    form |= {f"surrogate.{key}": value for key, value in model.items()}
    if envelope.surrogate is not None:
        form["sha256 of the checkpoint"] = envelope.surrogate.sha256[:16]
    return form | {"what": envelope.what, "fingerprint of the source": envelope.fingerprint[:16]}

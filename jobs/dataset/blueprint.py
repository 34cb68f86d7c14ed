"""What a dataset is, before it is made: the resolved job, its identity and the environment its bytes depend on."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import yaml
from pydantic import Field, ValidationError

from passband.jobs.common.overwrite import OccupiedError
from passband.jobs.common.yamltext import YamlError, read_store_yaml
from passband.jobs.dataset.inputs import Contents, by_role, contents_by_place, notes_on_weights, read_files
from passband.jobs.dataset.plan import Plan, PlanError, encode_plan, without_image
from passband.jobs.dataset.sharding import samples_per_shard
from passband.jobs.dataset.spec import GenerateJob, check_stages, parse_stored
from passband.jobs.dataset.storable import refuse_unreadable
from passband.pipeline.augment import AUGMENTATIONS, Stage
from passband.pipeline.canonical import digest
from passband.pipeline.checking import Problem
from passband.pipeline.errors import PassbandError
from passband.pipeline.images import BadImage
from passband.pipeline.layout import JOB, PLAN, view_field
from passband.pipeline.options import StrictModel
from passband.pipeline.problems import first_problem
from passband.pipeline.records import FORMAT, StoredInput, ViewEntry
from passband.pipeline.seals import sealed_text
from passband.pipeline.sources import SOURCES, Entry, Source
from passband.pipeline.store import Store

_MOST_GUESSES = 4096  # of stages' versions


@dataclass(frozen=True)
class Blueprint:
    """The content of ``job.yaml`` in an output folder: all that a worker needs beside the plan.

    Attributes
    ----------
    identity : str
        sha256 of the resolved job, without what does not change a sample, and of the source's fingerprint.
    shape : (C, H, W)
    environment : dict
        Backend, code-generation baseline and versions of the libraries on the byte path.
    versions : stage -> version
        Of the stages that it was begun with.
    inputs : tuple
        Files that stages read beside images; of a draft those that the job names, without maps still to be computed.
    warnings : tuple of str
        What the sources warned of when the plan was made.
    empty_classes : tuple of str
        Classes without an image, where the plan was just made; they are not stored.
    """

    job: GenerateJob
    identity: str
    fingerprint: str
    plan_sha256: str
    samples: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    environment: dict[str, str]
    versions: Mapping[str, int]
    inputs: tuple[StoredInput, ...] = ()
    warnings: tuple[str, ...] = ()
    empty_classes: tuple[str, ...] = ()

    @property
    def outdated(self) -> list[str]:
        """The stages whose version is another today, such as "prime 1 (here 2)"; they would make other bytes."""
        here = {name: AUGMENTATIONS[name].version for name in self.versions}
        return [f"{name} {there} (here {here[name]})" for name, there in self.versions.items() if there != here[name]]

    @property
    def spoken_warnings(self) -> list[str]:
        """What a run says at its beginning: the warnings, and which classes have no image."""
        return [*self.warnings, *filter(None, [without_image(self.empty_classes, len(self.classes))])]

    @property
    def domains(self) -> list[str]:
        """Names of the domains; a sample's domain is an index into them."""
        return [name for entry in self.job.source for name in entry.domain_names]

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.samples // self.samples_per_shard)

    @property
    def samples_per_shard(self) -> int:
        """Samples of every shard but the last: the job's own number, or that of the plan."""
        return samples_per_shard(self.job, self.samples, self.shape, self.views())

    @property
    def environment_digest(self) -> str:
        """The sha256 that stands in every record."""
        return digest(self.environment)

    def views(self) -> list[ViewEntry]:
        """Return the stored views: number, name, member of the shard, dtype and recipe."""
        return [self._view(number, *view) for number, view in enumerate(self.job.view_recipes())]

    def _view(self, number: int, name: str, recipe: list[tuple[str, Any]]) -> ViewEntry:
        told = [(stage, _without_younger({stage: o.model_dump()}, self.versions)[stage]) for stage, o in recipe]
        steps = [{"stage": stage, "version": self.versions[stage], **options} for stage, options in told]
        floating = bool(recipe) and getattr(recipe[-1][1], "range", None) == "float"
        dtype, output = "float16" if floating else "uint8", self.job.output
        field = view_field(number, name, dtype, output.encoding, output.members)
        return ViewEntry(number=number, name=name, field=field, dtype=dtype, recipe=steps)

    def stages(self, kernels: Any, contents: Contents) -> list[list[Stage]]:
        """Return the stages of the base and of every view, ready to apply; index 0 is the base, 1 + n view n.

        Parameters
        ----------
        contents : reference -> content of `inputs`
        """
        return [
            [
                AUGMENTATIONS[name](
                    options,
                    shape=self.shape,
                    kernels=kernels,
                    inputs=by_role(name, options, self.inputs, contents),
                    classes=self.classes,
                )
                for name, options in recipe
            ]
            for _, recipe in self.job.recipes()
        ]


def draw_up(
    job: GenerateJob, environment: dict[str, str], plan: Plan, known: Sequence[StoredInput] = ()
) -> tuple[Blueprint, bytes]:
    """Return the blueprint of `job` and its plan as Parquet. `known` are inputs whose files may be gone."""
    drafted = draft(job, plan, environment, known)
    content = encode_plan(plan, drafted.samples_per_shard)
    return replace(drafted, plan_sha256=hashlib.sha256(content).hexdigest()), content


def draft(
    job: GenerateJob,
    plan: Plan,
    environment: dict[str, str],
    known: Sequence[StoredInput] = (),
) -> Blueprint:
    """Return the blueprint of `job` with `plan`, as far as it is known before the plan is encoded."""
    job = job.with_domains(plan.domains)
    shape, files, versions = _shape(job, plan), read_files(job, known), _versions(job)
    drafted = Blueprint(
        job=job,
        identity="",
        fingerprint=plan.fingerprint,
        plan_sha256="",
        samples=len(plan.table),
        shape=shape,
        classes=plan.classes,
        environment=environment,
        inputs=files,
        warnings=(*plan.source_warnings, *notes_on_weights(job)),
        empty_classes=tuple(plan.empty_classes),
        versions=versions,
    )
    job = job.with_samples_per_shard(drafted.samples_per_shard)
    named = identity(job, plan.fingerprint, len(plan.table), shape, plan.classes, files, versions)
    drafted = replace(drafted, job=job, identity=named)
    refuse_unreadable(_envelope(drafted), len(plan.classes))
    return drafted


def _shape(job: GenerateJob, plan: Plan) -> tuple[int, int, int]:
    if job.image.size != "native":
        return (3, job.image.size[0], job.image.size[1])
    height, width = _native_size(job, plan)
    try:
        check_stages(job, (3, height, width))
    except ValueError as error:
        raise PlanError(f"native images are {height}x{width}: {error}") from error
    return (3, height, width)


def _native_size(job: GenerateJob, plan: Plan) -> tuple[int, int]:
    """Return height and width of the first image of the plan that can be read."""
    sources = open_sources(job)
    for number in range(len(plan.table)):
        row = plan.table.slice(number, 1).to_pylist()[0]
        source = sources[row["source"]]
        entry = Entry(source_key(job, row["key"]), row["label"], row["offset"])
        try:
            image = source.decode(plan.kept.look(row["source"], row["key"]) or source.read([entry])[0])
        except BadImage:
            continue
        return image.height, image.width
    raise PlanError("image.size native is read from the images, and none of them can be read")


def source_key(job: GenerateJob, key: str) -> str:
    """Return a plan's key as its own source knows it."""
    return key if len(job.source) == 1 else key.partition("/")[2]


def identity_form(job: GenerateJob, inputs: Sequence[StoredInput], versions: Mapping[str, int]) -> dict[str, Any]:
    """Return what of a job decides the stored samples: resolved, without places, formats, compute and budgets.

    Files that stages name stand there by their sha256; options that a stage did not have in its version of `versions`
    are left out.
    """
    form = job.resolved()
    del form["compute"], form["bad_images"], form["output"]["uri"], form["output"]["formats"]
    if form["output"]["encoding"] != "jpeg":
        del form["output"]["quality"]
    _drop_younger_output(form["output"])
    sources = form["source"] if isinstance(form["source"], list) else [form["source"]]
    form["source"] = [
        {k: v for k, v in source.items() if k not in SOURCES[source["kind"]].Options.places} for source in sources
    ]
    contents = contents_by_place(job, inputs)
    for key in ("base", "views"):
        form[key] = _without_younger(_by_content(form[key], contents), versions)
    return form


def _drop_younger_output(output: dict[str, Any]) -> None:
    """Leave out keys that datasets did not have once, where they say what was done then."""
    for key, before in (("members", "numbers"), ("cls", False)):
        if output[key] == before:
            del output[key]


def _without_younger(value: Any, versions: Mapping[str, int]) -> Any:
    """Return a part of a resolved job without the options that a stage of `versions` did not have yet."""
    if isinstance(value, list):
        return [_without_younger(entry, versions) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_younger(entry, versions) for key, entry in value.items()}
    for name in versions.keys() & {key for key, entry in kept.items() if isinstance(entry, dict)}:
        younger = {key for key, version in AUGMENTATIONS[name].since.items() if version > versions[name]}
        fields = AUGMENTATIONS[name].Options.model_fields
        kept[name] = {
            key: entry
            for key, entry in kept[name].items()
            if key not in younger or entry != fields[key].default  # asked for, it makes another dataset
        }
    return kept


def _by_content(value: Any, contents: Mapping[str, str | list[str]]) -> Any:
    """Return a part of a resolved job with every path of an input replaced by the hash of what is there."""
    if isinstance(value, dict):
        told_twice = {"sha256"} if "checkpoint" in value else set()  # a check of what its hash stands for already
        return {key: _by_content(entry, contents) for key, entry in value.items() if key not in told_twice}
    if isinstance(value, list):
        return [_by_content(entry, contents) for entry in value]
    return contents[value] if isinstance(value, str) and value in contents else value


def identity(
    job: GenerateJob,
    fingerprint: str,
    samples: int,
    shape: tuple[int, int, int],
    classes: tuple[str, ...],
    inputs: Sequence[StoredInput],
    versions: Mapping[str, int],
) -> str:
    """Return the sha256 that names a dataset: same identity and environment, same bytes.

    Parameters
    ----------
    versions : stage -> version, those that the dataset was begun with
    """
    return digest(
        {
            "format": FORMAT,
            "job": identity_form(job, inputs, versions),
            "stages": dict(versions),
            "fingerprint": fingerprint,
            "samples": samples,
            "shape": shape,
            "classes": classes,
        }
    )


def _versions(job: GenerateJob) -> dict[str, int]:
    """Return today's version of every stage of a job."""
    used = sorted({name for _, recipe in job.recipes() for name, _ in recipe})
    return {name: AUGMENTATIONS[name].version for name in used}


def _possible_versions(job: GenerateJob) -> Iterator[dict[str, int]]:
    """Yield the versions with which the stages of a job may have been begun, today's first."""
    today = _versions(job)
    ranges = (range(version, 0, -1) for version in today.values())
    for versions in islice(itertools.product(*ranges), _MOST_GUESSES):
        yield dict(zip(today, versions, strict=True))


class _Envelope(StrictModel):
    """The content of ``job.yaml``."""

    format: int
    identity: str
    fingerprint: str
    plan_sha256: str
    samples: int = Field(ge=1)
    shape: list[int] = Field(min_length=3, max_length=3)
    classes: list[str]
    environment: dict[str, str]
    inputs: list[StoredInput] = []
    warnings: list[str] = []
    job: dict[str, Any]
    digest: str | None = None


def write_blueprint(store: Store, blueprint: Blueprint, plan: bytes) -> None:
    """Store plan and blueprint; the blueprint last, so that its presence means that the plan is whole."""
    store.put(PLAN, plan)
    write_job(store, blueprint)


def write_job(store: Store, blueprint: Blueprint) -> None:
    """Store the blueprint alone."""
    written = yaml.safe_dump(_envelope(blueprint), sort_keys=False, allow_unicode=True)
    store.put(JOB, sealed_text(written.encode()))


def _envelope(blueprint: Blueprint) -> dict[str, Any]:
    """Return what ``job.yaml`` says of a blueprint, below its digest."""
    envelope = _Envelope(
        format=FORMAT,
        identity=blueprint.identity,
        fingerprint=blueprint.fingerprint,
        plan_sha256=blueprint.plan_sha256,
        samples=blueprint.samples,
        shape=list(blueprint.shape),
        classes=list(blueprint.classes),
        environment=blueprint.environment,
        inputs=list(blueprint.inputs),
        warnings=list(blueprint.warnings),
        job=blueprint.job.resolved(),
    )
    return envelope.model_dump(exclude={"digest"})


def read_blueprint(store: Store) -> Blueprint:
    """Read the blueprint of an output; raise PassbandError where there is none or it is damaged."""
    where = f"{store.uri}/{JOB}"
    try:
        given = read_store_yaml(store, JOB)
        refuse_other_kind(given, store.uri)
        envelope = _Envelope.model_validate(given)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PassbandError(f"{store.uri}: no {JOB}; this is not a Passband dataset") from error
    except ValidationError as error:
        raise PassbandError(f"{where}: is damaged or of another version: {first_problem(error)}") from error
    except YamlError as error:
        raise PassbandError(f"{where}: is damaged: {error}") from error
    if envelope.format != FORMAT:
        raise PassbandError(f"{where}: has format {envelope.format}, this version reads {FORMAT}")
    job, shape = parse_stored(envelope.job, where), (envelope.shape[0], envelope.shape[1], envelope.shape[2])
    classes = tuple(envelope.classes)
    told = (job, envelope.fingerprint, envelope.samples, shape, classes, envelope.inputs)
    begun = next((v for v in _possible_versions(job) if identity(*told, v) == envelope.identity), None)
    if begun is None:
        raise PassbandError(f"{where}: was changed after the plan was made: it no longer gives its own identity")
    return Blueprint(
        job=job,
        identity=envelope.identity,
        fingerprint=envelope.fingerprint,
        plan_sha256=envelope.plan_sha256,
        samples=envelope.samples,
        shape=shape,
        classes=classes,
        environment=envelope.environment,
        inputs=tuple(envelope.inputs),
        warnings=tuple(envelope.warnings),
        versions=begun,
    )


def refuse_other_kind(given: Any, uri: str) -> None:
    """Raise PassbandError if what a ``job.yaml`` says is of a training or an analysis."""
    job = given.get("job") if isinstance(given, dict) else None
    kind = job.get("kind") if isinstance(job, dict) else None
    called = {"train": "a training", "analyze": "an analysis"}.get(str(kind))
    if called is not None:
        raise OccupiedError(f"{uri}: holds {called} and no dataset; passband status tells how far it is")


def refuse_outdated(blueprint: Blueprint, uri: str) -> None:
    """Raise PassbandError, naming the stages, if shards that are made now would not be those of the dataset."""
    if blueprint.outdated:
        raise PassbandError(
            f"{uri}: was begun by other versions of its stages: {', '.join(blueprint.outdated)}; what is missing or "
            "damaged cannot be made as it was: choose another output.uri, or use the Passband that it was begun with"
        )


def check_plan(store: Store, blueprint: Blueprint) -> Iterator[Problem]:
    """Yield a problem if the stored plan is not the one that the blueprint was written with."""
    where = f"{store.uri}/{PLAN}"
    if not store.exists(PLAN):
        yield Problem(None, PLAN, f"{where}: is missing")
    elif hashlib.sha256(store.read(PLAN)).hexdigest() != blueprint.plan_sha256:
        yield Problem(None, PLAN, f"{where}: is not the plan that {JOB} was written with")


def open_sources(job: GenerateJob) -> list[Source]:
    """Open the sources of a job, in their order."""
    return [entry.open() for entry in job.source]

"""The job files of kind ``evaluate``: which network is looked at under which conditions."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from passband.jobs.common.jobfile import absolute_path, check_kind, read_yaml, validated
from passband.jobs.evaluation.attack import Attack
from passband.jobs.training.spec import DatasetReference, Name
from passband.pipeline.corruptions import NAMES, SEVERITIES, TableName, all_types
from passband.pipeline.corruptions import Name as Corruption
from passband.pipeline.networks.smoothing import Axes
from passband.pipeline.options import StrictModel
from passband.pipeline.surrogate.options import SHA256

Source = dict[str, Any] | list[dict[str, Any]]
_YOUNGER = ("attacks", "smoothing")


class Images(StrictModel):
    """What images to make a dataset of, as in a job of kind generate."""

    source: Source | None = Field(None, description="as in a job of kind generate")
    image: dict[str, Any] | None = Field(None, description="as in a job of kind generate")

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.source is None) != (self.image is None):
            raise ValueError("source and image are given together or not at all")
        return self


class EvaluatedDataset(Images):
    """A stored dataset, the job that makes it, or just source and image; and the view that is looked at."""

    path: str | None = Field(None, min_length=1, description="dataset folder, .beton file, or s3://bucket/prefix")
    job: str | dict[str, Any] | None = Field(None, description="a job of kind generate; made when missing")
    view: str = Field("clean", min_length=1)

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if sum(given is not None for given in (self.path, self.job, self.source)) != 1:
            raise ValueError("a dataset needs one of path, job, or source with image")
        if self.source is not None and self.view != "clean":
            raise ValueError(f"a dataset by its source has the view clean only, not {self.view!r}; give a job")
        return self

    def reference(self) -> DatasetReference:
        """Return the dataset by place or job."""
        if self.source is not None and self.image is not None:
            return DatasetReference(path=None, job=generation_job("clean", self.source, self.image, []))
        return DatasetReference(path=None if self.path is None else absolute_path(self.path), job=self.job)


class CorruptionGrid(Images):
    """Common corruptions at several severities (Hendrycks & Dietterich 2019); a dataset for each type.

    Those of the folder `published` are a dataset for each type and severity.
    """

    types: Annotated[
        list[Corruption],
        BeforeValidator(all_types, Literal["all"] | list[Corruption]),
        Field(min_length=1),
    ] = list(NAMES)
    severities: list[Annotated[int, Field(ge=1, le=SEVERITIES)]] = Field(
        default=list(range(1, SEVERITIES + 1)), min_length=1
    )
    table: TableName | None = Field(
        None, description="of constants; default: cifar for images up to 32 pixels, tiny up to 64, else imagenet"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of the corruptions")
    published: str | None = Field(
        None,
        min_length=1,
        description="folder of CIFAR-10-C or CIFAR-100-C, whose images are looked at in place of our own",
    )

    @model_serializer(mode="wrap")
    def _without_published(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `published` out where it is not given: older jobs read as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "published" or value is not None}

    @model_validator(mode="after")
    def _check_published(self) -> Self:
        ours = [key for key in ("source", "image", "table", "seed") if getattr(self, key)]
        if self.published is not None and ours:
            raise ValueError(f"published images were made once and for all; leave {', '.join(ours)} out")
        return self

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        _refuse_repeated("types", self.types)
        _refuse_repeated("severities", self.severities)
        return self


class FrequencySplit(Images):
    """Low- and high-pass images at several radii (Wang et al. 2020); one dataset."""

    radii: list[Annotated[int, Field(ge=1, le=4096)]] = Field(default=[4, 8, 12, 16], min_length=1)

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        _refuse_repeated("radii", self.radii)
        return self


def _refuse_repeated(key: str, values: list[Any]) -> None:
    repeated = sorted({str(value) for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{key} names {', '.join(repeated)} more than once")


class Bootstrap(StrictModel):
    """How intervals are found: percentiles over resampled samples."""

    resamples: int = Field(1000, ge=1, le=1_000_000)
    confidence: float = Field(0.95, gt=0, lt=1)


class Adaptation(StrictModel):
    """Batch-norm statistics adapted to each `batch` samples, the training's weighing as much as `prior` samples."""

    prior: int = Field(ge=0)
    batch: int = Field(ge=1, le=1 << 20)


def _as_rho(given: Any) -> Any:
    return {"rho": given} if isinstance(given, list) else given


class Smoothing(StrictModel):
    """The network once more for each rho, the kernels of its first convolution smoothed (Wang et al. 2020, eq. 3)."""

    rho: list[Annotated[float, Field(ge=0, le=1000)]] = Field(
        min_length=1, description="share of each neighbor that is added; 0 is the network itself, which is always there"
    )
    axes: Axes = Field("space", description="of the neighbors; channels is what the authors' code smooths in PyTorch")

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        _refuse_repeated("rho", self.rho)
        return self

    def strengths(self) -> list[float]:
        """Return every rho that changes something, in ascending order."""
        return sorted(rho for rho in self.rho if rho)


class EvaluateCompute(StrictModel):
    """Where it runs. Another device, number of threads or batch size may change the last bits of a logit."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1, le=1024, description="of torch on the CPU; default: all")
    workers: int | None = Field(None, ge=1, le=256, description="threads that decode; default: all CPUs")
    batch_size: int = Field(256, ge=1, le=1 << 20)


class EvaluateOutput(StrictModel):
    """Where results, report and predictions are written."""

    uri: str = Field(min_length=1, description="a folder")


class EvaluateJob(StrictModel):
    """A job of kind ``evaluate``, as its file says it."""

    kind: Literal["evaluate"]
    name: Name
    seed: int = Field(0, ge=0, lt=2**63, description="of the bootstrap, and of random starts of attacks")
    checkpoint: str = Field(min_length=1, description="a training's folder or a model.pt")
    sha256: str | None = Field(None, pattern=SHA256, description="of the checkpoint's file; another one is refused")
    test: EvaluatedDataset
    domains: dict[Name, EvaluatedDataset] = {}
    corruptions: CorruptionGrid | None = None
    frequency: FrequencySplit | None = None
    groups: bool | list[int] = Field(False, description="accuracy of each group of test; a list: these must be there")
    baseline: str | None = Field(None, description="results.json of another evaluation, for the mCE")
    bootstrap: Bootstrap = Field(default_factory=lambda: Bootstrap.model_validate({}))
    adapt: Adaptation | None = None
    attacks: dict[Name, Attack] = Field(default={}, description="on the images of test")
    smoothing: Annotated[Smoothing | None, BeforeValidator(_as_rho, list[float] | Smoothing | None)] = Field(
        None, description="of the first convolution's kernels: rho, or a list of them"
    )
    output: EvaluateOutput
    datasets: str = Field("runs/datasets", min_length=1, description="folder in which missing datasets are made")
    compute: EvaluateCompute = Field(default_factory=lambda: EvaluateCompute.model_validate({}))

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave younger keys out that are not given: older jobs read as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key not in _YOUNGER or value}

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        if self.attacks and self.adapt is not None:
            raise ValueError("attacks and adapt exclude each other: an adapted prediction depends on the other images")
        for key in ("corruptions", "frequency"):
            section = getattr(self, key)
            if getattr(section, "published", None) is not None:
                continue
            if section is not None and section.source is None and self.test.source is None:
                raise ValueError(f"{key} needs source and image, as test has none to take over")
        if self.baseline is not None and self.corruptions is None:
            raise ValueError("a baseline is for the mCE, which needs corruptions")
        return self

    def images(self, section: Images) -> tuple[Source, dict[str, Any]]:
        """Return source and image of a section, which are those of `test` unless it has its own."""
        chosen = self.test if section.source is None else section
        assert chosen.source is not None
        assert chosen.image is not None
        return chosen.source, chosen.image

    def with_absolute_paths(self) -> "EvaluateJob":
        """Return the job with its own local paths made absolute."""
        changed: dict[str, Any] = {key: absolute_path(getattr(self, key)) for key in ("checkpoint", "datasets")}
        if self.baseline is not None:
            changed["baseline"] = absolute_path(self.baseline)
        return self.model_copy(update=changed).with_output(absolute_path(self.output.uri))

    def with_output(self, uri: str) -> "EvaluateJob":
        """Return the job with another place for its output."""
        return self.model_copy(update={"output": EvaluateOutput(uri=uri)})


def generation_job(
    what: str, source: Source, image: dict[str, Any], views: list[dict[str, Any]], seed: int = 0
) -> dict[str, Any]:
    """Return a job of kind generate, ``clean`` and `views`, without a place of its own.

    Its name is part of the dataset's identity, so it says what is in it and not who asked: evaluations share it.
    """
    sources = [source] if isinstance(source, dict) else source
    origin = "-".join(dict.fromkeys(str(entry.get("kind")) for entry in sources))
    encoding = "npy" if _is_small(image.get("size")) else "png"
    return {
        "kind": "generate",
        "name": f"{origin}-{what}",
        "seed": seed,
        "source": source,
        "image": image,
        "views": ["clean", *views],
        "output": {"encoding": encoding},
    }


def _is_small(size: Any) -> bool:
    """Say whether images are so small that storing their bare pixels costs little; it is the fastest to read."""
    sides = size if isinstance(size, list) else [size]
    return all(isinstance(side, int) and side <= 64 for side in sides)


def load_evaluate_job(path: str | Path) -> EvaluateJob:
    """Read a job file of kind ``evaluate``.

    Raises
    ------
    JobError
        With one line for every problem: the key's path, the value, what is allowed.
    """
    return parse_evaluate_job(read_yaml(path), str(path))


def parse_evaluate_job(given: Any, where: str = "job") -> EvaluateJob:
    """Check a job that is already a mapping; `where` names it in errors."""
    check_kind(given, where, "evaluate")
    job: EvaluateJob = validated(EvaluateJob, given, where)
    return job

"""The job files of kind ``train``: what is trained on what, how, and where it goes."""

import functools
import hashlib
import operator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
    model_validator,
)

from passband.jobs.common.jobfile import JobError, absolute_path, check_kind, read_yaml, validated
from passband.jobs.training.objectives import OBJECTIVES, Objective, ObjectiveOptions
from passband.pipeline.canonical import digest
from passband.pipeline.networks.checkpoint import checkpoint_file
from passband.pipeline.networks.names import (
    FIXED_NORMS,
    OURS,
    RESIDUAL,
    TORCHVISION,
    check_network,
    check_parts,
    check_stem,
)
from passband.pipeline.networks.packaged import check_weights
from passband.pipeline.options import StrictModel, listed
from passband.pipeline.surrogate.options import SHA256

_YOUNGER_DATA = ("shuffle_labels", "augmented_share")
_YOUNGER = ("sha256", "weights", "batch_norm", "dropout", "pretrained")
WATCHED = "train"
"""What the training set is called where `watch` measures on it."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class DatasetReference(StrictModel):
    """A stored dataset by its place, or by the generation job that makes it."""

    path: str | None = Field(None, min_length=1, description="dataset folder, .beton file, or s3://bucket/prefix")
    job: str | dict[str, Any] | None = Field(
        None, description="a job of kind generate, as a file or spelled out; made when missing"
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.path is None) == (self.job is None):
            raise ValueError("a dataset needs either path or job")
        return self


class DataSection(DatasetReference):
    """The training set and how it is read."""

    views: list[str] | None = Field(None, min_length=1, description="names of the views to read; default: all")
    views_by_epoch: bool = Field(False, description="read only the e-th of the views in epoch e")
    views_as_samples: bool = Field(
        False,
        description="each view of each sample is an image of its own, once an epoch, all shuffled together",
    )
    balance: Literal["group", "class", "group_class"] | None = Field(
        None, description="draw groups, classes, or each group's samples of each class, equally often"
    )
    window: int | None = Field(None, ge=1, description="shards mixed at once; default: all, a global shuffle")
    shuffle_labels: int | None = Field(
        None, ge=0, lt=2**63, description="seed by which the labels change places, as studies of memorization do"
    )
    augmented_share: float | None = Field(
        None, ge=0, le=1, description="share of the samples whose further views are read; the others repeat the first"
    )
    verify: bool = Field(True, description="compare every shard with its sha256 before its first use")
    crop_padding: int = Field(0, ge=0, le=64, description="random crops after padding by so many black pixels")
    flip: bool = Field(False, description="flip half of the images left to right")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave younger keys out that are not given: older jobs read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key not in _YOUNGER_DATA or value is not None}


class NetworkSection(StrictModel):
    """The network; it normalises images by the mean and deviation given here."""

    kind: str = Field(description=f"{', '.join(OURS)}, or {TORCHVISION}NAME")
    stem: Literal["cifar", "imagenet"] | None = Field(
        None, description=f"of {' and '.join(RESIDUAL)}; default: cifar up to 64 pixels a side, imagenet above"
    )
    batch_norm: bool | None = Field(
        None,
        description="whether it has batch norm; default: resnet18, wide_resnet16_4, densenet_small have it, "
        f"convnet, lenet, vgg11 do not; no choice for {', '.join(FIXED_NORMS)}",
    )
    dropout: float | None = Field(
        None, ge=0, lt=1, description="share of the features before the last layer that is dropped; default: none"
    )
    mean: list[float] | None = Field(None, description="one a channel; default: measured on the first view")
    std: list[Annotated[float, Field(gt=0)]] | None = Field(
        None, description="one a channel; default: measured on the first view"
    )
    checkpoint: str | None = Field(None, description="start from these weights: a training's folder or a model.pt")
    sha256: str | None = Field(None, pattern=SHA256, description="of that file; another one is refused")
    weights: str | None = Field(
        None,
        min_length=1,
        description=f"published ones, by name: torchvision's own of {TORCHVISION}NAME, from torch hub's folder; "
        "IMAGENET1K of efficientnet_lite0, from the extra samples",
    )

    pretrained: str | None = Field(
        None, min_length=1, description="start from a plain state dict, as torchvision writes one, of the same network"
    )

    @property
    def file(self) -> str | None:
        """The file that the network begins from, where there is one."""
        return self.checkpoint or self.pretrained

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave younger keys out that are not given: older jobs read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key not in _YOUNGER or value is not None}

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_network(self.kind, "kind")
        check_stem(self.kind, self.stem)
        check_parts(self.kind, self.batch_norm, self.dropout)
        if self.checkpoint is not None and (self.batch_norm is not None or self.dropout is not None):
            raise ValueError("batch_norm and dropout come with the checkpoint")
        if self.weights is not None and not self.kind.startswith(TORCHVISION):
            check_weights(self.kind, self.weights)
        begins = [key for key in ("weights", "checkpoint", "pretrained") if getattr(self, key) is not None]
        if len(begins) > 1:
            raise ValueError(
                "a network begins from weights by name, from a checkpoint or from a pretrained state dict, "
                f"not from {' and '.join(begins)}"
            )
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std are given together or not at all")
        if self.checkpoint is not None and self.mean is not None:
            raise ValueError("mean and std come with the checkpoint")
        if self.file is None and self.sha256 is not None:
            raise ValueError("sha256 is that of a checkpoint or a state dict, and none is given")
        return self


class OptimizerSection(StrictModel):
    """The optimizer and its rate."""

    kind: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = Field(0.1, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    nesterov: bool = Field(False, description="of sgd")
    weight_decay: float = Field(5e-4, ge=0)

    @model_validator(mode="after")
    def _check_nesterov(self) -> Self:
        if self.nesterov and (self.kind != "sgd" or self.momentum == 0):
            raise ValueError("nesterov needs sgd with momentum")
        return self


class ScheduleSection(StrictModel):
    """How the rate changes from step to step."""

    kind: Literal["constant", "cosine", "step", "one_cycle"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0, description="of cosine, step and constant: linear from zero")
    milestones: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[0.5, 0.75], description="of step: parts of the training"
    )
    factor: float = Field(0.1, gt=0, lt=1, description="of step: the rate is multiplied by it")


class SwaSection(StrictModel):
    """Stochastic weight averaging: the mean of the weights after each of the last epochs is what is kept."""

    start: float = Field(0.75, ge=0, lt=1, description="part of the epochs after which averaging begins")


class ComputeSection(StrictModel):
    """Where it runs. Another device or number of threads may change the last bits of a weight."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1, le=1024, description="of torch on the CPU; default: all")
    workers: int | None = Field(None, ge=1, le=256, description="threads that decode; default: all CPUs")
    channels_last: bool = False
    compile: bool = False


class EvaluationDuringTraining(DatasetReference):
    """A dataset on which accuracy is measured while training."""

    every_epochs: int = Field(1, ge=1)
    views: list[str] = Field(default=["clean"], min_length=1)
    sharpness: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="also measure each view's gradient norm, and its sharpness at weights so far away",
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `sharpness` out where it is not given: older jobs read as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "sharpness" or value is not None}


class WatchSection(StrictModel):
    """Views of the training set itself on which accuracy and loss are measured while training."""

    views: list[str] = Field(min_length=1, description="names of views, whether or not they are trained on")
    every_epochs: int = Field(1, ge=1)


class TrainOutput(StrictModel):
    """Where the training is written, and how often."""

    uri: str = Field(min_length=1, description="a folder")
    checkpoint_every_s: float = Field(300.0, ge=0, description="seconds between checkpoints; each epoch ends with one")
    log_every_steps: int = Field(10, ge=1)
    tensorboard: bool = True
    keep_steps: list[Annotated[int, Field(ge=0)]] = Field(
        default=[], description="steps after which the network is kept, its mean, and what the objective has learned"
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `keep_steps` out where nothing is kept: older jobs read as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "keep_steps" or value}


def _objective_entry(name: str) -> Any:
    options = OBJECTIVES[name].Options
    return create_model(f"{name.title().replace('_', '')}Objective", __base__=options, __doc__=options.__doc__,
                        kind=(Literal[name], ...))  # type: ignore[arg-type]  # fmt: skip


def _any_objective() -> Any:
    return Annotated[functools.reduce(operator.or_, map(_objective_entry, OBJECTIVES)), Discriminator("kind")]


if TYPE_CHECKING:
    AnyObjective = ObjectiveOptions
else:
    AnyObjective = listed(OBJECTIVES, _any_objective)


class TrainJob(StrictModel):
    """A job of kind ``train``, as its file says it."""

    kind: Literal["train"]
    name: Name
    seed: int = Field(0, ge=0, lt=2**63)
    data: DataSection
    network: NetworkSection
    objective: AnyObjective
    epochs: int | None = Field(None, ge=1, le=100_000, description="passes over the training set; or give steps")
    steps: int | None = Field(None, ge=1, le=1 << 40, description="steps of the whole training, in place of epochs")
    batch_size: int = Field(128, ge=1, le=1 << 20, description="of all processes together")
    optimizer: OptimizerSection = Field(default_factory=lambda: OptimizerSection.model_validate({}))
    schedule: ScheduleSection = Field(default_factory=lambda: ScheduleSection.model_validate({}))
    precision: Literal["float32", "bfloat16"] = "float32"
    clip_norm: float | None = Field(None, gt=0, description="longest norm of the gradient")
    swa: SwaSection | None = None
    evaluate: dict[Name, EvaluationDuringTraining] = Field(default={}, description="accuracy after every few epochs")
    watch: WatchSection | None = Field(None, description="accuracy and loss on views of the training set")
    datasets: str = Field("runs/datasets", description="folder for the datasets that are made when missing")
    output: TrainOutput
    compute: ComputeSection = Field(default_factory=lambda: ComputeSection.model_validate({}))

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `watch` out where it is not given: older jobs read as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "watch" or value is not None}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.watch is not None and WATCHED in self.evaluate:
            raise ValueError(f"evaluate.{WATCHED}: what is watched has this name; give the dataset another one")
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("a training needs either epochs or steps")
        if self.data.views_by_epoch and self.data.views_as_samples:
            raise ValueError("data.views_by_epoch and data.views_as_samples exclude each other")
        if self.data.augmented_share is not None and (self.data.views_by_epoch or self.data.views_as_samples):
            raise ValueError("data.augmented_share needs all views of a sample in one batch")
        return self

    @property
    def objective_class(self) -> type[Objective]:
        """The class of the objective."""
        return OBJECTIVES[self.objective.kind]  # type: ignore[attr-defined]

    def objective_options(self) -> ObjectiveOptions:
        """Return the objective's options without its name."""
        return self.objective_class.Options.model_validate(self.objective.model_dump(exclude={"kind"}))

    def identity(self, dataset: str) -> str:
        """Return the sha256 of all that shapes the weights: not names, places, cadence or compute.

        Parameters
        ----------
        dataset : identity of the training set
        """
        kept = self.model_dump(exclude={"name": True, "output": True, "compute": True, "evaluate": True, "watch": True,
                                        "datasets": True, "data": {"path", "job", "verify"}})  # fmt: skip
        # Keys younger than the first trainings count where they are used, so that those keep their identity.
        kept["objective"] = _as_first_named(kept["objective"])
        if self.steps is None:
            del kept["steps"]
        if not self.data.views_as_samples:
            del kept["data"]["views_as_samples"]
        if self.network.checkpoint is not None:
            kept["network"]["checkpoint"] = file_digest(self.network.checkpoint)
        if self.network.pretrained is not None:
            kept["network"]["pretrained"] = file_digest(self.network.pretrained, "pretrained")
        if self.network.weights is not None:
            kept["network"]["weights"] = self._weights_digest(self.network.weights)
        kept["network"].pop("sha256", None)  # a check, of what its hash stands for already
        return digest(kept | {"dataset": dataset})

    def _weights_digest(self, weights: str) -> str:
        from passband.pipeline.networks.pretrained import weights_digest  # torchvision

        return weights_digest(self.network.kind, weights)

    def measured(self) -> dict[str, EvaluationDuringTraining]:
        """Return what is measured while training, by its name: the datasets of `evaluate`, then what is watched."""
        if self.watch is None:
            return self.evaluate
        return self.evaluate | {WATCHED: EvaluationDuringTraining(path=self.data.path, job=self.data.job,
                                                                  **self.watch.model_dump())}  # fmt: skip

    def references(self) -> list[DatasetReference]:
        """Return every dataset that the job names."""
        return [self.data, *self.evaluate.values()]

    def with_paths(self, paths: list[str]) -> "TrainJob":
        """Return the job with its datasets, in the order of `references`, by their places."""
        found = [
            entry.model_copy(update={"path": path, "job": None})
            for entry, path in zip(self.references(), paths, strict=True)
        ]
        return self.model_copy(update={"data": found[0], "evaluate": dict(zip(self.evaluate, found[1:], strict=True))})

    def with_absolute_paths(self) -> "TrainJob":
        """Return the job with its local paths made absolute."""
        changed = {
            "data": absolute(self.data),
            "evaluate": {name: absolute(entry) for name, entry in self.evaluate.items()},
            "output": self.output.model_copy(update={"uri": absolute_path(self.output.uri)}),
        }
        if self.network.file is not None:
            key = "checkpoint" if self.network.checkpoint is not None else "pretrained"
            changed["network"] = self.network.model_copy(update={key: absolute_path(self.network.file)})
        return self.model_copy(update=changed)

    def with_output(self, uri: str) -> "TrainJob":
        """Return the job with another place for its output."""
        return self.model_copy(update={"output": self.output.model_copy(update={"uri": uri})})


def _as_first_named(options: Any) -> Any:
    """Return options in which the ``eta`` of group weights has its first name, ``step``, unless that is taken."""
    if not isinstance(options, dict):
        return options
    names = {"eta": "step"} if "step" not in options else {}
    return {names.get(key, key): _as_first_named(value) for key, value in options.items()}


def file_digest(path: str, key: str = "checkpoint") -> str:
    """Return the sha256 of what `key` names: a file, or the ``model.pt`` of a training's folder."""
    file = checkpoint_file(path)
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise JobError(f"network.{key}: cannot read {file}: {error.strerror}") from error


def absolute(reference: Any) -> Any:
    """Return a reference to a dataset with its local path made absolute."""
    return reference if reference.path is None else reference.model_copy(update={"path": absolute_path(reference.path)})


def load_train_job(path: str | Path) -> TrainJob:
    """Read a job file of kind ``train``, or the ``job.yaml`` of a training.

    Raises
    ------
    JobError
        With one line for every problem: the key's path, the value, what is allowed.
    """
    given = read_yaml(path)
    if isinstance(given, dict) and "identity" in given and "job" in given:
        given = given["job"]
    return parse_train_job(given, str(path))


def parse_train_job(given: Any, where: str = "job") -> TrainJob:
    """Check a job that is already a mapping; `where` names it in errors."""
    check_kind(given, where, "train")
    job: TrainJob = validated(TrainJob, given, where)
    return job

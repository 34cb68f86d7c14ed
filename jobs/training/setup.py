"""From a job to all that the loop needs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from passband.jobs.common.jobfile import JobError
from passband.jobs.training.augmented import AugmentedShare
from passband.jobs.training.collective import rank, world_size
from passband.jobs.training.crop_flip import CropFlip
from passband.jobs.training.first_network import first_network
from passband.jobs.training.objectives import Objective, Setting
from passband.jobs.training.schedule import make_schedule
from passband.jobs.training.spec import OptimizerSection, TrainJob
from passband.jobs.training.update import Update
from passband.pipeline.loading import Stream, open_stream
from passband.pipeline.networks.dropout import DroppedLinear
from passband.pipeline.networks.network import Network


@dataclass
class Training:
    """A training that is set up.

    Attributes
    ----------
    model : what the objective is given: `network`, compiled where that was asked for
    rate : step -> learning rate
    average : running mean of the weights, for SWA
    steps : of the whole training
    step : number of steps done
    """

    job: TrainJob
    device: torch.device
    stream: Stream
    network: Network
    model: nn.Module
    objective: Objective
    optimizer: Optimizer
    rate: Callable[[int], float]
    crop_flip: CropFlip
    augmented: AugmentedShare
    average: AveragedModel | None
    steps: int
    step: int = 0

    @property
    def epochs(self) -> int:
        """Epochs that the training begins; where the job counts steps, the last may be cut short."""
        return self.objective.setting.epochs


def count_steps(job: TrainJob, steps_per_epoch: int) -> tuple[int, int]:
    """Return the steps of the whole training, and the epochs that it begins."""
    if job.steps is not None:
        return job.steps, -(-job.steps // steps_per_epoch)
    assert job.epochs is not None
    return job.epochs * steps_per_epoch, job.epochs


def open_training_stream(job: TrainJob, device: torch.device) -> Stream:
    """Open this process's part of the training set."""
    if job.batch_size % world_size():
        raise JobError(f"batch_size: {job.batch_size} cannot be shared by {world_size()} processes alike")
    assert job.data.path is not None, "datasets are made before a training begins"
    return open_stream(
        job.data.path,
        views=job.data.views,
        batch_size=job.batch_size // world_size(),
        seed=job.seed,
        rank=rank(),
        world_size=world_size(),
        balance=job.data.balance,
        views_by_epoch=job.data.views_by_epoch,
        views_as_samples=job.data.views_as_samples,
        window=job.data.window,
        shuffle_labels=job.data.shuffle_labels,
        verify=job.data.verify,
        workers=job.compute.workers,
        pin_memory=device.type == "cuda",
    )


def check_evaluations(job: TrainJob, stream: Stream) -> None:
    """Open every dataset that is measured on; raise PassbandError for one that does not fit the training set.

    Before the first step, as what is wrong with them would otherwise show after an epoch.
    """
    trained = stream.manifest
    for name, entry in job.measured().items():
        assert entry.path is not None, "datasets are made before a training begins"
        with open_stream(entry.path, views=entry.views, batch_size=1, rank=0, world_size=1) as looked:
            found = looked.manifest
        if (found.shape, found.classes) != (trained.shape, trained.classes):
            raise JobError(
                f"evaluate.{name}: has {len(found.classes)} classes and images of shape {found.shape}, the training "
                f"set {len(trained.classes)} and {trained.shape}; both must be equal, names and order of classes too"
            )


def set_up(job: TrainJob, stream: Stream, device: torch.device) -> Training:
    """Build network, objective, optimizer and schedule for the data of `stream`."""
    steps, epochs = count_steps(job, len(stream))
    if job.data.views_by_epoch and epochs > len(stream.views):
        raise JobError(f"data.views_by_epoch: {epochs} epochs need as many views; there are {len(stream.views)}")
    network = first_network(job, stream).to(device)
    if job.compute.channels_last:
        network.to(memory_format=torch.channels_last)
    update = Update(device, job.clip_norm, torch.bfloat16 if job.precision == "bfloat16" else None)
    setting = Setting(
        views=stream.image_names,
        num_classes=len(stream.manifest.classes),
        num_groups=int(stream.groups.max()) + 1,
        num_samples=stream.num_samples,
        steps_per_epoch=len(stream),
        epochs=epochs,
        seed=job.seed,
        update=update,
        occurring_groups=len(set(stream.groups.tolist())),
        steps=steps,
    )
    options = job.objective_options()
    try:
        job.objective_class.check(options, setting)
    except ValueError as error:
        raise JobError(f"objective: {error}") from error
    for module in network.modules():
        if isinstance(module, DroppedLinear):
            module.process = rank()
    network.train()
    return Training(
        job=job,
        device=device,
        stream=stream,
        network=network,
        model=torch.compile(network) if job.compute.compile else network,
        objective=job.objective_class(options, setting),
        optimizer=make_optimizer(job.optimizer, network),
        rate=make_schedule(job.schedule, job.optimizer, steps, len(stream)),
        crop_flip=CropFlip(job.seed, job.data.crop_padding, job.data.flip),
        augmented=AugmentedShare(job.seed, job.data.augmented_share),
        average=AveragedModel(network) if job.swa else None,
        steps=steps,
    )


def make_optimizer(section: OptimizerSection, network: nn.Module) -> Optimizer:
    """Return the optimizer of a job; its rate is set before every step."""
    parameters, common = network.parameters(), {"lr": section.lr, "weight_decay": section.weight_decay}
    if section.kind == "sgd":
        return SGD(parameters, momentum=section.momentum, nesterov=section.nesterov, **common)
    return (AdamW if section.kind == "adamw" else Adam)(parameters, **common)

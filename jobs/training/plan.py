"""What a training would cost, measured by a few of its real steps; nothing is written."""

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from passband.jobs.common.overwrite import spell_contents
from passband.jobs.common.wording import count, duration, size
from passband.jobs.training.checkpoint import load_checkpoint
from passband.jobs.training.first_network import with_stem
from passband.jobs.training.output import finished, named, other_output, output_folder
from passband.jobs.training.probe import Probe, probe
from passband.jobs.training.processes import choose_device, threads
from passband.jobs.training.setup import Training, check_evaluations, open_training_stream, set_up
from passband.jobs.training.spec import TrainJob
from passband.pipeline.layout import EVENTS, JOB, KEPT, LAST_CHECKPOINT, METRICS, MODEL, RESULTS
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.checkpoint import without_hash

LONG_EPOCH_S = 3600.0


@dataclass(frozen=True)
class TrainingPlan:
    """A dry run's answer.

    Attributes
    ----------
    state : "new", "begun" or "finished"
    steps, done : of the whole training, and what a checkpoint has of them
    first_steps : of the model that an objective in two stages trains before
    epoch_s : seconds of an epoch
    evaluation_s : seconds of all measuring of accuracy that is left
    seconds : what is left of the training, start-up aside
    writes : name -> bytes, or None for what grows with the training
    deletes : what lies in the folder and would be replaced, in words
    """

    name: str
    output: str
    state: str
    device: str
    network: str
    parameters: int
    objective: str
    samples: int
    views: int
    batch_size: int
    steps_per_epoch: int
    epochs: int
    steps: int
    done: int
    first_steps: int
    probe: Probe
    epoch_s: float
    evaluation_s: float
    seconds: float
    writes: dict[str, int | None]
    deletes: str | None
    notes: list[str]


def long_epoch(epoch_s: float) -> str | None:
    """Return what a person is told of epochs that take over an hour; None of shorter ones."""
    if epoch_s <= LONG_EPOCH_S:
        return None
    return (
        f"an epoch takes about {duration(epoch_s)}; a GPU, smaller images or a smaller network make it shorter, and "
        "steps in place of epochs end it earlier"
    )


def plan_training(job: TrainJob, *, overwrite: bool = False) -> TrainingPlan:
    """Measure what `job`, whose datasets are given by their places, would take, by a few steps; nothing is written.

    Raises
    ------
    PassbandError
        What the training would say before its first step.
    """
    job = job.with_absolute_paths()
    device, store = choose_device(job.compute.device), output_folder(job)
    with threads(job.compute.threads), open_training_stream(job, device) as stream:
        other = other_output(job) if overwrite else None
        held = False
        if other is None:
            job, identity, held = named(job, stream.manifest, store)
            kept = load_checkpoint(store, identity) if held else None
        else:
            job, kept = with_stem(job, stream.manifest.shape), None
        check_evaluations(job, stream)
        training = set_up(job, stream, device)
        done = training.steps if held and finished(store) is not None else kept[0]["step"] if kept else 0
        network = job.network
        notes = [network.file and without_hash(network.file, network.sha256), *training.objective.notes(stream)]
        deletes = None if other is None else spell_contents(other)
        return _plan(training, done, store.uri, deletes, [note for note in notes if note])


def _plan(training: Training, done: int, output: str, deletes: str | None, notes: list[str]) -> TrainingPlan:
    job, stream = training.job, training.stream
    first_steps = job.objective_class.first_epochs(job.objective_options()) * len(stream)
    found = probe(training, in_two_stages=first_steps > 0)
    epoch_s, left = found.step_s * len(stream), training.steps - done
    evaluation_s = found.image_s * _images_to_evaluate(training, done)
    first_s = found.step_s * first_steps if done == 0 else 0.0
    return TrainingPlan(
        name=job.name,
        output=output,
        state="new" if done == 0 else "finished" if left == 0 else "begun",
        device=str(training.device),
        network=job.network.kind,
        parameters=sum(parameter.numel() for parameter in training.network.parameters()),
        objective=job.objective_class.name,
        samples=stream.num_samples,
        views=len(stream.views),
        batch_size=job.batch_size,
        steps_per_epoch=len(stream),
        epochs=training.epochs,
        steps=training.steps,
        done=done,
        first_steps=first_steps,
        probe=found,
        epoch_s=epoch_s,
        evaluation_s=evaluation_s if left else 0.0,
        seconds=first_s + found.step_s * left + evaluation_s if left else 0.0,
        writes=_writes(training),
        deletes=deletes,
        notes=[*notes, *filter(None, [long_epoch(epoch_s)])],
    )


def _images_to_evaluate(training: Training, done: int) -> int:
    """Return on how many images the rest of the training measures the accuracy."""
    total, begun = 0, done // len(training.stream)
    for entry in training.job.measured().values():
        with open_stream(str(entry.path), views=entry.views, batch_size=1, rank=0, world_size=1) as stream:
            images = stream.num_samples * len(stream.views)
        ends = range(begun + 1, training.epochs + 1)
        total += images * sum(epoch == training.epochs or epoch % entry.every_epochs == 0 for epoch in ends)
    return total


def _writes(training: Training) -> dict[str, int | None]:
    network = _bytes(training.network.state_dict())
    average = 0 if training.average is None else _bytes(training.average.state_dict())
    state = _bytes(training.optimizer.state_dict()) + _bytes(training.objective.state_dict())
    growing = [METRICS, *([EVENTS] if training.job.output.tensorboard else [])]
    sizes: dict[str, int | None] = {MODEL: network, LAST_CHECKPOINT: network + state + average}
    if kept := len({*training.job.output.keep_steps}):
        sizes[KEPT] = kept * (network + average + _bytes(training.objective.state_dict()))
    return sizes | dict.fromkeys([JOB, RESULTS, *growing])


def _bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(_bytes(part) for part in parts)


def plan_json(found: TrainingPlan) -> dict[str, Any]:
    """Return a plan for a machine."""
    return asdict(found)


def spell_plan(found: TrainingPlan) -> str:
    """Spell a plan for a terminal."""
    views = f" x {count(found.views, 'view')}" if found.views > 1 else ""
    files = [name if num_bytes is None else f"{name} {size(num_bytes)}" for name, num_bytes in found.writes.items()]
    rows = [
        ("network", f"{found.network}, {found.parameters:,} parameters, on {found.device}"),
        ("data", f"{count(found.samples, 'sample')}{views}, batches of {found.batch_size:,}"),
        ("steps", f"{found.steps:,} in {count(found.epochs, 'epoch')} of {found.steps_per_epoch:,}{_done(found)}"),
        *([("first model", f"{found.first_steps:,} steps before")] if found.first_steps and not found.done else []),
        ("time", f"{duration(found.seconds)}, start-up aside: {duration(found.epoch_s)} an epoch"),
        *([("", f"{duration(found.evaluation_s)} of it measures accuracy")] if found.evaluation_s else []),
        ("memory", size(found.probe.memory_bytes)),
        ("measured on", f"{count(found.probe.steps, 'step')} of {duration(found.probe.step_s)}"),
        ("writes", ", ".join(files)),
        *([("deletes", found.deletes)] if found.deletes else []),
        *(("note", note) for note in found.notes),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{found.name} -> {found.output} (nothing is written)", *(f"{n:<{width}}  {v}" for n, v in rows)])


def _done(found: TrainingPlan) -> str:
    if found.state == "finished":
        return ", all of them done"
    return f", {found.done:,} of them done" if found.done else ""

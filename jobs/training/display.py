"""What is shown of a training."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from passband.jobs.common.milestones import Milestone, Milestones
from passband.jobs.common.screen import OnScreen, Screen, seconds_left, sentence
from passband.jobs.common.wording import duration
from passband.jobs.training.loop import Watch
from passband.jobs.training.setup import Training
from passband.pipeline.networks.network import NetworkSpec

MILESTONES: dict[str, Callable[[], Milestone]] = {}
"""Event -> what tells it once it came about, of the training after each step that is logged; for those that add one."""


class Display(Protocol):
    """What a person or a machine sees of a training; a display that inherits from it defines only what it shows."""

    def note(self, message: str) -> None:
        """Tell what a person should know."""
        return

    def started(self, training: Training) -> None:
        """Tell what is trained, and from which step."""
        return

    def step(self, training: Training, epoch: int, metrics: Mapping[str, float], watch: Watch) -> None:
        """Tell the metrics of a step that is logged."""
        return

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Tell what was measured after an epoch."""
        return


class SilentDisplay(OnScreen, Display):
    """Shows nothing; the default of the Python call, and of every process but the first."""


class TrainingDisplay(SilentDisplay):
    """Shows a training on `screen`."""

    def __init__(self, screen: Screen | None = None) -> None:
        super().__init__(screen)
        self._milestones = Milestones(MILESTONES)

    def started(self, training: Training) -> None:
        """Show what is trained."""
        self.screen.event("started", name=training.job.name, step=training.step, steps=training.steps)
        self.screen.say(title(training))

    def step(self, training: Training, epoch: int, metrics: Mapping[str, float], watch: Watch) -> None:
        """Show how far it is."""
        state = snapshot(training, watch)
        self.screen.event("step", epoch=epoch, **state, metrics=dict(metrics))
        line = progress(f"epoch {epoch + 1}/{training.epochs}", metrics["loss"], state)
        self.screen.show(line, now=training.step == training.steps)
        self._milestones.tell(self.screen, training)

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Show the accuracies, and leave them there."""
        self.screen.event("evaluated", epoch=epoch, accuracy=dict(accuracy))
        found = (f"{name.removeprefix('accuracy/')} {value:.2%}" for name, value in accuracy.items())
        self.screen.say(f"epoch {epoch + 1}: {sentence(*found)}")


def snapshot(training: Training, watch: Watch) -> dict[str, Any]:
    """Return how far a training is, in numbers."""
    per_s = watch.samples / watch.spent if watch.spent else 0.0
    return {
        "step": training.step,
        "steps": training.steps,
        "samples_per_s": round(per_s, 1),
        "waiting_share": round(watch.waited / watch.seconds, 4) if watch.seconds else 0.0,
        "eta_s": seconds_left((training.steps - training.step) * training.job.batch_size, per_s),
    }


def title(training: Training) -> str:
    """Spell what is trained: network, objective, data, and where it goes on from."""
    job, stream = training.job, training.stream
    resumed = f", from step {training.step}" if training.step else ""
    views = f" x {len(stream.views)} views" if len(stream.views) > 1 else ""
    views += " as samples" if job.data.views_as_samples else ""
    network = network_words(training.network.spec)
    return (
        f"{job.name}: {network}, {job.objective_class.name}, {stream.num_samples:,} samples{views}, "
        + (f"{job.epochs} epochs" if job.steps is None else f"{job.steps:,} steps")
        + resumed
    )


def network_words(spec: NetworkSpec) -> str:
    """Spell a network with what it has by choice, or by the size of its images: resnet18 (imagenet stem)."""
    told = [
        "" if spec.stem is None else f"{spec.stem} stem",
        "" if spec.batch_norm is None else f"{'with' if spec.batch_norm else 'without'} batch norm",
        "" if spec.dropout is None else f"dropout {spec.dropout:g}",
    ]
    parts = ", ".join(filter(None, told))
    return f"{spec.kind} ({parts})" if parts else spec.kind


def progress(epoch: str, loss: float, state: dict[str, Any]) -> str:
    """Spell a snapshot on one line, what matters most first."""
    return sentence(
        epoch,
        f"loss {loss:.4f}",
        f"ETA {duration(state['eta_s'])}",
        f"{state['samples_per_s']:,.0f} samples/s",
        f"waiting {state['waiting_share']:.1%}",
        f"step {state['step']:,}/{state['steps']:,}",
    )

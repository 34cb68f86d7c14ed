"""How a training looks: one line that redraws on a terminal, plain lines in a log, JSON lines for a machine."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from passband.jobs.common import events
from passband.jobs.common.live import Picture
from passband.jobs.common.wording import duration

if TYPE_CHECKING:
    from passband.jobs.training.loop import Watch
    from passband.jobs.training.setup import Training

_EVERY_S = 5.0


class Display(Protocol):
    """What a person or a machine sees of a training."""

    def note(self, message: str) -> None:
        """Tell what a person should know."""

    def started(self, training: "Training") -> None:
        """Tell what is trained, and from which step."""

    def step(self, training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> None:
        """Tell the metrics of a step that is logged."""

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Tell what was measured after an epoch."""


class SilentDisplay:
    """Shows nothing; the default of the Python call, and of every process but the first."""

    def note(self, message: str) -> None:
        """Show nothing."""

    def started(self, training: "Training") -> None:
        """Show nothing."""

    def step(self, training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> None:
        """Show nothing."""

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class JsonDisplay(SilentDisplay):
    """One JSON object a line on standard output; ``event`` names its kind."""

    def note(self, message: str) -> None:
        """Say it."""
        self._say("note", message=message)

    def started(self, training: "Training") -> None:
        """Say what is trained."""
        self._say("started", name=training.job.name, step=training.step, steps=training.steps)

    def step(self, training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> None:
        """Say the metrics of a step."""
        self._say("step", epoch=epoch, **state(training, watch), metrics=dict(metrics))

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Say the accuracies."""
        self._say("evaluated", epoch=epoch, accuracy=dict(accuracy))

    def _say(self, event: str, **values: Any) -> None:
        events.say(event, **values)


class PlainDisplay(SilentDisplay):
    """Plain lines on standard error, one every few seconds and one for every evaluation."""

    def __init__(self) -> None:
        self._last = 0.0

    def note(self, message: str) -> None:
        """Say it."""
        self._say(message)

    def started(self, training: "Training") -> None:
        """Say what is trained."""
        self._say(title(training))

    def step(self, training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> None:
        """Say now and then how far it is."""
        if time.monotonic() - self._last >= _EVERY_S or training.step == training.steps:
            self._last = time.monotonic()
            self._say(sentence(training, epoch, metrics, watch))

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Say the accuracies."""
        self._say(accuracies(epoch, accuracy))

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class LiveDisplay(SilentDisplay):
    """One line that redraws in place; accuracies scroll by above it."""

    def __init__(self) -> None:
        self._picture = Picture()

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture.__exit__(kind, error, trace)

    def note(self, message: str) -> None:
        """Print it above the line that redraws."""
        self._picture.say(message)

    def started(self, training: "Training") -> None:
        """Show what is trained."""
        self._picture.say(title(training))

    def step(self, training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> None:
        """Show how far it is."""
        self._picture.show(sentence(training, epoch, metrics, watch))

    def evaluated(self, epoch: int, accuracy: Mapping[str, float]) -> None:
        """Show the accuracies."""
        self._picture.say(accuracies(epoch, accuracy))


def state(training: "Training", watch: "Watch") -> dict[str, Any]:
    """Return how far a training is, as all displays show it."""
    per_s = watch.samples / watch.spent if watch.spent else 0.0
    left = (training.steps - training.step) * training.job.batch_size
    return {
        "step": training.step,
        "steps": training.steps,
        "samples_per_s": round(per_s, 1),
        "waiting_share": round(watch.waited / watch.seconds, 4) if watch.seconds else 0.0,
        "eta_s": round(left / per_s, 1) if per_s else None,
    }


def title(training: "Training") -> str:
    """Spell what is trained: network, objective, data, and where it goes on from."""
    job, stream = training.job, training.stream
    resumed = f", from step {training.step}" if training.step else ""
    views = f" x {len(stream.views)} views" if len(stream.views) > 1 else ""
    views += " as samples" if job.data.views_as_samples else ""
    return (
        f"{job.name}: {job.network.kind}, {job.objective_class.name}, {stream.num_samples:,} samples{views}, "
        + (f"{job.epochs} epochs" if job.steps is None else f"{job.steps:,} steps")
        + resumed
    )


def sentence(training: "Training", epoch: int, metrics: Mapping[str, float], watch: "Watch") -> str:
    """Spell how far a training is on one line, what matters most first."""
    now = state(training, watch)
    return " · ".join(
        [
            f"epoch {epoch + 1}/{training.epochs}",
            f"loss {metrics['loss']:.4f}",
            f"ETA {duration(now['eta_s'])}",
            f"{now['samples_per_s']:,.0f} samples/s",
            f"waiting {now['waiting_share']:.1%}",
            f"step {now['step']:,}/{now['steps']:,}",
        ]
    )


def accuracies(epoch: int, accuracy: Mapping[str, float]) -> str:
    """Spell the accuracies after an epoch."""
    found = " · ".join(f"{name.removeprefix('accuracy/')} {value:.2%}" for name, value in accuracy.items())
    return f"epoch {epoch + 1}: {found}"


def choose_training_display(as_json: bool, first: bool) -> SilentDisplay:
    """Return the display for this standard output and error, and this process."""
    if not first:
        return SilentDisplay()
    if as_json:
        return JsonDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()

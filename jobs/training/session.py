"""One call of a training: its steps, and all that is written about them."""

import json
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch

from passband.jobs.training.checkpoint import ADVICE, keep_step, load_checkpoint, non_finite, save_checkpoint
from passband.jobs.training.collective import mean_over_ranks, rank, said_by_any, world_size
from passband.jobs.training.display import Display
from passband.jobs.training.log import MetricLog
from passband.jobs.training.loop import TrainingError, Watch, end_epoch, final_network, plain_numbers, run_epoch
from passband.jobs.training.measuring import in_results, measure
from passband.jobs.training.output import (
    write_model,
    write_results,
)
from passband.jobs.training.plan import long_epoch
from passband.jobs.training.setup import Training
from passband.pipeline.errors import IntegrityError
from passband.pipeline.hashed import delete_hashed
from passband.pipeline.layout import LAST_CHECKPOINT, NON_FINITE
from passband.pipeline.networks.network import Network, network_bytes
from passband.pipeline.store import LocalStore

_TIMED_S = 10.0
"""Of steps, before their time tells how long an epoch takes."""


class Run:
    """One call of `train`: its steps, and all that is written about them."""

    def __init__(self, training: Training, store: LocalStore, display: Display, stopped: Callable[[], bool]) -> None:
        self.training = training
        self.job = training.job
        self._store = store
        self._display = display
        self._stopped = stopped
        self._watch = Watch()
        self._measured: dict[str, float] = {}
        self._loss = float("nan")
        self._identity = self.job.identity(training.stream.manifest.identity)
        self._saved_step: int | None = None
        self._timed_from: tuple[int, float] | None = None
        self._warned = False
        self._begin()
        self._saved = time.monotonic()
        first = rank() == 0
        self._log = MetricLog(Path(store.root), training.step, self.job.output.tensorboard) if first else None

    def _begin(self) -> None:
        """Load the last checkpoint, or do what comes before the first step."""
        training, found = self.training, load_checkpoint(self._store, self._identity)
        if found is None:
            training.objective.prepare(training.network, training.stream)
            return
        state, hashed = found
        if not hashed:
            place = f"{self._store.uri}/{LAST_CHECKPOINT}"
            earlier = "is of an earlier version and has no sha256 beside it, so only its structure was checked"
            self._display.note(f"{place}: {earlier}")
        try:
            self._restore(state)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            told = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            raise IntegrityError(
                f"{self._store.uri}/{LAST_CHECKPOINT}: is no checkpoint of this training; {ADVICE}: {told}"
            ) from error
        self._saved_step = training.step

    def _restore(self, state: Mapping[str, Any]) -> None:
        training = self.training
        training.network.load_state_dict(state["network"])
        training.optimizer.load_state_dict(state["optimizer"])
        training.objective.load_state_dict(state["objective"])
        training.stream.load_state_dict(state["stream"])
        if training.average is not None:
            training.average.load_state_dict(state["average"])
        training.step, self._measured, self._loss = state["step"], state["accuracy"], state["loss"]
        self._watch = Watch(state["seconds"], state["waited"])

    def finish(self) -> dict[str, Any]:
        """Run the epochs that are left and write the trained network."""
        training = self.training
        self._display.started(training)
        try:
            if not training.step:
                self._keep_when_asked()
            while training.step < training.steps:
                epoch = training.step // len(training.stream)
                run_epoch(training, epoch, self._watch, partial(self._after_step, epoch))
                self._end_epoch(epoch)
        except TrainingError as error:
            if self._log is not None:
                self._store.put(NON_FINITE, json.dumps({"step": training.step, "keys": error.keys}, indent=1).encode())
            kept = (
                "there is no checkpoint"
                if self._saved_step is None
                else f"the checkpoint of step {self._saved_step} is kept"
            )
            raise TrainingError(f"{error}; {kept}", error.keys) from error
        finally:
            if self._log is not None:
                self._log.close()
        return self._write_results()

    def _after_step(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        training, step = self.training, self.training.step
        ends_epoch = step % len(training.stream) == 0 or step == training.steps
        if ends_epoch or step % self.job.output.log_every_steps == 0:
            numbers = plain_numbers(metrics)
            self._loss = numbers["loss"]
            if self._log is not None:
                self._log.write(step, epoch, numbers | {"lr": training.optimizer.param_groups[0]["lr"]})
            self._display.step(training, epoch, numbers, self._watch)
        self._warn_of_long_epochs()
        if not ends_epoch:  # else all that ends an epoch is done first
            self._keep_when_asked()
            self._save_when_due()

    def _warn_of_long_epochs(self) -> None:
        """Say once, by the first steps after one that warms up, that epochs take over an hour."""
        if self._timed_from is None:
            self._timed_from = (self.training.step, time.monotonic())
            return
        step, begun = self._timed_from
        spent = time.monotonic() - begun
        if self._warned or spent < _TIMED_S:
            return
        self._warned = True
        per_step = spent / (self.training.step - step)
        if (note := long_epoch(per_step * len(self.training.stream))) is not None:
            self._display.note(note)

    def _save_when_due(self) -> None:
        late = rank() == 0 and time.monotonic() - self._saved >= self.job.output.checkpoint_every_s
        # A signal reaches the processes at different moments: one that went on would wait for the others in vain.
        stopped, due = said_by_any([self._stopped(), late], self.training.device)
        if stopped or due:
            self._save()
        if stopped:
            raise SystemExit(1)

    def _end_epoch(self, epoch: int) -> None:
        end_epoch(self.training, epoch)
        self._keep_when_asked()
        if self._log is not None:
            self._evaluate(epoch, self._log)
        self._save()  # the stream stands at the start of the next epoch, or where the training ends
        if said_by_any([self._stopped()], self.training.device)[0]:
            raise SystemExit(1)

    def _evaluate(self, epoch: int, log: MetricLog) -> None:
        def due(every: int) -> bool:
            return epoch + 1 == self.training.epochs or (epoch + 1) % every == 0

        found = measure(self.training.network, self.job, self.training.device, due)
        if found:
            self._measured = found
            log.write(self.training.step, epoch, found)
            self._display.evaluated(epoch, in_results(found)["accuracy"])

    def _keep_when_asked(self) -> None:
        """Keep what the steps so far have led to; there is no mean before the first epoch that counts."""
        training, average = self.training, self.training.average
        if training.step not in self.job.output.keep_steps:
            return
        network = deepcopy(training.network)
        mean_over_ranks(network.buffers())
        mean = average.module if average is not None and average.n_averaged else None
        if self._log is not None:
            keep_step(self._store, training.step, network, mean, training.objective.state_dict())

    def _save(self) -> None:
        training = self.training
        self._saved = time.monotonic()
        buffers = {name: buffer.clone() for name, buffer in training.network.named_buffers()}
        mean_over_ranks(buffers.values())  # running means are linear: to go on from their mean leads to the same end
        state = {
            "identity": self._identity,
            "step": training.step,
            "network": training.network.state_dict() | buffers,
            "optimizer": training.optimizer.state_dict(),
            "objective": training.objective.state_dict(),
            "stream": training.stream.state_dict(),
            "average": None if training.average is None else training.average.state_dict(),
            "accuracy": self._measured,
            "loss": self._loss,
            "seconds": self._watch.seconds,
            "waited": self._watch.waited,
        }
        self._refuse_non_finite(state)
        if self._log is not None:
            save_checkpoint(self._store, state)
        self._saved_step = training.step

    def _refuse_non_finite(self, state: dict[str, Any]) -> None:
        """Raise TrainingError, in every process alike, before anything that is not finite is written."""
        training = self.training
        if (found := non_finite(state)) is not None:
            epoch = (training.step - 1) // len(training.stream)
            raise TrainingError(f"epoch {epoch + 1}, step {training.step}: {found}; it is not written", [])

    def _write_results(self) -> dict[str, Any]:
        training, watch = self.training, self._watch
        network = final_network(training)
        if training.average is not None:
            device = training.device
            self._measured = measure(network, self.job, device) if rank() == 0 else {}
        assert isinstance(network, Network)
        self._refuse_non_finite({"network": network.state_dict()})
        results = {
            "kind": "train",
            "name": self.job.name,
            "identity": self._identity,
            "dataset": training.stream.manifest.identity,
            "network": training.network.spec.kind,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "objective": self.job.objective_class.name,
            "epochs": self.job.epochs or training.step / len(training.stream),
            "steps": training.step,
            "loss": self._loss,
            **in_results(self._measured),
            "seconds": round(watch.seconds, 3),
            "samples_per_s": round(watch.samples / watch.spent, 1),
            "waiting_share": round(watch.waited / watch.seconds, 5),
            "processes": world_size(),
            "device": str(training.device),
            "torch": torch.__version__,
        }
        if rank() == 0:
            results["model_sha256"] = write_model(self._store, network_bytes(network))
            write_results(self._store, results)
            delete_hashed(self._store, LAST_CHECKPOINT)
        return results

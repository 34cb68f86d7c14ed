"""Run a training job from its file to a trained network; the same call resumes it."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from jobs.files import JobError, read_yaml
from jobs.training.checkpoint import LAST, load_checkpoint, save_checkpoint
from jobs.training.collective import mean_over_ranks, rank, said_by_any, world_size
from jobs.training.display import Display, SilentDisplay
from jobs.training.evaluation.predict import accuracy
from jobs.training.log import MetricLog
from jobs.training.loop import TrainingError, Watch, end_epoch, final_network, plain_numbers, run_epoch
from jobs.training.processes import choose_device, processes
from jobs.training.setup import Training, check_evaluations, open_training_stream, set_up
from jobs.training.spec import EvaluationDuringTraining, TrainJob
from pipeline.errors import PassbandError
from pipeline.loading import Stream
from pipeline.lock import LOCK, locked
from pipeline.manifest import JOB
from pipeline.networks.checkpoint import MODEL
from pipeline.networks.network import Network, load_network, network_bytes
from pipeline.store import LocalStore

RESULTS = "results.json"
NON_FINITE = "nonfinite.json"


def train(
    job: TrainJob, *, display: Display | None = None, stopped: Callable[[], bool] = lambda: False
) -> dict[str, Any]:
    """Train, or go on training, the network of `job`, and return what ``results.json`` says.

    Under torchrun every process calls it; the first one writes.

    Parameters
    ----------
    stopped : callable
        Asked after every step; when it says yes, a checkpoint is written and SystemExit raised.

    Raises
    ------
    PassbandError
        Everything a user can mend.
    """
    job, display = job.with_absolute_paths(), display or SilentDisplay()
    if "://" in job.output.uri:
        raise JobError(f"output.uri: {job.output.uri!r} is not local; a training writes to a folder")
    device, store = choose_device(job.compute.device), LocalStore(job.output.uri)
    if job.compute.threads is not None:
        torch.set_num_threads(job.compute.threads)
    with processes(device), locked(store) if rank() == 0 else nullcontext():
        with open_training_stream(job, device) as stream:
            if rank() == 0:
                _claim(store, job, job.identity(stream.manifest.identity))
                store.sweep()  # what a killed call of this left half written
            if (done := _finished(store)) is not None:
                if rank() == 0:
                    store.delete(LAST)  # a call that was killed between its last two writes
                    done = _evaluated_anew(store, job, done, stream, device)
                return done
            check_evaluations(job, stream)
            return _Run(set_up(job, stream, device), store, display, stopped).finish()


def _claim(store: LocalStore, job: TrainJob, identity: str) -> None:
    """Make the folder this job's, or see that it is; a longer training of the same job is another job."""
    if store.exists(JOB):
        found = read_yaml(store.path(JOB))
        if not isinstance(found, dict) or found.get("identity") != identity:
            raise PassbandError(f"{store.uri}: holds another training; choose another output.uri, or delete it")
        return
    strange = [name for name in store.names("") if name != LOCK]
    if strange:
        raise PassbandError(f"{store.uri}: holds {strange[0]} but no {JOB}; choose an empty folder for the output")
    envelope = {"identity": identity, "job": job.model_dump()}
    store.put(JOB, yaml.safe_dump(envelope, sort_keys=False, allow_unicode=True).encode())


def _finished(store: LocalStore) -> dict[str, Any] | None:
    if not (store.exists(RESULTS) and store.exists(MODEL)):
        return None
    found: dict[str, Any] = json.loads(store.read(RESULTS))
    return found


def _evaluated_anew(
    store: LocalStore, job: TrainJob, done: dict[str, Any], stream: Stream, device: torch.device
) -> dict[str, Any]:
    """Return the results of a finished training with the accuracies that `job` asks for, which may be others by now."""
    asked = job.model_dump()["evaluate"]
    envelope = read_yaml(store.path(JOB))
    if envelope["job"]["evaluate"] == asked:
        return done
    check_evaluations(job, stream)
    network = load_network(store.path(MODEL)).to(device)
    results = done | {"accuracy": _accuracies(network, job.evaluate, job, device)}
    _write_results(store, results)
    envelope["job"]["evaluate"] = asked
    store.put(JOB, yaml.safe_dump(envelope, sort_keys=False, allow_unicode=True).encode())
    return results


def _write_results(store: LocalStore, results: dict[str, Any]) -> None:
    store.put(RESULTS, (json.dumps(results, indent=1) + "\n").encode())


def _accuracies(
    network: nn.Module, entries: Mapping[str, EvaluationDuringTraining], job: TrainJob, device: torch.device
) -> dict[str, float]:
    """Return the accuracy on every view of `entries`."""
    found = {}
    for name, entry in entries.items():
        assert entry.path is not None, "datasets are made before a training begins"
        for view in entry.views:
            found[f"accuracy/{name}" + (f"/{view}" if len(entry.views) > 1 else "")] = accuracy(
                network, entry.path, view, job.batch_size, device, job.compute.workers
            )
    return found


class _Run:
    """One call of `train`: its steps, and all that is written about them."""

    def __init__(self, training: Training, store: LocalStore, display: Display, stopped: Callable[[], bool]) -> None:
        self.training = training
        self.job = training.job
        self._store = store
        self._display = display
        self._stopped = stopped
        self._watch = Watch()
        self._accuracy: dict[str, float] = {}
        self._loss = float("nan")
        self._begin()
        self._saved = time.monotonic()
        first = rank() == 0
        self._log = MetricLog(Path(store.root), training.step, self.job.output.tensorboard) if first else None

    def _begin(self) -> None:
        """Load the last checkpoint, or do what comes before the first step."""
        training, state = self.training, load_checkpoint(self._store, self.training.device)
        if state is None:
            training.objective.prepare(training.network, training.stream)
            return
        training.network.load_state_dict(state["network"])
        training.optimizer.load_state_dict(state["optimizer"])
        training.objective.load_state_dict(state["objective"])
        training.stream.load_state_dict(state["stream"])
        if training.average is not None:
            training.average.load_state_dict(state["average"])
        training.step, self._accuracy, self._loss = state["step"], state["accuracy"], state["loss"]
        self._watch = Watch(state["seconds"], state["waited"])

    def finish(self) -> dict[str, Any]:
        """Run the epochs that are left and write the trained network."""
        training = self.training
        self._display.started(training)
        try:
            while training.step < training.steps:
                epoch = training.step // len(training.stream)
                run_epoch(training, epoch, self._watch, partial(self._after_step, epoch))
                self._end_epoch(epoch)
        except TrainingError as error:
            if self._log is not None:
                self._store.put(NON_FINITE, json.dumps({"step": training.step, "keys": error.keys}, indent=1).encode())
            raise
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
        if not ends_epoch:  # else all that ends an epoch is done first
            self._save_when_due()

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
        if self._log is not None:
            self._evaluate(epoch, self._log)
        self._save()  # the stream stands at the start of the next epoch, or where the training ends
        if said_by_any([self._stopped()], self.training.device)[0]:
            raise SystemExit(1)

    def _evaluate(self, epoch: int, log: MetricLog) -> None:
        due = {
            name: entry
            for name, entry in self.job.evaluate.items()
            if epoch + 1 == self.training.epochs or (epoch + 1) % entry.every_epochs == 0
        }
        found = _accuracies(self.training.network, due, self.job, self.training.device)
        if found:
            self._accuracy = found
            log.write(self.training.step, epoch, found)
            self._display.evaluated(epoch, found)

    def _save(self) -> None:
        training = self.training
        self._saved = time.monotonic()
        buffers = {name: buffer.clone() for name, buffer in training.network.named_buffers()}
        mean_over_ranks(buffers.values())  # running means are linear: to go on from their mean leads to the same end
        if self._log is None:
            return
        save_checkpoint(
            self._store,
            {
                "step": training.step,
                "network": training.network.state_dict() | buffers,
                "optimizer": training.optimizer.state_dict(),
                "objective": training.objective.state_dict(),
                "stream": training.stream.state_dict(),
                "average": None if training.average is None else training.average.state_dict(),
                "accuracy": self._accuracy,
                "loss": self._loss,
                "seconds": self._watch.seconds,
                "waited": self._watch.waited,
            },
        )

    def _write_results(self) -> dict[str, Any]:
        training, watch = self.training, self._watch
        network = final_network(training)
        if training.average is not None:
            device = training.device
            self._accuracy = _accuracies(network, self.job.evaluate, self.job, device) if rank() == 0 else {}
        assert isinstance(network, Network)
        results = {
            "kind": "train",
            "name": self.job.name,
            "identity": self.job.identity(training.stream.manifest.identity),
            "dataset": training.stream.manifest.identity,
            "network": training.network.spec.kind,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "objective": self.job.objective_class.name,
            "epochs": self.job.epochs or training.step / len(training.stream),
            "steps": training.step,
            "loss": self._loss,
            "accuracy": self._accuracy,
            "seconds": round(watch.seconds, 3),
            "samples_per_s": round(watch.samples / watch.spent, 1),
            "waiting_share": round(watch.waited / watch.seconds, 5),
            "processes": world_size(),
            "device": str(training.device),
            "torch": torch.__version__,
        }
        if rank() == 0:
            self._store.put(MODEL, network_bytes(network))
            _write_results(self._store, results)
            self._store.delete(LAST)
        return results

"""What a training writes down as it goes: JSON lines, and TensorBoard's event files."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from passband.pipeline.documents import parse_json
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import EVENTS, METRICS
from passband.pipeline.store import told_as_output


class MetricLog:
    """Appends one JSON object a line to ``metrics.jsonl``; a resumed training takes back what it will say again.

    Parameters
    ----------
    step : int
        Lines of later steps were written after the checkpoint that the training goes on from, and are dropped.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path, self._folder = folder / METRICS, folder
        kept = [json.dumps(metrics) for metrics in read_metrics(folder) if metrics["step"] <= step]
        temporary = folder / f".passband-{METRICS}"
        temporary.write_text("".join(f"{line}\n" for line in kept))
        os.replace(temporary, path)
        self._file = path.open("a")
        self._events = _event_writer(folder / EVENTS, step) if tensorboard else None

    def write(self, step: int, epoch: int, values: Mapping[str, Any]) -> None:
        """Write the metrics of a step, and its numbers to TensorBoard; raise OutputError if the disk is full."""
        with told_as_output(str(self._folder)):
            self._file.write(json.dumps({"step": step, "epoch": epoch, **values}) + "\n")
            self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                if isinstance(value, float | int):
                    self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Close both; what a full disk did not take was told when it was written."""
        with suppress(OSError):
            self._file.close()
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a training's ``metrics.jsonl``; raise IntegrityError for one that is damaged."""
    path = folder / METRICS
    return [_metrics(path, number, line) for number, line in enumerate(_whole_lines(path), start=1)]


def _metrics(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = parse_json(line, finite=False)
        int(metrics["step"])
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"{path}: line {number} is damaged; remove it") from error
    return metrics


def _whole_lines(path: Path) -> list[str]:
    """Return the lines that were written whole; a killed process may leave half of the last one."""
    if not path.exists():
        return []
    *whole, _ = path.read_text(errors="replace").split("\n")
    return whole


def _event_writer(folder: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)

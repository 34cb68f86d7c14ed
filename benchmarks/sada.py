"""SADA views a second against the plain way: every sample through all T steps, autograd through torch.fft.

Run ``python -m benchmarks.sada``; it trains a network on mnist5k first, or takes ``--checkpoint``, and computes its
enhanced map on a subset; ``--json`` for machines. Contenders take turns on the same images; a figure is the median over
rounds with its quartiles. The stage also judges the clean and the stored image of every sample, for what is recorded;
``core`` is the attack without that, which is all that the plain way does. ``model`` is the share of the time of the
stage's threads that is spent in the surrogate's forward and backward passes.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.jobs.analysis.images import list_images
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.jobs.training.run import train
from passband.jobs.training.spec import parse_train_job
from passband.kernels import cpu
from passband.pipeline.augment import Draws
from passband.pipeline.augment.sada.options import SadaOptions
from passband.pipeline.augment.sada.stage import Sada
from passband.pipeline.networks.network import load_network, read_network
from passband.pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
TARGET = {"speedup": 3.0, "model": 0.85, "flips agree": 0.999, "images agree": 0.98}
SOURCE = {"kind": "mnist5k"}
BFLOAT16_IMAGES = 64
"""Timed once: a processor without bfloat16 takes twenty times as long as in float32."""
EPOCHS = {"convnet": 4}
"""Until the error on clean digits is 2 to 3 %; other networks take 12."""


@dataclass(frozen=True)
class Bench:
    """The images, the surrogate's checkpoint and its map, and what is drawn."""

    images: Images
    labels: NDArray[np.int64]
    classes: list[str]
    content: bytes
    kind: str
    sensitivity: bytes
    draws: Draws

    def first(self, count: int) -> "Bench":
        """Return the same with the first images alone."""
        rows = np.arange(min(count, len(self.images)))
        return replace(self, images=self.images[rows], labels=self.labels[rows], draws=self.draws.select(rows))

    def stage(self, **surrogate: Any) -> Sada:
        """Return the stage at paper settings."""
        options = SadaOptions.model_validate(
            {"surrogate": {"network": self.kind, "checkpoint": "model.pt", **surrogate}, "map": "maps.npz"}
        )
        inputs = {"surrogate": self.content, "map": self.sensitivity}
        shape = self.images.shape[1], self.images.shape[2], self.images.shape[3]
        return Sada(options, shape=shape, kernels=cpu, inputs=inputs, classes=self.classes)


def prepare(
    folder: Path,
    checkpoint: Path | None,
    kind: str,
    size: int,
    count: int,
    subset: int,
    epochs: int | None = None,
) -> Bench:
    """Train a network unless there is one, map its sensitivity, and read `count` images."""
    image = {"size": size}
    found = checkpoint or trained(folder, kind, image, epochs or EPOCHS.get(kind, 12))
    network = load_network(found)
    model = found / "model.pt" if found.is_dir() else found
    job = AnalyzeJob.model_validate(
        {
            "kind": "analyze",
            "name": "bench",
            "source": {**SOURCE, "split": "train"},
            "image": image,
            "surrogate": {"network": network.spec.kind, "checkpoint": str(model)},
            "maps": ["enhanced"],
            "subset": subset,
            "output": {"uri": str(folder / "map")},
        }
    )
    analyze(job, "sensitivity")
    listed = list_images(job)
    positions, pixels = next(listed.batches(np.arange(min(count, len(listed.labels))), count))
    return Bench(
        images=cpu.to_float(pixels),
        labels=listed.labels[positions],
        classes=network.spec.classes,
        content=model.read_bytes(),
        kind=network.spec.kind,
        sensitivity=(folder / "map" / "maps.npz").read_bytes(),
        draws=Draws(7, listed.indices[positions], 1, 1 << 24),
    )


def trained(folder: Path, kind: str, image: dict[str, Any], epochs: int) -> Path:
    dataset = {
        "kind": "generate",
        "name": "clean",
        "source": {**SOURCE, "split": "train"},
        "image": image,
        "views": ["clean"],
        "output": {"uri": str(folder / "clean"), "encoding": "npy"},
    }
    generate(parse_job(dataset))
    job = {
        "kind": "train",
        "name": "surrogate",
        "data": {"path": str(folder / "clean")},
        "network": {"kind": kind},
        "objective": {"kind": "erm"},
        "epochs": epochs,
        "batch_size": 64,
        "optimizer": {"kind": "adam", "lr": 0.0005 if kind == "convnet" else 0.002, "weight_decay": 0.0},
        "output": {"uri": str(folder / "surrogate"), "tensorboard": False},
    }
    train(parse_train_job(job))
    return folder / "surrogate"


def plain(stage: Sada, network: torch.nn.Module, bench: Bench, batch: int = 64) -> Images:
    """Attack the way a reader of the paper writes it: the full spectrum, autograd, T updates for all, no early stop.

    What is stopped is only what is kept: a sample's result is its first image that fools the surrogate, else the last.
    """
    return np.concatenate(
        [
            _plain_batch(stage, network, bench, slice(start, start + batch))
            for start in range(0, len(bench.images), batch)
        ]
    )


def _plain_batch(stage: Sada, network: torch.nn.Module, bench: Bench, rows: slice) -> Images:
    options, labels = stage.options, torch.from_numpy(bench.labels[rows])
    spectrum = torch.fft.fft2(torch.from_numpy(bench.images[rows]))
    phase, weight = spectrum.angle(), _full(stage)
    amplitude = spectrum.abs() * (1 + _noise(stage, bench, rows))
    result, fooled = torch.zeros(bench.images[rows].shape), torch.zeros(len(labels), dtype=torch.bool)
    for step in range(options.steps + 1):
        amplitude = amplitude.detach().requires_grad_()
        images = torch.fft.ifft2(torch.polar(amplitude, phase)).real.clamp(0, 1)
        logits = network(images)
        result = torch.where(fooled[:, None, None, None], result, images.detach())
        fooled = fooled | (logits.argmax(1) != labels)
        if step < options.steps:
            loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, amplitude)
            amplitude = (amplitude * (1 + options.step_size * gradient.sign() * weight)).clamp(min=0)
    return result.numpy()


def _full(stage: Sada) -> torch.Tensor:
    """Return the stage's weight on the full grid."""
    half, (height, width) = stage.weight, stage.shape[1:]
    rows, columns = -np.arange(height) % height, np.arange(width)
    mirrored = half[rows][:, np.minimum(columns, width - columns)]
    return torch.from_numpy(np.where(columns <= width // 2, half[:, np.minimum(columns, width - columns)], mirrored))


def _noise(stage: Sada, bench: Bench, rows: slice) -> torch.Tensor:
    """Return the stage's own draws on the full grid, before they are made symmetric."""
    images = bench.images[rows]
    draws = stage.noise_draws(bench.draws.select(np.arange(len(bench.images))[rows]))
    words = cpu.words(draws.key, draws.indices, draws.view, draws.stage, int(np.prod(images.shape[1:])))
    uniform = stage.options.init * (2 * ((words.astype(np.float64) + 0.5) / 2**32) - 1)
    return torch.from_numpy(uniform.reshape(images.shape).astype(np.float32))


class Clock:
    """Adds up the seconds that threads spend in the surrogate."""

    def __init__(self, surrogate: Surrogate) -> None:
        self.seconds = 0.0
        for name in ("attack", "judge", "predict"):
            setattr(surrogate, name, self._timed(getattr(surrogate, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def model_share(stage: Sada, bench: Bench) -> float:
    """Return the share of the stage's time, on one thread, that is the surrogate's."""
    threads = cpu.get_num_threads()
    cpu.set_num_threads(1)
    clock = Clock(stage.surrogate)
    try:
        begun = time.perf_counter()
        stage.apply(bench.images, bench.labels, bench.draws)
        return clock.seconds / (time.perf_counter() - begun)
    finally:
        cpu.set_num_threads(threads)


def core(stage: Sada, bench: Bench) -> Images:
    """Return the attack's images without what is recorded of them."""
    attacked, _ = stage.attack(bench.images, bench.labels, bench.labels, bench.draws)
    return attacked


def predictions(network: torch.nn.Module, images: Images) -> NDArray[np.int64]:
    """Return predictions on images as they are stored."""
    with torch.inference_mode():
        return network(torch.from_numpy(cpu.to_float(cpu.to_uint8(images)))).argmax(1).numpy()


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """Time the contenders in turn, and compare what they made."""
    stage, turned = bench.stage(), bench.stage(channels_last=True)
    fast = bench.stage(precision="bfloat16", channels_last=True)
    network = load_network_of(bench)
    made: dict[str, Images] = {}
    contenders: dict[str, Callable[[], object]] = {
        "plain": lambda: made.__setitem__("plain", plain(stage, network, bench)),
        "core": lambda: made.__setitem__("core", core(stage, bench)),
        "stage": lambda: stage.apply(bench.images, bench.labels, bench.draws),
        "core, channels_last": lambda: made.__setitem__("turned", core(turned, bench)),
    }
    seconds = time_in_turn(contenders, rounds, warmup=1)
    count = len(bench.images)
    rows: list[dict[str, Any]] = []
    for name, times in seconds.items():
        quick, median, slow = quartiles(times)
        rows.append({"what": name, "images_per_s": count / median, "quartiles": [count / slow, count / quick]})
    few = bench.first(BFLOAT16_IMAGES)
    begun = time.perf_counter()
    made["fast"] = core(fast, few)
    per_s = len(few.images) / (time.perf_counter() - begun)
    rows.append({"what": "core, bfloat16 and channels_last", "images_per_s": per_s, "quartiles": [per_s, per_s]})
    flips = {name: predictions(network, images) != bench.labels[: len(images)] for name, images in made.items()}
    nearest = np.abs(made["core"] - made["plain"]).max(axis=(1, 2, 3))
    rate = {row["what"]: row["images_per_s"] for row in rows}
    return {
        "rows": rows,
        "speedup": rate["core"] / rate["plain"],
        "speedup of channels_last": rate["core, channels_last"] / rate["plain"],
        "speedup of both and bfloat16": rate["core, bfloat16 and channels_last"] / rate["plain"],
        "model": model_share(bench.stage(), bench),
        "flips": float(flips["core"].mean()),
        "flips agree": float((flips["core"] == flips["plain"]).mean()),
        "flips of channels_last agree": float((flips["turned"] == flips["core"]).mean()),
        "flips of bfloat16 agree": float((flips["fast"] == flips["core"][: len(flips["fast"])]).mean()),
        "images agree": float((nearest <= 1e-4).mean()),
    }


def load_network_of(bench: Bench) -> torch.nn.Module:
    """Return the surrogate's network for the plain way, with torch's own threads."""
    return read_network(bench.content, "model.pt").requires_grad_(False)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the table or JSON to stdout; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--subset", type=int, default=50)
    parser.add_argument("--network", default="convnet")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="passband-") as folder:
        bench = prepare(Path(folder), options.checkpoint, options.network, options.size, options.images, options.subset)
        found = measure(bench, options.rounds)
    machine = {**describe_machine(), "threads": cpu.get_num_threads(), "torch": torch.__version__}
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "network": bench.kind, **found}, indent=1) + "\n")
    else:
        sys.stdout.write(format_table(machine, bench, found))
    return 0 if all(found[name] >= least for name, least in TARGET.items()) else 1


def format_table(machine: dict[str, Any], bench: Bench, found: dict[str, Any]) -> str:
    """Return the machine in one line, the rates as a table, and how the results compare."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(f"{bench.kind}, {len(bench.images)} images of {bench.images.shape[2]} px: images/s and quartiles")
    for row in found["rows"]:
        low, high = row["quartiles"]
        lines.append(f"{row['what']:<34} {row['images_per_s']:>9,.1f}   {low:,.1f} to {high:,.1f}")
    for name, value in found.items():
        if name != "rows":
            target = f"   target {TARGET[name]:g}" if name in TARGET else ""
            lines.append(f"{name:<34} {value:>9.3f}{target}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

"""DeepFool, SparseFool and margins of many images at once, against one image at a time, as the authors' code goes.

Run ``python -m benchmarks.attacks``; it trains a network on mnist5k first, or takes ``--checkpoint``; ``--json`` for
machines. An image of margins is one in one of the blocks of the DCT's diagonal. Contenders take turns in one process,
the plain ways on fewer images; a figure is the median over rounds with its quartiles. The plain ways are those that the
tests hold the others against, on one of torch's threads: with two they are as fast on a quiet machine, and slower by up
to twenty times on a busy one.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.sada import SOURCE, trained
from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.sparsefool import SparseFool
from passband.pipeline.attacks.subspaces import DctBlocks, Within
from passband.pipeline.networks.checkpoint import checkpoint_file
from passband.pipeline.networks.network import Network, load_network
from passband.pipeline.openmp import single_openmp_thread
from passband.pipeline.sources import SOURCES
from passband.pipeline.surrogate.loading import load_surrogate
from passband.pipeline.surrogate.options import SurrogateOptions
from tests.pipeline.attacks import plain

Images = NDArray[np.float32]
TARGET = 20.0
"""Times the images/s of one image at a time."""
TARGETED = ("sparsefool", "margins")
BLOCK, STEP = 8, 4
"""Of the subspaces in which margins are measured."""


def read_images(count: int, shape: tuple[int, ...]) -> Images:
    """Return the first test digits, as the network takes them."""
    source = SOURCES[SOURCE["kind"]](SOURCES[SOURCE["kind"]].Options.model_validate({"split": "test"}))
    entries = list(source.entries())[:count]
    pixels = np.stack([np.asarray(source.decode(encoded)) for encoded in source.read(entries)])
    images = torch.from_numpy(cpu.to_float(np.ascontiguousarray(pixels)))
    size = (shape[1], shape[2])
    return torch.nn.functional.interpolate(images, size, mode="bilinear", antialias=True).clamp(0, 1).numpy()


def measure(
    network: Network, checkpoint: Path, images: Images, few: int, rounds: int, batch: int, past: float
) -> dict[str, Any]:
    """Time the contenders in turn, and compare what they made."""
    spec = network.spec
    options = SurrogateOptions.model_validate(
        {"network": spec.kind, "checkpoint": "model.pt", "batch": batch, "channels_last": True}
    )
    surrogate = load_surrogate(checkpoint.read_bytes(), options, classes=spec.classes, shape=spec.shape)
    deepfool = DeepFool(surrogate, cpu)
    sparsefool = SparseFool(deepfool, past)
    low, high = np.zeros_like(images), np.ones_like(images)
    singles = [torch.from_numpy(image) for image in images[:few]]
    blocks = DctBlocks(spec.shape, BLOCK, STEP)
    within = _pairs(len(blocks), len(images))
    margins = DeepFool(surrogate, cpu, within=Within(blocks, within[0]))
    made: dict[str, Any] = {}
    contenders: dict[str, Callable[[], object]] = {
        "deepfool, plain": lambda: made.update(deep=_on_one_thread(plain.deepfool, network, singles)),
        "deepfool": lambda: made.update(deep_batched=deepfool.run(images)),
        "sparsefool, plain": lambda: made.update(sparse=_on_one_thread(partial(_plainly, past), network, singles)),
        "sparsefool": lambda: made.update(sparse_batched=sparsefool.run(images, low, high)),
        "margins, plain": lambda: made.update(
            within=[
                found
                for block in range(len(blocks))
                for found in _on_one_thread(partial(_within, blocks, block), network, singles)
            ]
        ),
        "margins": lambda: made.update(within_batched=margins.run(images[within[1]])),
    }
    seconds = time_in_turn(contenders, rounds, warmup=1)
    counts = {name: few if name.endswith("plain") else len(images) for name in contenders}
    counts |= {"margins, plain": len(blocks) * few, "margins": len(within[0])}
    rows: list[dict[str, Any]] = []
    for name, times in seconds.items():
        quick, median, slow = quartiles(times)
        count = counts[name]
        rows.append({"what": name, "images_per_s": count / median, "quartiles": [count / slow, count / quick]})
    rate = {row["what"]: row["images_per_s"] for row in rows}
    sparse = made["sparse_batched"]
    perturbed = (sparse.images != images).any(axis=1).mean(axis=(1, 2))
    return {
        "rows": rows,
        "speedup": {name: rate[name] / rate[f"{name}, plain"] for name in ("deepfool", "sparsefool", "margins")},
        "fooled": {"deepfool": float(made["deep_batched"].reached.mean()), "sparsefool": float(sparse.reached.mean())},
        "median share of perturbed pixels": float(np.median(perturbed)),
        "steps agree": _agree(made["deep"], made["deep_batched"].steps),
        "rounds agree": _agree(made["sparse"], sparse.rounds),
        "steps of margins agree": _agree(made["within"], made["within_batched"].steps[within[1] < few]),
    }


def _pairs(blocks: int, images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return block and image of each pair, block by block, as `analyze margins` has them."""
    which, rows = np.divmod(np.arange(blocks * images), images)
    return which, rows


def _agree(plainly: list[tuple[torch.Tensor, int]], batched: NDArray[np.int64]) -> float:
    return float(np.mean([count for _, count in plainly] == batched[: len(plainly)]))


def _on_one_thread(attack: Callable[..., Any], network: Network, images: list[torch.Tensor]) -> list[Any]:
    with single_openmp_thread():
        return [attack(network, image) for image in images]


def _within(blocks: DctBlocks, block: int, network: Network, image: torch.Tensor) -> tuple[torch.Tensor, int]:
    which = np.array([block])
    return plain.deepfool(network, image, project=lambda normal: blocks.at(which).project(normal[None])[0])


def _plainly(past: float, network: Network, image: torch.Tensor) -> tuple[torch.Tensor, int]:
    return plain.sparsefool(network, image, torch.zeros_like(image), torch.ones_like(image), past=past)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the table or JSON to stdout; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--few", type=int, default=16, help="images of the plain ways")
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--network", default="lenet")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--past", type=float, default=1.0, help="lambda of sparsefool")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="passband-") as folder:
        where = options.checkpoint or trained(Path(folder), options.network, {"size": options.size}, 12)
        network = load_network(where).requires_grad_(False)
        images = read_images(options.images, tuple(network.spec.shape))
        file = checkpoint_file(where)
        found = measure(network, file, images, options.few, options.rounds, options.batch, options.past)
    machine = {**describe_machine(), "threads": cpu.get_num_threads(), "torch": torch.__version__}
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "network": network.spec.kind, **found}, indent=1) + "\n")
    else:
        sys.stdout.write(format_table(machine, network.spec.kind, images, found))
    return 0 if min(found["speedup"][name] for name in TARGETED) >= TARGET else 1


def format_table(machine: dict[str, Any], kind: str, images: Images, found: dict[str, Any]) -> str:
    """Return the machine in one line, the rates as a table, and how the results compare."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(f"{kind}, {len(images)} images of {images.shape[2]} px: images/s and quartiles")
    for row in found["rows"]:
        low, high = row["quartiles"]
        lines.append(f"{row['what']:<34} {row['images_per_s']:>9,.1f}   {low:,.1f} to {high:,.1f}")
    for name, times in found["speedup"].items():
        lines.append(f"{'speedup of ' + name:<34} {times:>9.1f}" + f"   target {TARGET:g}" * (name in TARGETED))
    for name, share in found["fooled"].items():
        lines.append(f"{'fooled by ' + name:<34} {share:>9.2%}")
    for name in ("median share of perturbed pixels", "steps agree", "rounds agree", "steps of margins agree"):
        lines.append(f"{name:<34} {found[name]:>9.2%}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

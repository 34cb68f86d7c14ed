"""Reading a dataset for training, against the stock loaders of the same files.

Run ``python -m benchmarks.loading``; ``--json`` for machines. mnist5k, 4,000 samples of clean + 3 PRIME views at 32x32.
Every contender reads a whole epoch in a new order, in turn; a figure is the median over rounds, a ratio the median of
ratios within a round. ``waiting`` is the share of training time (ResNet-18 with the CIFAR stem, on the CPU) for which
the loop stood in ``next()``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import passband.kernels.cpu  # noqa: F401  # settles Numba's target before ffcv compiles anything
from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.jobs.dataset.spec import parse_job
from passband.jobs.executors.choice import usable_cpus
from passband.jobs.generation.run import generate
from passband.pipeline.loading import open_stream

VIEWS = ("clean", "prime-1", "prime-2", "prime-3")
TARGETS = {"npy": "20,000/s", "png": "5,000/s", "beton": "0.9 x ffcv"}


def make(folder: Path, encoding: str) -> Path:
    """Generate the dataset, with its FFCV file, and return its folder."""
    generate(
        parse_job(
            {
                "kind": "generate",
                "name": "bench",
                "source": {"kind": "mnist5k", "split": "train"},
                "image": {"size": 32},
                "views": ["clean", {"prime": {"preset": "cifar"}, "copies": 3}],
                "output": {
                    "uri": str(folder / encoding),
                    "encoding": encoding,
                    "samples_per_shard": 250,
                    "formats": ["webdataset", "ffcv"],
                },
                "compute": {"executor": "inline"},
            }
        )
    )
    return folder / encoding


def drain(batches: Any) -> None:
    """Read an epoch to its end."""
    for _ in batches:
        pass


def ffcv_loader(path: Path, batch_size: int, workers: int) -> Any:
    """Return FFCV's loader of all fields, images as channels_last tensors like a stream's."""
    from ffcv.fields.basics import IntDecoder
    from ffcv.fields.rgb_image import SimpleRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.transforms import ToTensor, ToTorchImage

    pipelines: dict[str, list[Any]] = {
        f"view{number}": [SimpleRGBImageDecoder(), ToTensor(), ToTorchImage()] for number in range(len(VIEWS))
    }
    pipelines |= {name: [IntDecoder(), ToTensor()] for name in ("label", "group", "index")}
    return Loader(
        str(path),
        batch_size=batch_size,
        num_workers=workers,
        order=OrderOption.RANDOM,
        os_cache=True,
        drop_last=False,
        pipelines=pipelines,
    )


def webdataset_loader(path: Path, batch_size: int, workers: int) -> Any:
    """Return the loader that WebDataset's documentation shows, shuffled by buffer."""
    import webdataset

    fields = [*(f"{view}.png" for view in VIEWS), "json"]
    dataset = webdataset.WebDataset([str(shard) for shard in sorted(path.glob("shards/*.tar"))], shardshuffle=16)
    dataset = dataset.shuffle(1000).decode("torchrgb8").to_tuple(*fields).batched(batch_size)
    return webdataset.WebLoader(dataset, batch_size=None, num_workers=workers)


def measure_reading(npy: Path, png: Path, batch_size: int, workers: int, rounds: int) -> list[dict[str, Any]]:
    """Read whole epochs with every contender in turn; return a row for each."""
    paths = {"npy": npy, "png": png, "beton": npy / "bench.beton"}
    with ExitStack() as stack:
        contenders: dict[str, Callable[[], object]] = {}
        for name, path in paths.items():
            stream = open_stream(path, batch_size=batch_size, drop_last=False, workers=workers)
            contenders[name] = partial(drain, stack.enter_context(stream))
        ffcv = ffcv_loader(paths["beton"], batch_size, workers)
        contenders["ffcv"] = partial(drain, ffcv)
        contenders["npy, opened and verified"] = partial(read_anew, npy, batch_size, workers)
        contenders["webdataset (png)"] = lambda: drain(webdataset_loader(png, batch_size, workers))
        contenders["webdataset (png), 1 process"] = lambda: drain(webdataset_loader(png, batch_size, 0))
        seconds = time_in_turn(contenders, rounds)
    base = {"png": "webdataset (png)", "beton": "ffcv"}
    return [
        {
            "reader": name,
            "samples_per_s": 4000 / quartiles(spent)[1],
            "quartiles": [4000 / value for value in quartiles(spent)[::2]],
            "over": base.get(name),
            "ratio": quartiles([b / a for a, b in zip(spent, seconds[base.get(name, name)], strict=True)])[1],
        }
        for name, spent in seconds.items()
    ]


def read_anew(path: Path, batch_size: int, workers: int) -> None:
    """Open a dataset, compare all its hashes, and read one epoch."""
    with open_stream(path, batch_size=batch_size, drop_last=False, workers=workers) as stream:
        drain(stream)


def measure_waiting(path: Path, steps: int) -> dict[str, Any]:
    """Train ResNet-18 for some steps; return the share of time spent in ``next()``, the first batch included."""
    import torch
    from torchvision.models import resnet18

    model = resnet18(num_classes=10).to(memory_format=torch.channels_last)
    model.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    model.maxpool = torch.nn.Identity()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    waited: list[float] = []
    with open_stream(path, batch_size=64) as stream:
        begun, batches = time.perf_counter(), iter(stream)
        for _ in range(steps):
            before = time.perf_counter()
            batch = next(batches)
            waited.append(time.perf_counter() - before)
            loss = torch.nn.functional.cross_entropy(model(batch.images["prime-1"].float() / 255), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        spent = time.perf_counter() - begun
    return {"step_s": spent / steps, "waiting": sum(waited) / spent, "after_the_first": sum(waited[1:]) / spent}


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the table or JSON to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=usable_cpus())
    parser.add_argument("--steps", type=int, default=10, help="of training, to see how long it waits for data")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        npy, png = (make(Path(name), encoding) for encoding in ("npy", "png"))
        rows = measure_reading(npy, png, options.batch_size, options.workers, options.rounds)
        waiting = {encoding: measure_waiting(path, options.steps) for encoding, path in (("npy", npy), ("png", png))}
    machine = {**describe_machine(), "workers": options.workers, "batch": options.batch_size}
    found = {"machine": machine, "rows": rows, "training": waiting}
    sys.stdout.write((json.dumps(found, indent=1) if options.json else format_tables(found)) + "\n")
    return 0


def format_tables(found: dict[str, Any]) -> str:
    """Return the machine in one line, a row a reader, and how long training waits."""
    lines = [", ".join(f"{key} {value}" for key, value in found["machine"].items()), ""]
    lines.append(f"{'reader':<28} {'samples/s':>10} {'quartiles':>19} {'ratio':>6} {'to':<17} {'target'}")
    for row in found["rows"]:
        slow, fast = sorted(row["quartiles"])
        ratio = f"{row['ratio']:.2f}" if row["over"] else ""
        lines.append(
            f"{row['reader']:<28} {row['samples_per_s']:>10,.0f} {slow:>9,.0f}-{fast:<9,.0f} {ratio:>6} "
            f"{row['over'] or '':<17} {TARGETS.get(row['reader'], '')}".rstrip()
        )
    lines.append("")
    for encoding, run in found["training"].items():
        lines.append(
            f"ResNet-18 on {encoding}: {run['step_s']:.2f} s a step, {run['waiting']:.2%} of it waiting for data "
            f"({run['after_the_first']:.2%} after the first batch; target under 2 %)"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

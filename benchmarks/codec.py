"""Encodings on one thread, against the PNG encoders that a user would pick instead.

Run ``python -m benchmarks.codec``; ``--json`` for machines. Contenders take turns; a figure is the median over
rounds, a ratio the median of (speed / speed of Pillow's PNG in the same round).
"""

import argparse
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image

from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.pipeline.encodings.codec import ENCODINGS

Pixels = NDArray[np.uint8]
BASELINE = "Pillow PNG, level 1"


@dataclass(frozen=True)
class Contender:
    """One way to encode a batch (N, H, W, 3) and to decode one image."""

    encode: Callable[[Pixels], list[bytes]]
    decode: Callable[[bytes], Pixels]


def contenders() -> dict[str, Contender]:
    """Return the encodings, Pillow's PNG, and OpenCV's where it is installed."""
    found = {name: Contender(encoding.encode_batch, encoding.decode) for name, encoding in ENCODINGS.items()}
    found[BASELINE] = Contender(encode_by_pillow, lambda encoded: np.array(Image.open(io.BytesIO(encoded))))
    try:
        import cv2
    except ImportError:
        return found
    opencv: Any = cv2  # its stubs say that decoding may give None
    opencv.setNumThreads(1)
    level = [opencv.IMWRITE_PNG_COMPRESSION, 1]
    found["OpenCV PNG, level 1"] = Contender(
        lambda batch: [
            opencv.imencode(".png", opencv.cvtColor(pixels, opencv.COLOR_RGB2BGR), level)[1].tobytes()
            for pixels in batch
        ],
        lambda encoded: opencv.cvtColor(
            opencv.imdecode(np.frombuffer(encoded, np.uint8), opencv.IMREAD_COLOR), opencv.COLOR_BGR2RGB
        ),
    )
    return found


def encode_by_pillow(batch: Pixels) -> list[bytes]:
    """Encode as `webdataset.ShardWriter` would, at Pillow's fastest level that compresses."""
    encoded = []
    for pixels in batch:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        encoded.append(buffer.getvalue())
    return encoded


def digits(count: int) -> Pixels:
    """Return MNIST digits, padded to 32 pixels."""
    from passband.pipeline.sources.mnist5k import Mnist5k

    source = Mnist5k(Mnist5k.Options(split="train"))
    entries = list(source.entries())
    chosen = source.read(entries[:: len(entries) // count][:count])
    plain = np.frombuffer(b"".join(chosen), np.uint8).reshape(count, 28, 28, 1)
    return np.repeat(np.pad(plain, ((0, 0), (2, 2), (2, 2), (0, 0))), 3, axis=-1)


def noisy(images: Pixels) -> Pixels:
    """Return images mixed with coloured noise, about as compressible as PRIME views are."""
    generator = np.random.default_rng(0)
    noise = scipy.ndimage.gaussian_filter(generator.random(images.shape), (0, 0.7, 0.7, 0))
    weights = generator.uniform(0.1, 0.5, (len(images), 1, 1, 1))
    return np.rint(images * (1 - weights) + 255 * noise * weights).astype(np.uint8)


def photos(count: int, size: int) -> Pixels:
    """Return photographs of scikit-image, resized."""
    from skimage import data

    originals = [load()[..., :3] for load in (data.astronaut, data.coffee, data.chelsea, data.rocket)]
    resized = [np.asarray(Image.fromarray(o).resize((size, size), Image.Resampling.BILINEAR)) for o in originals]
    return np.stack([resized[i % len(resized)] for i in range(count)])


def measure(name: str, images: Pixels, rounds: int) -> list[dict[str, Any]]:
    """Time every contender on `images`; return a row for each."""
    tried = contenders()
    encoded = {key: one.encode(images) for key, one in tried.items()}

    def write(key: str) -> Callable[[], object]:
        return lambda: tried[key].encode(images)

    def read(key: str) -> Callable[[], object]:
        return lambda: [tried[key].decode(one) for one in encoded[key]]

    writing = time_in_turn({key: write(key) for key in tried}, rounds)
    reading = time_in_turn({key: read(key) for key in tried}, rounds)
    return [
        {
            "images": name,
            "encoding": key,
            "encode_per_s": len(images) / quartiles(writing[key])[1],
            "decode_per_s": len(images) / quartiles(reading[key])[1],
            "bytes": float(np.mean([len(e) for e in encoded[key]])),
            "encode_ratio": quartiles([b / a for a, b in zip(writing[key], writing[BASELINE], strict=True)])[1],
            "decode_ratio": quartiles([b / a for a, b in zip(reading[key], reading[BASELINE], strict=True)])[1],
        }
        for key in tried
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the table or JSON to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    sets = {"digits 32": digits(400), "noisy 32": noisy(digits(400)), "photos 224": photos(4, 224)}
    rows = [row for name, images in sets.items() for row in measure(name, images, options.rounds)]
    machine = {**describe_machine(), "threads": 1}
    text = json.dumps({"machine": machine, "rows": rows}, indent=1) if options.json else format_table(machine, rows)
    sys.stdout.write(text + "\n")
    return 0


def format_table(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the machine in one line and the rows as a table; ratios are against Pillow's PNG."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(
        f"{'images':<11} {'encoding':<20} {'encode/s':>9} {'ratio':>6} {'decode/s':>9} {'ratio':>6} {'bytes':>9}"
    )
    for row in rows:
        lines.append(
            f"{row['images']:<11} {row['encoding']:<20} {row['encode_per_s']:>9,.0f} {row['encode_ratio']:>6.2f} "
            f"{row['decode_per_s']:>9,.0f} {row['decode_ratio']:>6.2f} {row['bytes']:>9,.0f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())

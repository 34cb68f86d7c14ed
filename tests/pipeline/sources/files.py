"""Small real files, in the formats that the sources read."""

import io
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(value=0, height=4, width=3):
    """Encode an image whose pixels are all `value`."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (value % 256, value // 256, 0)).save(file, "PNG")
    return file.getvalue()


def write_folder(root, classes=("cat", "dog"), count=3):
    for label, name in enumerate(classes):
        (root / name / "deep").mkdir(parents=True)
        for number in range(count):
            (root / name / ("deep" if number == 0 else "") / f"{number}.PNG").write_bytes(png(10 * label + number))
    return root


def write_cifar(root, rows=5, coarse=False, seed=0):
    rng = np.random.default_rng(seed)
    root.mkdir(exist_ok=True)
    if coarse:
        (root / "fine_label_names.txt").write_text("".join(f"fine{n}\n" for n in range(100)))
        (root / "coarse_label_names.txt").write_text("".join(f"coarse{n}\n" for n in range(20)) + "\n")
        names, limits = ("train", "test"), (20, 100)
    else:
        (root / "batches.meta.txt").write_text("".join(f"class{n}\n" for n in range(10)) + "\n")
        names, limits = (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"), (10,)
    for name in names:
        labels = np.stack([rng.integers(0, limit, rows) for limit in limits], axis=1).astype(np.uint8)
        pixels = rng.integers(0, 256, (rows, 3072), dtype=np.uint8)
        (root / f"{name}.bin").write_bytes(np.concatenate([labels, pixels], axis=1).tobytes())
    return root


def write_tar(path, members):
    """Write a tar of (name, content) pairs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_shards(root, shards=2, count=3, label=lambda n: str(n % 2).encode()):
    for shard in range(shards):
        numbers = range(shard * count, (shard + 1) * count)
        members = [
            (f"{n:06d}.{kind}", content) for n in numbers for kind, content in (("cls", label(n)), ("png", png(n)))
        ]
        write_tar(root / f"part-{shard:03d}.tar", members)
    return root


def write_parquet(path, count=10, start=0, row_group_size=4, struct=True, label=lambda n: n % 3, metadata=None, **more):
    numbers = range(start, start + count)
    images = [png(n) for n in numbers]
    column = pa.array([{"bytes": image, "path": None} for image in images]) if struct else pa.array(images, pa.binary())
    table = pa.table({"image": column, "label": [label(n) for n in numbers], **more})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=row_group_size)
    return path


def value(source, entry):
    """Return the `png` value of an entry's image."""
    red, green, _ = source.decode(source.read([entry])[0]).getpixel((0, 0))
    return red + 256 * green

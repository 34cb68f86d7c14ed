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


def write_domains(root, domains=("drawing", "photo"), classes=("cat", "dog")):
    for name in domains:
        write_folder(root / name, classes)
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


def write_cifar10c(root, corruptions=("fog", "snow"), count=8, seed=0, classes=10):
    """Write CIFAR-10-C in small, or CIFAR-100-C: `count` images at each severity, and the same labels at each."""
    rng = np.random.default_rng(seed)
    root.mkdir(exist_ok=True)
    np.save(root / "labels.npy", np.tile(rng.integers(0, classes, count, dtype=np.uint8), 5))
    for name in corruptions:
        np.save(root / f"{name}.npy", rng.integers(0, 256, (5 * count, 32, 32, 3), dtype=np.uint8))
    return root


def python2_pickle(value):
    """Pickle as Python 2 and its NumPy did, protocol 2, which Python 3 cannot write: texts are byte strings."""
    if isinstance(value, np.ndarray):
        rows, columns = value.shape
        return (
            b"cnumpy.core.multiarray\n_reconstruct\nq\x08cnumpy\nndarray\nq\x09K\x00\x85U\x01b\x87Rq\x0a(K\x01"
            + python2_pickle(rows) + python2_pickle(columns)
            + b"\x86cnumpy\ndtype\nq\x0bU\x02u1K\x00K\x01\x87Rq\x0c(K\x03U\x01|NNN"
            + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89" + python2_pickle(value.tobytes()) + b"tb"
        )  # fmt: skip
    if isinstance(value, dict):
        items = b"".join(python2_pickle(key) + python2_pickle(item) for key, item in value.items())
        return b"}q\x01(" + items + b"u"
    if isinstance(value, list):
        return b"]q\x05(" + b"".join(map(python2_pickle, value)) + b"e"
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")
    content = value.encode() if isinstance(value, str) else value
    return (
        b"U" + bytes([len(content)]) + content
        if len(content) < 256
        else (b"T" + len(content).to_bytes(4, "little") + content)
    )


def write_cifar_python(root, binary, dump=lambda content: b"\x80\x02" + python2_pickle(content) + b"."):
    """Write the Python version of what `write_cifar` wrote to `binary`."""
    root.mkdir(exist_ok=True)
    coarse = (binary / "train.bin").exists()
    for path in sorted(binary.glob("*.bin")):
        records = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 3074 if coarse else 3073)
        labels = {"coarse_labels": 0, "fine_labels": 1} if coarse else {"labels": 0}
        content = {name: records[:, column].tolist() for name, column in labels.items()}
        names = [f"image_{row}.png" for row in range(len(records))]
        content |= {"batch_label": path.stem, "data": records[:, len(labels) :].copy(), "filenames": names}
        (root / path.stem).write_bytes(dump(content))
    lists = {path: path.read_text().split() for path in binary.glob("*.txt")}
    names = {path.stem if coarse else "label_names": found for path, found in lists.items()}
    (root / ("meta" if coarse else "batches.meta")).write_bytes(dump({**names, "num_vis": 3072}))
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

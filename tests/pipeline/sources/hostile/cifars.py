"""CIFAR's files, binary and pickled, as no one published them, and files of installed packages."""

import os
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.pipeline.sources.hostile.case import Case, Source, either, later, made, paint, refused, sparse

Make = Callable[[Path, random.Random], Source]
_PIXELS = 3072
_RECORD = 1 + _PIXELS


def record(row: int, label: int) -> bytes:
    """Return the binary record of an image of the test batch."""
    return bytes([label]) + pixels(row, label)


def pixels(row: int, label: int) -> bytes:
    """Return the planes of an image of the test batch."""
    return b"".join(bytes([value]) * 1024 for value in paint(f"class{label}", f"cifar10/test_batch/{row:05d}"))


def binary(change: Callable[[Path], object] = lambda root: None, **options: Any) -> Make:
    """Return what writes a test batch of four images, then what `change` makes of it."""

    def make(root: Path, rng: random.Random) -> Source:
        (root / "batches.meta.txt").write_text("".join(f"class{number}\n" for number in range(10)))
        (root / "test_batch.bin").write_bytes(b"".join(record(row, row) for row in range(4)))
        change(root)
        return {"kind": "cifar10", "path": str(root), "split": "test", **options}

    return make


def pickled(content: bytes | None = None, meta: bytes | None = None, **options: Any) -> Make:
    """Return what writes the Python version of a test batch."""

    def make(root: Path, rng: random.Random) -> Source:
        (root / "batches.meta").write_bytes(
            pickle.dumps({"label_names": [f"class{n}" for n in range(10)]}) if meta is None else meta
        )
        (root / "test_batch").write_bytes(batch() if content is None else content)
        return {"kind": "cifar10", "path": str(root), "split": "test", **options}

    return make


def batch(count: int = 4, protocol: int = 4, **more: Any) -> bytes:
    """Return a pickled batch."""
    data = np.frombuffer(b"".join(pixels(row, row % 10) for row in range(count)), np.uint8).reshape(count, _PIXELS)
    return pickle.dumps({"data": data.copy(), "labels": [row % 10 for row in range(count)], **more}, protocol)


def cases() -> Iterator[Case]:
    """Yield the cases of CIFAR's two versions."""
    yield made("cifar/sound binary", binary(), 4)
    for protocol in (3, 4, 5):  # 2 is Python 2's, which writes bytes in another way
        yield made(f"cifar/sound pickle of protocol {protocol}", pickled(batch(protocol=protocol)), 4)
    yield from _binaries()
    yield from _pickles()
    yield from _changing()


def _binaries() -> Iterator[Case]:
    def batch_of(content: bytes) -> Callable[[Path], object]:
        return lambda root: (root / "test_batch.bin").write_bytes(content)

    def names(content: Any) -> Callable[[Path], object]:
        return lambda root: (root / "batches.meta.txt").write_bytes(content() if callable(content) else content)

    for size in (200 * 10**9, 4 * 10**9):
        whole = size // _RECORD * _RECORD
        yield refused(
            f"cifar/a batch of {size:,} bytes, holes",
            binary(lambda root, whole=whole: sparse(root / "test_batch.bin", whole)),
            "test_batch.bin",
        )
        yield refused(
            f"cifar/names of {size:,} bytes, holes",
            binary(lambda root, size=size: sparse(root / "batches.meta.txt", size)),
            "batches.meta.txt",
        )
    yield refused("cifar/an empty batch", binary(batch_of(b"")), "test_batch.bin")
    yield refused("cifar/half a record more", binary(batch_of(record(0, 0) + bytes(99))), "test_batch.bin")
    yield refused("cifar/a label of 10", binary(batch_of(record(0, 0) + record(1, 10))), "record 1")
    yield refused("cifar/a label of 255", binary(batch_of(record(0, 255))), "record 0")
    yield refused(
        "cifar/a batch that is a FIFO",
        binary(lambda root: ((root / "test_batch.bin").unlink(), os.mkfifo(root / "test_batch.bin"))),
        "test_batch.bin",
    )
    yield refused(
        "cifar/a batch that is a device",
        binary(lambda root: ((root / "test_batch.bin").unlink(), (root / "test_batch.bin").symlink_to("/dev/zero"))),
        "test_batch.bin",
    )
    for words, content in (
        ("no UTF-8", b"\xff\n" * 10),
        ("nothing", b""),
        ("too many", b"x%d\n" * 11),
        ("50 MB", lambda: b"x" * 50 * 10**6),
        ("the same", b"cat\n" * 10),
        ("5,000 letters each", b"".join(bytes([97 + n]) * 5000 + b"\n" for n in range(10))),
        ("NUL", b"".join(b"a\0%d\n" % n for n in range(10))),
    ):
        yield refused(f"cifar/names that are {words}", binary(names(content)), "batches.meta.txt")


def _pickles() -> Iterator[Case]:
    long = b"\x80\x02}q\x00("

    def text(content: str) -> bytes:
        return b"X" + len(content).to_bytes(4, "little") + content.encode()

    for words, content in (
        ("nothing", b""),
        ("one byte", b"."),
        ("text", b"hello\n"),
        ("noise", bytes(range(256))),
        ("cut", batch()[:-2000]),
        ("200 marks", b"(" * 200),
        ("a list", pickle.dumps([1])),
        ("a call of os.system", b"cos\nsystem\n(S'touch /tmp/owned'\ntR."),
        ("a call by name", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."),
        ("a persistent id", b"Pid\n."),
        ("an extension", b"\x82\x01."),
        ("an instance", b"(i__main__\nX\n."),
        ("an object", b"(c__main__\nX\no."),
        ("a long that is cut", b"\x8b\xff\xff\xff\x7f"),
        ("an integer of 1,000,000 digits", b"I" + b"9" * 10**6 + b"\n."),
        ("a long of 1,000,000 digits", b"L" + b"9" * 10**6 + b"L\n."),
        ("a text of 50 MB on a line", lambda: b"V" + b"x" * 50 * 10**6 + b"\n."),
        ("a text that claims 4 GB", b"X\xff\xff\xff\xffabc"),
        ("bytes that claim 2^63", b"\x8e" + b"\xff" * 7 + b"\x7fabc"),
        ("bytes that claim 4 GB", b"B\xff\xff\xff\xffabc"),
        ("an array that claims 2^63", b"\x96" + b"\xff" * 7 + b"\x7fabc"),
        ("lists of depth 300,000", b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b"."),
        ("tuples of depth 300,000", b")" + b"\x85" * 300_000 + b"."),
        ("a value shared at 60 levels", b"]" + b"".join(b"q%c]h%ch%cea" % (n, n, n) for n in range(60)) + b"."),
        ("a list in itself", b"]q\x00h\x00a."),
        ("a dictionary in itself", b"}q\x00X\x01\x00\x00\x00ah\x00s."),
        ("3,000,000 instructions", lambda: b"N" * 3_000_000 + b"."),
        ("a memo of 2^31", b"Nr\xff\xff\xff\x7f."),
        ("a dictionary with a list for a key", b"}]Ns."),
        ("many times a text", lambda: long + text("k") + b"]q\x01(" + (text("x" * 2000)) * 20_000 + b"eu."),
        ("a label that is a text", batch(labels=["cat"] * 4)),
        ("a label that is 2^70", batch(labels=[2**70] * 4)),
        ("a label that is negative", batch(labels=[-1] * 4)),
        ("a label that is true", batch(labels=[True] * 4)),
        ("fewer labels", batch(labels=[0] * 3)),
        ("no labels", batch(labels=None)),
        ("floats", batch(data=np.zeros((4, _PIXELS), np.float32))),
        ("columns first", batch(data=np.asfortranarray(np.zeros((4, _PIXELS), np.uint8)))),
        ("another shape", batch(data=np.zeros((4, 100), np.uint8))),
        ("objects", batch(data=np.array([None] * 4, object))),
    ):
        yield refused(
            f"cifar/a pickle of {words}",
            later(lambda content: pickled(content() if callable(content) else content), content),
            "test_batch",
        )
    yield refused(
        "cifar/a pickle of 200 GB, holes",
        lambda root, rng: (pickled()(root, rng), sparse(root / "test_batch", 200 * 10**9))[0],
        "test_batch",
    )
    yield refused("cifar/a pickle with 3 GB of bytes, holes", _holey, "test_batch")
    yield refused("cifar/a pickle with 250 MB of bytes, holes", _holey_small, "test_batch")
    for words, value in (
        ("of lone surrogates", "\ud800"),
        ("of 5,000 letters", "x" * 5000),
        ("with line breaks", "a\nb"),
        ("that are the same", "cat"),
        ("that are bytes of no UTF-8", b"\xff"),
        ("that are numbers", 7),
        ("that are empty", ""),
    ):
        names = (
            [value] * 10
            if words in ("that are the same", "that are numbers")
            else [value * (1 if n else 2) + type(value)() for n in range(2)] + [f"class{n}" for n in range(2, 10)]
        )
        yield (either if "bytes" in words else refused)(
            f"cifar/pickled names {words}",
            pickled(meta=pickle.dumps({"label_names": names})),
            **(
                {"colors": {f"cifar10/test_batch/{n:05d}": None for n in range(4)}}
                if "bytes" in words
                else {"says": "batches.meta"}
            ),
        )


def _holey(root: Path, rng: random.Random) -> Source:
    source = pickled()(root, rng)
    size = 3 * 10**9
    sparse(root / "test_batch", size + 100, b"\x80\x02}(X\x01\x00\x00\x00kT" + size.to_bytes(4, "little"), b"u.")
    return source


def _holey_small(root: Path, rng: random.Random) -> Source:
    source, size = pickled()(root, rng), 250 * 10**6
    head = b"\x80\x03}(X\x01\x00\x00\x00kB" + size.to_bytes(4, "little")
    sparse(root / "test_batch", len(head) + size + 2, head, b"u.")
    return source


def _changing() -> Iterator[Case]:
    def after(change: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda root: (change(root), None)[1]

    def fifo(root: Path) -> None:
        (root / "test_batch.bin").unlink()
        os.mkfifo(root / "test_batch.bin")

    for words, change, says in (
        ("is gone", lambda root: (root / "test_batch.bin").unlink(), "test_batch.bin"),
        ("is cut", lambda root: os.truncate(root / "test_batch.bin", 99), ""),
        ("is a FIFO", fifo, "test_batch.bin"),
        ("is another", lambda root: (root / "test_batch.bin").write_bytes(record(3, 0) * 4), "changed after"),
    ):
        yield refused(f"cifar/the batch {words} after the plan", binary(), says, after_plan=after(change))

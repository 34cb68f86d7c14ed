"""Folders of images that no camera and no copy ever left behind."""

import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.pipeline.sources.hostile.case import Case, Source, either, made, paint, painted, recorded, refused, sparse

Make = Callable[[Path, random.Random], Source]


def folder_with(*writers: Callable[[Path, random.Random], None], **options: object) -> Make:
    """Return what writes a sound folder of six images in two classes, then what the writers do to it."""

    def make(root: Path, rng: random.Random) -> Source:
        for label in ("cat", "dog"):
            for number in range(3):
                write(root, f"{label}/{number}.png")
        for writer in writers:
            writer(root, rng)
        return {"kind": "imagefolder", "path": str(root), **options}

    return make


def write(root: Path, key: str, content: bytes | None = None) -> None:
    """Write an image at its key."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(painted(key.split("/")[0], key) if content is None else content)


def cases() -> Iterator[Case]:
    """Yield the cases of folders."""
    yield made("folder/sound", folder_with(), 6)
    yield from _big()
    yield from _deep()
    yield from _names()
    yield from _irregular()
    yield from _links()
    yield from _changing()


def _big() -> Iterator[Case]:
    for size, words in ((200 * 10**9, "200 GB"), (3 * 10**9, "3 GB"), (300 * 10**6, "300 MB")):
        path, head = "cat/big.png", painted("cat", "cat/big.png")
        yield recorded(f"folder/sparse image of {words}", folder_with(_hole(path, size)), 1, 6, says="larger than")
        yield recorded(
            f"folder/image with a tail of {words}", folder_with(_hole(path, size, head)), 1, 6, says="larger than"
        )
    many = folder_with(*(_hole(f"cat/big{n}.png", 100 * 10**6) for n in range(10)))
    yield recorded("folder/10 sparse images of 100 MB", many, 10, 6)
    yield recorded(
        "folder/an empty file", folder_with(lambda root, _: write(root, "cat/e.png", b"")), 1, 6, says="empty"
    )

    def thousands(root: Path, rng: random.Random) -> None:
        for number in range(3000):
            (root / "cat" / f"{number}.txt").touch()

    yield refused("folder/thousands of files that are no images", folder_with(thousands), "3000 files")


def _hole(key: str, size: int, head: bytes = b"") -> Callable[[Path, random.Random], None]:
    return lambda root, _: (sparse(root / key, size, head), None)[1]


def _deep() -> Iterator[Case]:
    yield either("folder/1,500 nested folders", folder_with(_nested("cat", "d", 1500)))
    yield refused("folder/nested beyond PATH_MAX", folder_with(_nested("cat", "d" * 200, 60)), "File name too long")
    yield either("folder/1,500 nested folders under a pattern", _pattern_of_nested)
    yield made("folder/900 nested folders that are empty", folder_with(_nested("cat", "e", 900, image=False)), 6)
    yield refused("folder/a link bomb", folder_with(_link_bomb), "links")


def _nested(top: str, name: str, depth: int, image: bool = True) -> Callable[[Path, random.Random], None]:
    """Nest folders deeper than a path can name, one at a time."""

    def nest(root: Path, rng: random.Random) -> None:
        folder = os.open(root / top, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        if image:
            file = os.open("i.png", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
            os.write(file, painted(top, "/".join([top, *[name] * depth, "i.png"])))
            os.close(file)
        os.close(folder)

    return nest


def _pattern_of_nested(root: Path, rng: random.Random) -> Source:
    (root / "t").mkdir()
    _nested("t", "d", 1500, image=False)(root, rng)
    return {"kind": "webdataset", "path": f"{root}/**/*.tar"}


def _link_bomb(root: Path, rng: random.Random) -> None:
    """Forty folders, each with two links to the next: no loop, and 2^40 ways to the image."""
    pool = root / "cat" / "l0"
    for level in range(40):
        here = root / ".pool" / str(level)
        here.mkdir(parents=True)
        for side in "ab":
            (here / side).symlink_to(root / ".pool" / str(level + 1))
    write(root, ".pool/40/i.png")
    pool.symlink_to(root / ".pool" / "0")


def _names() -> Iterator[Case]:
    longest = "n" * 251 + ".png"
    yield made("folder/a name of NAME_MAX bytes", folder_with(lambda root, _: write(root, f"cat/{longest}")), 7)
    yield made("folder/a class of NAME_MAX bytes", folder_with(lambda root, _: write(root, f"{'k' * 255}/0.png")), 7)
    for words, name in (
        ("latin-1", b"caf\xe9.png"),
        ("a lone surrogate", b"\xed\xa0\x80.png"),
        ("cut", b"\xf0\x9f.png"),
    ):
        yield refused(f"folder/a name that is no UTF-8: {words}", folder_with(_raw(b"cat/" + name)), "UTF-8")
        yield refused(f"folder/a class that is no UTF-8: {words}", folder_with(_raw(name + b"/0.png")), "UTF-8")
    for words, mark in (("a line break", "\n"), ("a carriage return", "\r")):
        yield refused(f"folder/a name with {words}", folder_with(_named(f"cat/a{mark}b.png")), "line break")
        yield refused(f"folder/a class with {words}", folder_with(_named(f"a{mark}b/0.png")), "line break")
    for words, text in (
        ("an escape sequence", "\x1b]0;owned\x07\x1b[2J"),
        ("a change of direction", "\u202egnp.exe"),
        ("markup", "<script>alert(1)<｜script>"),
        ("spaces alone", "   "),
        ("a tab", "a\tb"),
        ("a leading dash", "-rf"),
        ("a percent sign", "%s%n%00"),
        ("a template", "{{7*7}}{0.__class__}"),
        ("combining marks", "e\u0301" * 60),
    ):
        yield made(f"folder/a name with {words}", folder_with(_named(f"cat/{text}.png")), 7)
        yield made(f"folder/a class with {words}", folder_with(_named(f"{text}/0.png")), 7)
    yield refused(
        "folder/a broken link with an escape sequence",
        folder_with(_dangling("cat/\x1b[2J\x1b]0;x\x07.png")),
        "no regular",
    )
    yield refused("folder/a path with NUL", lambda root, _: {"kind": "imagefolder", "path": f"{root}/a\0b"})
    yield refused(
        "folder/a path of 10,000 bytes", lambda root, _: {"kind": "imagefolder", "path": f"{root}/{'p' * 10_000}"}
    )
    yield refused(
        "folder/a pattern of a billion", lambda root, _: {"kind": "webdataset", "path": f"{root}/{{0..999999999}}.tar"}
    )
    powers = "{a,b}" * 40
    yield refused("folder/a pattern of 2^40", lambda root, _: {"kind": "parquet", "path": f"{root}/{powers}.parquet"})


def _named(key: str) -> Callable[[Path, random.Random], None]:
    return lambda root, _: write(root, key)


def _raw(key: bytes) -> Callable[[Path, random.Random], None]:
    def write_raw(root: Path, rng: random.Random) -> None:
        path = os.path.join(os.fsencode(root), key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(painted("x", "y"))

    return write_raw


def _dangling(key: str) -> Callable[[Path, random.Random], None]:
    return lambda root, _: (root / key).symlink_to("nowhere")


def _irregular() -> Iterator[Case]:
    def linked(target: str) -> Callable[[Path, random.Random], None]:
        return lambda root, _: (root / "cat" / "x.png").symlink_to(target)

    def listening(root: Path, rng: random.Random) -> None:
        here = os.open(root / "cat", os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/x.png")  # the path of a socket is short
        os.close(here)

    yield refused("folder/a FIFO", folder_with(lambda root, _: os.mkfifo(root / "cat" / "x.png")), "no regular file")
    yield refused(
        "folder/a FIFO beside the classes", folder_with(lambda root, _: os.mkfifo(root / "x.png")), "no regular file"
    )
    yield refused("folder/a socket", folder_with(listening), "no regular file")
    for device in ("zero", "random", "full", "null", "tty"):
        yield refused(f"folder/a link to /dev/{device}", folder_with(linked(f"/dev/{device}")), "no regular file")
    yield refused("folder/a link to itself", folder_with(linked("x.png")), "no regular file")
    yield refused("folder/a link to nothing", folder_with(linked("nowhere")), "no regular file")
    yield either("folder/a link to a file of the system", folder_with(linked("/proc/self/status")))
    yield either("folder/a link to what never ends", folder_with(linked("/proc/kmsg")))
    yield either("folder/a link to the memory", folder_with(linked("/proc/self/mem")))
    yield refused("folder/the path is a FIFO", _path_is_fifo("imagefolder"), "not a folder")
    yield refused("folder/a FIFO for a tar", _path_is_fifo("webdataset", ".tar"), "no regular file")
    yield refused("folder/a FIFO for a Parquet file", _path_is_fifo("parquet", ".parquet"), "no regular file")


def _path_is_fifo(kind: str, suffix: str = "") -> Make:
    def make(root: Path, rng: random.Random) -> Source:
        os.mkfifo(root / f"pipe{suffix}")
        return {"kind": kind, "path": str(root / f"pipe{suffix}")}

    return make


def _links() -> Iterator[Case]:
    def linked(place: str, target: str) -> Callable[[Path, random.Random], None]:
        return lambda root, _: (root / place).symlink_to(root / target)

    yield refused("folder/a loop of links", folder_with(linked("cat/up", "")), "contains it")
    yield refused(
        "folder/a loop over two links", folder_with(linked("cat/a", "dog"), linked("dog/b", "cat")), "contains it"
    )
    yield either(
        "folder/a class that is a link to another",
        folder_with(linked("fox", "cat")),
        colors={f"fox/{n}.png": paint("cat", f"cat/{n}.png") for n in range(3)},
    )


def _changing() -> Iterator[Case]:
    def after(change: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda root: (change(root), None)[1]

    def fifo(root: Path) -> None:
        (root / "cat" / "1.png").unlink()
        os.mkfifo(root / "cat" / "1.png")

    def folder(root: Path) -> None:
        (root / "cat" / "1.png").unlink()
        (root / "cat" / "1.png").mkdir()

    def swapped(root: Path) -> None:
        (root / "cat" / "1.png").rename(root / "x.png")
        (root / "dog" / "1.png").rename(root / "cat" / "1.png")
        (root / "x.png").rename(root / "dog" / "1.png")

    def device(root: Path) -> None:
        (root / "cat" / "1.png").unlink()
        (root / "cat" / "1.png").symlink_to("/dev/zero")

    for words, change, says in (
        ("is gone", lambda root: (root / "cat" / "1.png").unlink(), "No such file"),
        ("is emptied", lambda root: (root / "cat" / "1.png").write_bytes(b""), "changed after"),
        ("is another", swapped, "changed after"),
        ("is a FIFO", fifo, "no regular file"),
        ("is a folder", folder, ""),
        ("is a device", device, "no regular file"),
        ("is 200 GB", lambda root: sparse(root / "cat" / "1.png", 200 * 10**9), "changed after"),
        ("is gone with its folder", lambda root: shutil.rmtree(root / "cat"), "No such file"),
    ):
        yield refused(f"folder/an image {words} after the plan", folder_with(), says, after_plan=after(change))

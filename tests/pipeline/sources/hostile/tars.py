"""Tars whose headers, labels and names are not what tar writes."""

import gzip
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.pipeline.sources.hostile.case import (
    Case,
    Source,
    either,
    later,
    made,
    paint,
    painted,
    recorded,
    refused,
    sparse,
)

BLOCK = 512
Make = Callable[[Path, random.Random], Source]
Parts = Iterable[bytes]
_END = bytes(2 * BLOCK)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, **more: Any) -> bytes:
    """Return one header block; `size` is what it claims."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for field, value in more.items():
        setattr(info, field, value)
    if not 0 <= size < 2**36:
        info.size = 0
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
    if info.size != size:
        block[124:136] = (size % 2**96 | (0 if size < 0 else 2**95)).to_bytes(12, "big")
    return _summed(block)


def _summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def padded(content: bytes) -> bytes:
    """Return a content with the zeros that fill its last block."""
    return content + bytes(-len(content) % BLOCK)


def member(name: str, content: bytes) -> bytes:
    """Return header and content of a file."""
    return header(name, len(content)) + padded(content)


def sample(key: str, label: str | bytes = "cat", shown: str = "cat", shard: str = "s") -> bytes:
    """Return a sample: the image first, then its class."""
    text = label.encode() if isinstance(label, str) else label
    return member(f"{key}.png", painted(shown, f"{shard}/{key}")) + member(f"{key}.cls", text)


def with_json(key: str, text: bytes, shown: str = "cat") -> bytes:
    """Return a sample whose class stands in JSON."""
    return member(f"{key}.png", painted(shown, f"s/{key}")) + member(f"{key}.json", text)


def extended(kind: bytes, content: bytes) -> bytes:
    """Return a header with a header's content: a long name (L, K) or pax records (x, g)."""
    return header("./@LongLink" if kind in b"LK" else "pax", len(content), kind) + padded(content)


def pax(**records: str | bytes) -> bytes:
    """Return the content of a pax header."""
    found = b""
    for name, value in records.items():
        text = value.encode() if isinstance(value, str) else value
        rest = b" " + name.replace("__", ".").encode() + b"=" + text + b"\n"
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        found += str(length).encode() + rest
    return found


def tar_of(*parts: bytes, end: bytes = _END, **options: Any) -> Make:
    """Return what writes a tar of these parts behind two sound samples."""

    def make(root: Path, rng: random.Random) -> Source:
        sound = sample("a", "cat") + sample("b", "dog", "dog")
        (root / "s.tar").write_bytes(b"".join([sound, *parts, end]))
        return {"kind": "webdataset", "path": str(root / "s.tar"), **options}

    return make


def json_of(*texts: bytes, shown: str = "cat") -> Make:
    """Return what writes a tar of samples with classes in JSON, two sound ones first."""

    def make(root: Path, rng: random.Random) -> Source:
        sound = with_json("a", b'{"label": "cat"}') + with_json("b", b'{"label": "dog"}', "dog")
        rest = (with_json(f"c{number}", text, shown) for number, text in enumerate(texts))
        (root / "s.tar").write_bytes(b"".join([sound, *rest, _END]))
        return {"kind": "webdataset", "path": str(root / "s.tar"), "label": "json:label"}

    return make


def bytes_of(content: bytes, name: str = "s.tar") -> Make:
    """Return what writes any bytes under a tar's name."""

    def make(root: Path, rng: random.Random) -> Source:
        (root / name).write_bytes(content)
        return {"kind": "webdataset", "path": str(root)}

    return make


def cases() -> Iterator[Case]:
    """Yield the cases of tars."""
    yield made("tar/sound", tar_of(), 2)
    yield from _sizes()
    yield from _headers()
    yield from _links()
    yield from _labels()
    yield from _json()
    yield from _names()
    yield from _no_tars()
    yield from _many()
    yield from _changing()
    yield from _flipped()


def _sizes() -> Iterator[Case]:
    def holey(name: str, size: int, head: bytes = b"", rest: bytes = b"") -> Make:
        def make(root: Path, rng: random.Random) -> Source:
            before = sample("a") + sample("b", "dog", "dog") + header(name, size)
            filled = -(-size // BLOCK) * BLOCK
            sparse(root / "s.tar", len(before) + filled + len(rest + _END), before + head, rest + _END)
            return {"kind": "webdataset", "path": str(root / "s.tar")}

        return make

    label = member("c.cls", b"cat")
    for size, words in ((200 * 10**9, "200 GB"), (9 * 10**9, "9 GB"), (300 * 10**6, "300 MB")):
        yield recorded(f"tar/sparse image of {words}", holey("c.png", size, rest=label), 1, 2, says="larger than")
        yield recorded(
            f"tar/image with a tail of {words}",
            holey("c.png", size, painted("cat", "s/c"), label),
            1,
            2,
            says="larger than",
        )
        image = member("c.png", painted("cat", "s/c"))
        yield refused(f"tar/sparse class of {words}", holey("c.cls", size, rest=image), "s/c")
        yield made(f"tar/sparse file of no sample of {words}", holey("README", size), 2)
    yield made("tar/300 GB of holes after the end", _holes_after, 2)
    yield refused(
        "tar/200 GB of holes alone",
        lambda root, _: {"kind": "webdataset", "path": str(sparse(root / "s.tar", 200 * 10**9))},
    )
    for kind, words in ((b"L", "long name"), (b"K", "long link"), (b"x", "pax header"), (b"g", "global pax header")):
        for size, much in ((200 * 10**9, "200 GB"), (300 * 10**6, "300 MB")):
            yield refused(f"tar/{words} of {much}, a hole", _holey_header(kind, size), "header")
    for size in (-1, -512, -1024, -(2**63), -(2**90), 2**62, 2**80):
        yield refused(f"tar/a size of {size}", tar_of(header("c.png", size), member("c.cls", b"cat")), "s.tar")
        yield refused(f"tar/a long name's size of {size}", tar_of(header("n", size, b"L"), sample("c")), "webdataset")
    yield refused("tar/a size beyond the end", tar_of(header("c.png", 10**7), bytes(5000), end=b""), "s.tar")
    yield refused(
        "tar/a class's size beyond the end",
        tar_of(member("c.png", painted("cat", "s/c")), header("c.cls", 10**7), b"cat", end=b""),
        "s.tar",
    )
    for size in ("0", "1", "100", "-5", "99999999999999999999", "1e3", "", "x", "0x10", " 7"):
        image = painted("cat", "s/c")
        yield either(
            f"tar/a pax size of {size!r}",
            tar_of(extended(b"x", pax(size=size)), header("c.png", len(image)), padded(image), member("c.cls", b"cat")),
        )
    whole = painted("cat", "s/c")
    right = tar_of(
        extended(b"x", pax(size=str(len(whole)))), header("c.png", 0), padded(whole), member("c.cls", b"cat")
    )
    yield either("tar/a size in pax alone", right)
    yield either("tar/a global pax size", tar_of(extended(b"g", pax(size="100")), sample("c")))


def _holes_after(root: Path, rng: random.Random) -> Source:
    source = tar_of()(root, rng)
    os.truncate(root / "s.tar", 300 * 10**9)
    return source


def _holey_header(kind: bytes, size: int) -> Make:
    def make(root: Path, rng: random.Random) -> Source:
        before = sample("a") + header("./@LongLink", size, kind)
        filled = -(-size // BLOCK) * BLOCK
        sparse(root / "s.tar", len(before) + filled + 3 * BLOCK, before, header("c.png", 0) + _END)
        return {"kind": "webdataset", "path": str(root / "s.tar")}

    return make


def _headers() -> Iterator[Case]:
    for much in (2 * 10**6, 60 * 10**6):
        long = later(lambda much: tar_of(extended(b"L", b"c" * much + b".png\0"), header("c.png", 0)), much)
        yield refused(f"tar/a long name of {much:,} bytes", long, "header")
        for kind, words in ((b"x", "pax"), (b"g", "global pax")):
            comment = later(
                lambda kind, much: tar_of(extended(kind, pax(comment=b"c" * much)), sample("c")), kind, much
            )
            yield refused(f"tar/a {words} comment of {much:,} bytes", comment, "header")
    many = later(lambda: tar_of(extended(b"x", b"".join(pax(**{f"k{n}": "v"}) for n in range(40_000))), sample("c")))
    yield either("tar/40,000 pax records", many)
    yield either(
        "tar/3,000 pax headers in a row", later(lambda: tar_of(*[extended(b"x", pax(comment="c"))] * 3000, sample("c")))
    )
    yield either(
        "tar/3,000 long names in a row", later(lambda: tar_of(*[extended(b"L", b"c.png\0")] * 3000, sample("c")))
    )
    yield either(
        "tar/20,000 global pax headers",
        later(lambda: tar_of(*[extended(b"g", pax(**{f"k{n}": "v" * 200})) for n in range(20_000)], sample("c"))),
    )
    for text in (
        b"",
        b"0 path=x\n",
        b"5\n",
        b"-1 a=b\n",
        b"999999999 a=b\n",
        b"99 path=x\n",
        b"x path=y\n",
        b"9 path=x",
        b"\0" * 600,
        b"9" * 4500 + b" a=b\n",
    ):
        yield either(f"tar/a pax header of {text[:20]!r}", tar_of(extended(b"x", text), sample("c")))
    yield either("tar/a pax path of no UTF-8", tar_of(extended(b"x", pax(path=b"\xff\xfe.png")), sample("c")))
    yield either("tar/a pax charset", tar_of(extended(b"g", pax(hdrcharset="BINARY")), sample("c")))
    yield either("tar/a pax path for all", tar_of(extended(b"g", pax(path="c.png")), sample("c"), sample("d")))
    for name in ("GNU__sparse__size", "GNU__sparse__major", "GNU__sparse__map", "GNU__sparse__realsize"):
        yield either(f"tar/pax {name}", tar_of(extended(b"x", pax(**{name: "9" * 30})), sample("c")))
    yield either(
        "tar/pax sparse 1.0",
        tar_of(
            extended(
                b"x",
                pax(
                    GNU__sparse__major="1",
                    GNU__sparse__minor="0",
                    GNU__sparse__name="c.png",
                    GNU__sparse__realsize="10",
                ),
            ),
            header("GNUSparseFile.0/c.png", 512),
            b"99999999\n" + bytes(503),
        ),
    )
    old = header("c.png", 512, b"S")
    yield refused("tar/an old sparse member", tar_of(old, bytes(512), member("c.cls", b"cat")))
    for kind in (b"1", b"2", b"3", b"4", b"6", b"7", b"Z", b"V", b"M", b"D", b"\xff"):
        yield either(f"tar/a member of type {kind!r}", tar_of(header("c.png", 0, kind), member("c.cls", b"cat")))
    yield either("tar/a date of no one", tar_of(header("c.png", 0, mtime=2**60), sample("d")))


def _links() -> Iterator[Case]:
    def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
        return header(name, 0, kind, linkname=target)

    label = member("c.cls", b"cat")
    same = {"s/c": paint("cat", "s/a")}
    yield made("tar/a link to an image", tar_of(link("c.png", "a.png"), label), 3, colors=same)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        yield refused(
            f"tar/a link {kind!r} out of the tar",
            tar_of(link("c.png", "/etc/passwd", kind), label),
            "no file in the same tar",
        )
        yield refused(
            f"tar/a link {kind!r} upward",
            tar_of(link("c.png", "../../../../etc/passwd", kind), label),
            "no file in the same tar",
        )
        yield refused(
            f"tar/a link {kind!r} to itself", tar_of(link("c.png", "c.png", kind), label), "no file in the same tar"
        )
    chain = later(
        lambda: tar_of(
            link("c.png", "x/0.png"),
            label,
            *[link(f"x/{n}.png", f"{n + 1}.png") for n in range(20_000)],
            link("x/20000.png", "../a.png"),
        )
    )
    yield either("tar/a chain of 20,000 links", chain, colors={"s/c": paint("cat", "s/a")})
    loop = [link("c.png", "d.png"), label, link("d.png", "c.png"), member("d.cls", b"cat")]
    yield refused("tar/a loop of links", tar_of(*loop), "no file in the same tar")
    yield refused("tar/a link to a folder", tar_of(header("f/", 0, tarfile.DIRTYPE), link("c.png", "f"), label))
    yield made(
        "tar/3,000 links to one image",
        later(lambda: tar_of(*[link(f"{n}.png", "a.png") + member(f"{n}.cls", b"cat") for n in range(3_000)])),
        3_002,
        colors={f"s/{n}": paint("cat", "s/a") for n in range(3_000)},
    )


def _labels() -> Iterator[Case]:
    for size in (5_000, 10**6, 20 * 10**6):
        yield refused(
            f"tar/a class of {size:,} letters", later(lambda size: tar_of(sample("c", "x" * size)), size), "s/c"
        )
        yield refused(
            f"tar/a class of {size:,} digits", later(lambda size: tar_of(sample("c", "9" * size)), size), "s/c"
        )
        yield refused(
            f"tar/a class of {size:,} spaces", later(lambda size: tar_of(sample("c", " " * size)), size), "s/c"
        )
    digits = tar_of(*[sample(f"c{n}", str(n) * 5000, "x") for n in range(1, 9)])
    yield refused("tar/only classes of 5,000 digits", digits, "s/c1")
    for words, text in (
        ("nothing", b""),
        ("spaces", b" \n\t"),
        ("NUL", b"a\0b"),
        ("two lines", b"cat\ndog"),
        ("no UTF-8", b"caf\xe9"),
        ("a lone surrogate", b"\xed\xa0\x80"),
        ("UTF-16", "cat".encode("utf-16")),
        ("a carriage return", b"a\rb"),
        ("a negative number", b"-1"),
        ("an overlong zero", b"\xc0\x80"),
    ):
        yield refused(f"tar/a class of {words}", tar_of(sample("c", text)), "s/c")
    for words, text in (
        ("an escape sequence", "\x1b[2J\x1b]0;x\x07"),
        ("markup", "<script>alert(1)</script>"),
        ("a path", "../../etc/passwd"),
        ("full-width digits", "\uff11"),
        ("a superscript", "\u00b2"),
        ("a separator", "a\u2028b"),
        ("a mark of direction", "\u202ecat"),
        ("an integer of 19 digits", "9" * 19),
        ("a float", "1e5"),
        ("a number with a line between", "1_000"),
        ("NaN", "NaN"),
        ("zeros in front", "007"),
        ("a plus", "+5"),
        ("minus zero", "-0"),
        ("a formula", "=1+1"),
    ):
        yield made(f"tar/a class of {words}", tar_of(sample("c", text, text)), 3)
    yield refused("tar/classes given, of a lone surrogate", tar_of(classes=["cat", "dog", "\ud800"]))
    yield refused(
        "tar/an index of 5,000 digits, classes counted", tar_of(sample("c", "1" * 5000), classes=2), "webdataset"
    )
    yield refused(
        "tar/100,000 distinct classes of 1,000 letters",
        later(lambda: tar_of(*[sample(f"{n}", f"{n:01000d}x") for n in range(100_000)])),
        "class",
    )


def _json() -> Iterator[Case]:
    deep = 100_000
    for words, text in (
        ("lists of depth 100,000", lambda: b"[" * deep),
        ("closed lists of depth 100,000", lambda: b"[" * deep + b"]" * deep),
        ("mappings of depth 100,000", lambda: b'{"label":' * deep + b"1" + b"}" * deep),
        ("a label of depth 100,000", lambda: b'{"label":' + b"[" * deep + b"]" * deep + b"}"),
        ("a label of depth 900", b'{"label":' + b"[" * 900 + b"]" * 900 + b"}"),
        ("NaN", b'{"label": NaN}'),
        ("Infinity", b'{"label": -Infinity}'),
        ("a float", b'{"label": 1.0}'),
        ("a great float", b'{"label": 1e999}'),
        ("null", b'{"label": null}'),
        ("a mapping", b'{"label": {"a": 1}}'),
        ("a list", b'{"label": ["cat"]}'),
        ("nothing", b""),
        ("no label", b"{}"),
        ("a number alone", b"7"),
        ("a text alone", b'"label"'),
        ("a list alone", b'["label"]'),
        ("no JSON", b"label: cat"),
        ("a lone surrogate", b'{"label": "\\ud800"}'),
        ("a cut pair", b'{"label": "\\ud83d"}'),
        ("NUL", b'{"label": "a\\u0000b"}'),
        ("a line break", b'{"label": "a\\nb"}'),
        ("an empty text", b'{"label": ""}'),
        ("5,000 digits", b'{"label": ' + b"9" * 5000 + b"}"),
        ("4,000 digits", b'{"label": ' + b"9" * 4000 + b"}"),
        ("20 digits", b'{"label": ' + b"9" * 20 + b"}"),
        ("a negative number", b'{"label": -1}'),
        ("a text of 3 MB", lambda: b'{"label": "' + b"x" * 3 * 10**6 + b'"}'),
        ("a list of 3 MB", lambda: b'{"label": [' + b"1," * 10**6 + b"1]}"),
        ("20 MB beside", lambda: b'{"label": "cat", "x": "' + b"x" * 20 * 10**6 + b'"}'),
        ("a doubled label", b'{"label": "dog", "label": "cat"}'),
        ("a doubled label, escaped", b'{"l\\u0061bel": "dog", "label": "cat"}'),
        ("UTF-16", '{"label": "cat"}'.encode("utf-16")),
        ("a byte order mark", b'\xef\xbb\xbf{"label": "cat"}'),
        ("no UTF-8", b'{"label": "caf\xe9"}'),
        ("more after it", b'{"label": "cat"}{"label": "dog"}'),
        ("a lone surrogate as the field", b'{"\\ud800": "cat"}'),
    ):
        yield refused(f"json/{words}", later(lambda text: json_of(text() if callable(text) else text), text), "s/c0")
    yield made("json/a pair of surrogates", json_of(b'{"label": "\\ud83d\\ude00"}', shown="\U0001f600"), 3)
    yield made("json/doubled keys beside the label", json_of(b'{"x": 1, "x": 2, "label": "cat"}'), 3)
    yield made("json/3 MB beside the label", json_of(b'{"label": "cat", "x": [' + b"[]," * 10**6 + b"1]}"), 3)
    yield either("json/a truth value", json_of(b'{"label": true}'), colors={"s/c0": None})
    field = "x" * 10**6
    yield refused("json/a field of 1,000,000 letters", tar_of(label=f"json:{field}"), "s/a")


def _names() -> Iterator[Case]:
    for words, key in (
        ("latin-1", b"caf\xe9"),
        ("a line break", b"a\nb"),
        ("a carriage return", b"a\rb"),
    ):
        text = key.decode("utf-8", "surrogateescape")
        yield refused(f"tar/a key with {words}", tar_of(sample(text)))
    for words, key in (
        ("an escape sequence", "\x1b[2J\x1b]0;x\x07"),
        ("dots above", "../../c"),
        ("an absolute path", "/etc/c"),
        ("spaces", " c "),
        ("a backslash", "a\\b"),
        ("colons", "C:c"),
        ("markup", "<b>c<b>"),
        ("two slashes", "a//c"),
    ):
        yield either(
            f"tar/a key with {words}",
            tar_of(member(f"{key}.png", painted("cat", "x")), member(f"{key}.cls", b"cat")),
            colors={f"s/{key}": None},
        )
    for length in (3_000, 5_000, 500_000):
        key = "k" * length
        parts = [
            extended(b"L", f"{key}.{kind}".encode() + b"\0") + member("c", content)
            for kind, content in (("png", painted("cat", f"s/{key}")), ("cls", b"cat"))
        ]
        yield (made if length < 4000 else refused)(
            f"tar/a key of {length:,} bytes", tar_of(*parts), *([3] if length < 4000 else ["name"])
        )
    deep = "d/" * 1900 + "c"
    parts = [
        extended(b"L", f"{deep}.{kind}".encode() + b"\0") + member("c", content)
        for kind, content in (("png", painted("cat", f"s/{deep}")), ("cls", b"cat"))
    ]
    yield made("tar/a key of 1,900 folders", tar_of(*parts), 3)
    yield refused(
        "tar/one key with 200,000 extensions",
        later(lambda: tar_of(*[header(f"c.{n}", 0) for n in range(200_000)])),
        "s.tar",
    )
    yield refused("tar/a member twice", tar_of(sample("c"), member("c.png", b"x")), "twice")
    yield refused(
        "tar/two images of one key",
        tar_of(member("c.png", b"x"), member("c.jpg", b"x"), member("c.cls", b"cat")),
        "2 images",
    )
    yield refused("tar/a key again", tar_of(sample("a")))
    yield refused(
        "tar/a hidden name of 500,000 bytes",
        tar_of(extended(b"L", b"." + b"h" * 500_000 + b"\0"), header("c", 0)),
        "name",
    )


def _no_tars() -> Iterator[Case]:
    packed, zipped = gzip.compress(sample("a") + _END), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.png", painted("cat", "s/a"))
    for words, content in (
        ("nothing", b""),
        ("one byte", b"x"),
        ("511 zeros", bytes(511)),
        ("512 zeros", bytes(512)),
        ("10,240 zeros", bytes(10_240)),
        ("a ZIP archive", zipped.getvalue()),
        ("gzip", packed),
        ("text", b"hello\n" * 500),
        ("an image", painted("a", "b")),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    ):
        yield refused(f"tar/is {words}", bytes_of(content), "s.tar" if content and content.strip(b"\0") else "")
    yield refused("tar/gzip by name", bytes_of(packed, "s.tar.gz"), "compressed")
    yield refused("tar/noise", lambda root, rng: bytes_of(rng.randbytes(10_000))(root, rng), "s.tar")
    yield refused("tar/a name with a line break", bytes_of(b"x" * 600, "a\nb.tar"))
    yield refused("tar/a name with an escape sequence", bytes_of(b"x" * 600, "a\x1b[2Jb.tar"))
    yield either(
        "tar/a name that is no UTF-8",
        lambda root, rng: (
            os.rename(tar_of()(root, rng)["path"], os.fsencode(root) + b"/caf\xe9.tar"),
            {"kind": "webdataset", "path": str(root)},
        )[1],
    )


def _many() -> Iterator[Case]:
    yield refused(
        "tar/200,000 headers without content",
        later(lambda: tar_of(*[header(f"{n}.png", 0) for n in range(200_000)])),
        "no .cls",
    )
    yield made(
        "tar/100,000 headers of no sample", later(lambda: tar_of(*[header(f"README{n}", 0) for n in range(100_000)])), 2
    )
    whole = sample("a") + _END
    yield made(
        "tar/5,000 tars in one",
        lambda root, rng: (
            (root / "s.tar").write_bytes(whole + b"".join(sample(f"c{n}") + _END * 5 for n in range(5_000))),
            {"kind": "webdataset", "path": str(root / "s.tar")},
        )[1],
        5_001,
    )


def _changing() -> Iterator[Case]:
    def after(change: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda root: (change(root / "s.tar"), None)[1]

    def fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def flipped(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[540] ^= 1
        path.write_bytes(content)

    for words, change, says in (
        ("is gone", Path.unlink, "does not exist"),
        ("is emptied", lambda path: path.write_bytes(b""), "s.tar"),
        ("is cut", lambda path: os.truncate(path, 700), "s.tar"),
        ("is a FIFO", fifo, "no regular file"),
        ("is all holes", lambda path: sparse(path, 200 * 10**9), "s.tar"),
        ("has a bit flipped", flipped, "changed after"),
        ("claims more", lambda path: path.write_bytes(header("a.png", 2**60) + path.read_bytes()[BLOCK:]), "s.tar"),
    ):
        yield refused(f"tar/the tar {words} after the plan", tar_of(), says, after_plan=after(change))


def _flipped() -> Iterator[Case]:
    """Sums of headers do not see every edit, and what is edited may be good: a class's text is anyone's to change."""
    sound = sample("a") + sample("b", "dog", "dog") + sample("c", "fox", "fox") + _END

    def damaged(root: Path, rng: random.Random) -> Source:
        content = bytearray(sound)
        block = rng.choice([0, 1024, 2048, 3072, 4096, 5120])
        content[block + rng.randrange(148)] = rng.randrange(256)
        content[block : block + BLOCK] = _summed(content[block : block + BLOCK])
        (root / "s.tar").write_bytes(content)
        return {"kind": "webdataset", "path": str(root / "s.tar")}

    anything = {f"s/{key}": None for key in "abc"}
    for number in range(12):
        yield either(f"tar/an edited header {number}", damaged, colors=_Anything(anything))


class _Anything(dict[str, Any]):
    """Lets an image under any key have any color: a renamed member is another."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None

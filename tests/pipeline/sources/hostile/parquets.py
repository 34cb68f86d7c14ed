"""Parquet files whose columns, pages, footers and metadata are not what a library writes."""

import json
import os
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
from tests.pipeline.sources.hostile.thrift import (
    BYTE_ARRAY,
    I32,
    RLE_DICTIONARY,
    Column,
    leaf,
    page,
    parquet,
    plain,
    runs,
    texts,
)

Make = Callable[[Path, random.Random], Source]
NAMES = ["cat", "dog", "cat", "fox"]
_GZIP, _ZSTD = 2, 6


def image(row: int, label: str = "") -> bytes:
    """Return the image of a row of ``p.parquet``."""
    return painted(label or NAMES[row % 4], f"p.parquet:{row}")


def written(content: bytes, **options: Any) -> Make:
    """Return what writes bytes under a Parquet file's name."""

    def make(root: Path, rng: random.Random) -> Source:
        (root / "p.parquet").write_bytes(content)
        return {"kind": "parquet", "path": str(root / "p.parquet"), **options}

    return make


def table_of(
    columns: dict[str, Any],
    metadata: dict[str | bytes, bytes | str] | None = None,
    how: dict[str, Any] | None = None,
    **options: Any,
) -> Make:
    """Return what writes a table, made when the case is: the first columns are images and labels, unless given."""

    def make(root: Path, rng: random.Random) -> Source:
        given: dict[str, Any] = {name: value() if callable(value) else value for name, value in columns.items()}
        count = len(given["label"]) if "label" in given else 4
        found = {"image": [image(row) for row in range(count)], "label": NAMES[:count]} | given
        table = pa.table(found).replace_schema_metadata(metadata)
        pq.write_table(table, root / "p.parquet", **(how or {}))
        return {"kind": "parquet", "path": str(root / "p.parquet"), **options}

    return make


def columns_of(images: Column | None = None, labels: Column | None = None, count: int = 4) -> list[Column]:
    """Return two columns, honest where they are not given."""
    found = images or plain(b"image", [image(row) for row in range(count)])
    return [found, labels or plain(b"label", [NAMES[row % 4].encode() for row in range(count)])]


def cases() -> Iterator[Case]:
    """Yield the cases of Parquet files."""
    yield made("parquet/sound", table_of({}), 4)
    yield either("parquet/sound, by hand", written(_text_file(columns_of())))
    yield from _files()
    yield from _columns()
    yield from _labels()
    yield from _keys()
    yield from _images()
    yield from _metadata()
    yield from _schemas()
    yield from _footers()
    yield from _bombs()
    yield from _changing()
    yield from _flipped()


def _text_file(columns: Sequence[Column], **more: Any) -> bytes:
    """Return a file whose labels are marked as text."""
    schema = [{4: b"schema", 5: I32(len(columns))}, *map(_marked, columns)]
    return parquet(columns, **{"schema": schema, **more})


def _marked(column: Column) -> dict[int, Any]:
    is_text = column.kind == BYTE_ARRAY and column.name != b"image"
    return leaf(column) | ({6: I32(0)} if is_text else {})


def _files() -> Iterator[Case]:
    for words, content in (
        ("nothing", b""),
        ("one byte", b"P"),
        ("only marks", b"PAR1PAR1"),
        ("encrypted", b"PARE" + bytes(50) + b"PARE"),
        ("zeros", bytes(1000)),
        ("noise", bytes(range(256)) * 9),
        ("a footer of zeros", b"PAR1" + bytes(100) + (100).to_bytes(4, "little") + b"PAR1"),
        ("a footer longer than the file", b"PAR1" + bytes(100) + (2**31).to_bytes(4, "little") + b"PAR1"),
        ("a footer of all bits", b"PAR1" + b"\xff" * 100 + (100).to_bytes(4, "little") + b"PAR1"),
        ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    ):
        yield refused(f"parquet/is {words}", written(content), "p.parquet")
    yield refused("parquet/200 GB of holes", _holey(b"", b""), "p.parquet")
    yield refused(
        "parquet/200 GB of holes between marks", _holey(b"PAR1", (2**30).to_bytes(4, "little") + b"PAR1"), "p.parquet"
    )
    yield refused(
        "parquet/a footer of 60 MB, a hole", _holey(b"PAR1", (60 * 10**6).to_bytes(4, "little") + b"PAR1"), "p.parquet"
    )

    def far(root: Path, rng: random.Random) -> Source:
        content = _text_file(columns_of())
        size = int.from_bytes(content[-8:-4], "little") + 8
        sparse(root / "p.parquet", 200 * 10**9, content[:-size], content[-size:])
        return {"kind": "parquet", "path": str(root / "p.parquet")}

    yield made("parquet/200 GB of holes before the footer", far, 4)


def _holey(head: bytes, tail: bytes) -> Make:
    return lambda root, _: {"kind": "parquet", "path": str(sparse(root / "p.parquet", 200 * 10**9, head, tail))}


def _columns() -> Iterator[Case]:
    def doubled(name: str) -> Make:
        def make(root: Path, rng: random.Random) -> Source:
            arrays = [pa.array([image(row) for row in range(4)]), pa.array(NAMES)]
            extra = pa.array(NAMES[::-1]) if name == "label" else pa.array([image(3 - row) for row in range(4)])
            table = pa.Table.from_arrays([*arrays, extra], names=["image", "label", name])
            pq.write_table(table, root / "p.parquet")
            return {"kind": "parquet", "path": str(root / "p.parquet")}

        return make

    for name in ("label", "image"):
        yield refused(f"parquet/a doubled column {name}", doubled(name), f"'{name}'")
    yield refused("parquet/no label", lambda root, _: _pair(root, {"image": [image(0)]}), "no column 'label'")
    yield refused("parquet/no image", lambda root, _: _pair(root, {"label": ["cat"]}), "no column 'image'")
    yield refused(
        "parquet/20,000 columns, and none of ours",
        lambda root, _: _pair(root, {f"column{n}": [1] for n in range(20_000)}),
        "10,000 are read",
    )
    yield refused(
        "parquet/a column named by 500,000 letters", lambda root, _: _pair(root, {"c" * 500_000: [1]}), "no column"
    )
    yield refused("parquet/no columns", lambda root, _: _pair(root, {}), "no column")
    flat = {
        "image": lambda: pa.array([{"bytes": image(row), "path": "x"} for row in range(4)]),
        "image.bytes": lambda: [image(3 - row) for row in range(4)],
    }
    yield either("parquet/a flat column named like an inner one", table_of(flat))
    inner = {
        "image": lambda: pa.array([{"bytes": image(row)} for row in range(4)]),
        "image.path": lambda: ["/etc/passwd"] * 4,
    }
    yield either("parquet/a flat column named like an inner path", table_of(inner))
    dotted = {
        "a.b": lambda: [image(row) for row in range(4)],
        "a": lambda: pa.array([{"b": image(3 - row)} for row in range(4)]),
    }
    yield either("parquet/a column with a dot beside its twin", table_of(dotted, image="a.b"))
    yield either(
        "parquet/a label with a dot beside its twin",
        table_of({"a.b": NAMES, "a": lambda: pa.array([{"b": name} for name in NAMES[::-1]])}, label="a.b"),
    )

    def fields(root: Path, rng: random.Random) -> Source:
        arrays = [pa.array([image(row) for row in range(4)]), pa.array([image(3 - row) for row in range(4)])]
        struct = pa.StructArray.from_arrays(arrays, ["bytes", "bytes"])
        pq.write_table(pa.table({"image": struct, "label": NAMES}), root / "p.parquet")
        return {"kind": "parquet", "path": str(root / "p.parquet")}

    yield refused("parquet/a struct with two fields bytes", fields, "two fields")
    for words, array in (
        ("a list", lambda: pa.array([[image(row)] for row in range(4)])),
        ("a map", lambda: pa.array([[("bytes", image(row))] for row in range(4)], pa.map_(pa.string(), pa.binary()))),
        ("integers", lambda: pa.array([1, 2, 3, 4])),
        ("nulls", lambda: pa.nulls(4)),
        ("a struct in a struct", lambda: pa.array([{"bytes": {"bytes": image(row)}} for row in range(4)])),
        ("a list of structs", lambda: pa.array([[{"bytes": image(row)}] for row in range(4)])),
        ("a struct of a list", lambda: pa.array([{"bytes": [image(row)]} for row in range(4)])),
        ("dates", lambda: pa.array([1, 2, 3, 4], pa.date32())),
    ):
        yield refused(f"parquet/images are {words}", table_of({"image": array}), "'image'")
    for depth in (30, 200):
        yield refused(
            f"parquet/images {depth} lists deep",
            table_of({"image": partial(_nested, depth)}),
            "p.parquet" if depth > 100 else "image",
        )
        yield refused(
            f"parquet/labels {depth} lists deep",
            table_of({"label": partial(_nested, depth)}),
            "p.parquet" if depth > 100 else "label",
        )
    for words, array in (
        ("a list", lambda: pa.array([[1], [2], [3], [4]])),
        ("a struct", lambda: pa.array([{"a": 1}] * 4)),
        ("a map", lambda: pa.array([[("a", 1)]] * 4, pa.map_(pa.string(), pa.int64()))),
        ("lists of megabytes", lambda: pa.array([list(range(500_000))] * 4)),
        ("floats", lambda: pa.array([1.0, 2.0, 3.0, 4.0])),
        ("NaN", lambda: pa.array([float("nan")] * 4)),
        ("half floats", lambda: pa.array([1, 2, 3, 4], pa.float32()).cast(pa.float16())),
        ("decimals", lambda: pa.array([1, 2, 3, 4], pa.decimal128(30, 2))),
        ("dates", lambda: pa.array([1, 2, 3, 4], pa.date32())),
        ("times", lambda: pa.array([2**52] * 4, pa.timestamp("s"))),
        ("times of day", lambda: pa.array([1] * 4, pa.time64("us"))),
        ("durations", lambda: pa.array([2**52] * 4, pa.duration("s"))),
        ("bytes", lambda: pa.array([b"cat"] * 4)),
        ("nulls", lambda: pa.nulls(4)),
        ("one null", lambda: pa.array(["cat", None, "dog", "fox"])),
        ("negative", lambda: pa.array([0, 1, -1, 2])),
        ("empty texts", lambda: pa.array([""] * 4)),
        ("UUIDs", lambda: pa.array([bytes(16)] * 4, pa.binary(16))),
        ("a dictionary of lists", lambda: pa.array([[1], [2], [1], [2]])),
    ):
        yield refused(f"parquet/labels are {words}", table_of({"label": array}), "parquet")


def _nested(depth: int) -> pa.Array:
    array = pa.array([0, 1, 2, 3])
    for _ in range(depth):
        array = pa.ListArray.from_arrays(pa.array(range(5), pa.int32()), array)
    return array


def _pair(root: Path, columns: dict[str, Any]) -> Source:
    pq.write_table(pa.table(columns), root / "p.parquet")
    return {"kind": "parquet", "path": str(root / "p.parquet")}


def _labels() -> Iterator[Case]:
    for size in (5_000, 10**6, 10**7):
        for letter, words in (("x", "letters"), ("9", "digits")):
            yield refused(
                f"parquet/labels of {size:,} {words}", table_of({"label": partial(_repeated, letter, size)}), "label"
            )
    great = {"label": partial(_repeated, "x", 10**6, 4000), "image": lambda: [image(0)] * 4000}
    yield refused("parquet/4,000 times a label of 1 MB", table_of(great), "label")
    yield refused(
        "parquet/an integer beyond 63 bits",
        table_of({"label": lambda: pa.array([2**64 - 1] * 4, pa.uint64())}),
        "label",
    )
    digits = {"label": lambda: [str(number) * 5000 for number in range(1, 5)]}
    yield refused("parquet/only labels of 5,000 digits", table_of(digits), "label")
    for words, raw in (
        ("a lone surrogate", b"\xed\xa0\x80"),
        ("latin-1", b"caf\xe9"),
        ("an overlong zero", b"\xc0\x80"),
        ("NUL", b"a\0b"),
        ("a line break", b"a\nb"),
    ):
        labels = plain(b"label", [b"cat", b"dog", raw, b"fox"])
        says = "label" if raw.isascii() else "UTF-8"
        yield refused(f"parquet/a label of {words}", written(_text_file(columns_of(labels=labels))), says)
    for words, text in (
        ("an escape sequence", "\x1b[2J"),
        ("markup", "<script>alert(1)</script>"),
        ("a separator", "a\u2028b"),
        ("minus zero", "-0"),
    ):
        yield made(
            f"parquet/a label of {words}", table_of({"label": [text] * 4, "image": partial(_images_of, text)}), 4
        )
    yield refused(
        "parquet/classes given with an index of 5,000 digits",
        table_of({"label": partial(_repeated, "1", 5000)}, classes=3),
        "label",
    )
    many = {"label": lambda: [f"{n:01000d}x" for n in range(60_000)], "image": lambda: [b""] * 60_000}
    yield refused("parquet/60,000 distinct labels of 1,000 letters", table_of(many), "class")

    def partition(value: str) -> Make:
        def make(root: Path, rng: random.Random) -> Source:
            folder = root / f"label={value}"
            folder.mkdir()
            pq.write_table(pa.table({"image": [image(0)]}), folder / "p.parquet")
            return {"kind": "parquet", "path": str(root)}

        return make

    for value in ("%ED%A0%80", "%FF", "%00", "%0A", "", "-1", "__HIVE_DEFAULT_PARTITION__", "%"):
        yield either(f"parquet/a partition of {value!r}", partition(value), colors=_Any())


class _Any(dict[str, Any]):
    """Lets an image under any key have any color."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None


def _repeated(letter: str, size: int, count: int = 4) -> pa.Array:
    return (
        pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([letter * size])).cast(pa.string())
        if size * count < 10**8
        else pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([letter * size]))
    )


def _images_of(label: str) -> list[bytes]:
    return [image(row, label) for row in range(4)]


def _keys() -> Iterator[Case]:
    for words, keys in (
        ("the same", ["k"] * 4),
        ("5,000 letters", [f"{n}" + "k" * 5000 for n in range(4)]),
        ("1 MB", [f"{n}" + "k" * 10**6 for n in range(4)]),
        ("a line break", ["a\nb", "c", "d", "e"]),
        ("NUL", ["a\0b", "c", "d", "e"]),
        ("nothing", ["", "b", "c", "d"]),
    ):
        yield refused(f"parquet/keys of {words}", table_of({"k": keys}, key="k"))
    for words, keys in (
        ("dots above", ["../a", "../../b", "/etc/c", "d"]),
        ("an escape sequence", ["\x1b[2J", "b", "c", "d"]),
        ("integers", [1, 2, 3, 4]),
        ("floats", [1.5, float("nan"), float("inf"), -0.0]),
        ("lists", [[1], [2], [3], [4]]),
        ("bytes", [b"a", b"\xff", b"c", b"d"]),
        ("one null", ["a", None, "c", "d"]),
    ):
        yield either(f"parquet/keys of {words}", table_of({"k": keys}, key="k"), colors=_Any())
    raw = plain(b"k", [b"a", b"\xed\xa0\x80", b"c", b"d"])
    yield refused("parquet/a key of a lone surrogate", written(_text_file([*columns_of(), raw]), key="k"))


def _images() -> Iterator[Case]:
    def named(path: str) -> Make:
        return table_of({"image": lambda: pa.array([{"bytes": None, "path": path}] * 4)})

    for path in (
        "/etc/passwd",
        "../x.png",
        "a\0b",
        "x" * 300,
        "x" * 10**6,
        "p" * 200 + "/" * 3900,
        "",
        ".",
        "p.parquet/x",
        "/dev/zero",
        "link",
        "pipe",
    ):
        yield either(f"parquet/an image at {path[:20]!r} of {len(path):,} letters", _with_traps(named(path)))
    raw = plain(b"image", [b"\xed\xa0\x80"] * 4)
    schema = [{4: b"schema", 5: I32(2)}, leaf(raw) | {6: I32(0)}, leaf(plain(b"label", [b"a"])) | {6: I32(0)}]
    yield refused("parquet/an image's path of no UTF-8", written(parquet(columns_of(images=raw), schema=schema)))
    yield recorded(
        "parquet/images that are null",
        table_of({"image": lambda: pa.array([image(0), None, None, image(3)], pa.binary())}),
        2,
        2,
    )
    yield recorded(
        "parquet/structs that are null",
        table_of(
            {
                "image": lambda: pa.array(
                    [
                        {"bytes": image(0), "path": None},
                        None,
                        {"bytes": None, "path": None},
                        {"bytes": image(3), "path": None},
                    ]
                )
            }
        ),
        2,
        2,
    )
    yield recorded(
        "parquet/images that are none", table_of({"image": lambda: [image(0), b"x", b"\x89PNG", image(3)]}), 2, 2
    )
    great = table_of({"image": lambda: [image(0), bytes(270 * 10**6), image(2), image(3)]}, how={"compression": "zstd"})
    yield either("parquet/an image of 270 MB of zeros", great)


def _with_traps(make: Make) -> Make:
    def trapped(root: Path, rng: random.Random) -> Source:
        (root / "link").symlink_to("/etc/passwd")
        os.mkfifo(root / "pipe")
        return make(root, rng)

    return trapped


def _metadata() -> Iterator[Case]:
    def features(label: Any) -> str:
        return json.dumps({"info": {"features": {"label": label}}})

    def huggingface(text: str | bytes, **more: Any) -> Make:
        return table_of(
            {"label": [0, 1, 0, 2], "image": lambda: [image(row, NAMES[row]) for row in range(4)], **more},
            {"huggingface": text},
        )

    deep = "[" * 100_000 + "]" * 100_000
    yield made("parquet/names in the metadata", huggingface(features({"names": ["cat", "dog", "fox"]})), 4)
    for words, text in (
        ("lists of depth 100,000", deep),
        ("cut lists of depth 100,000", "[" * 100_000),
        ("mappings of depth 100,000", '{"info":' * 100_000),
        ("names of depth 100,000", '{"info":{"features":{"label":{"names":' + deep + "}}}}"),
        ("10 MB", lambda: features({"names": ["x" * 10**7]})),
        ("names that are 2,000,000", lambda: features({"names": [str(n) for n in range(2_000_000)]})),
        ("30 MB of lists", lambda: '{"x":[' + "[]," * 10**7 + "1]}"),
        ("a name of 5,000 letters", features({"names": ["x" * 5000, "dog", "fox"]})),
        ("a name of a lone surrogate", features({"names": ["\ud800", "dog", "fox"]})),
        ("a name with a line break", features({"names": ["a\nb", "dog", "fox"]})),
        ("an empty name", features({"names": ["", "dog", "fox"]})),
        ("a name twice", features({"names": ["cat", "cat", "fox"]})),
        ("too few names", features({"names": ["cat", "dog"]})),
        ("names that are lists", features({"names": [["cat"], ["dog"], ["fox"]]})),
        (
            "names that are numbers of 4,000 digits",
            '{"info":{"features":{"label":{"names":[' + "9" * 4000 + ",1,2]}}}}",
        ),
        ("names that are null", features({"names": [None, None, "x"]})),
    ):
        yield refused(
            f"parquet/metadata: {words}",
            later(lambda text: huggingface(text() if callable(text) else text), text),
            "p.parquet" if "twice" not in words and "few" not in words else "",
        )
    for words, text in (
        ("no JSON", "{"),
        ("no UTF-8", b"\xff\xfe"),
        ("null", "null"),
        ("a list", "[]"),
        ("a text", '"x"'),
        ("NaN", "NaN"),
        ("names that are a text", features({"names": "cat"})),
        ("names that are a mapping", features({"names": {"0": "cat"}})),
        ("no names", features({"names": []})),
        ("features that are a list", '{"info": {"features": [1]}}'),
        ("5,000 digits", "9" * 5000),
    ):
        yield either(f"parquet/metadata: {words}", huggingface(text), colors=_Any())
    for much in (20 * 10**6, 90 * 10**6):
        yield refused(
            f"parquet/metadata of {much:,} bytes",
            later(lambda much: table_of({}, {"x": "y" * much}), much),
            "p.parquet",
        )
    yield either(
        "parquet/200,000 pairs of metadata", later(lambda: table_of({}, {f"k{n}": "v" for n in range(200_000)}))
    )
    yield either(
        "parquet/an Arrow schema that is none", written(_text_file(columns_of(), pairs=[(b"ARROW:schema", b"!" * 100)]))
    )
    yield either("parquet/pandas metadata that is none", table_of({}, {"pandas": "{"}))


def _schemas() -> Iterator[Case]:
    def nested(depth: int) -> bytes:
        elements = [{4: b"schema", 5: I32(3)}, *(leaf(column) for column in columns_of())]
        elements += [{3: I32(0), 4: b"g", 5: I32(1)}] * depth + [{1: I32(1), 3: I32(0), 4: b"l"}]
        return parquet(columns_of(), schema=elements)

    for depth in (5_000, 100_000, 900_000):
        yield refused(
            f"parquet/a schema of depth {depth:,}", later(lambda depth: written(nested(depth)), depth), "p.parquet"
        )
    wide = [{4: b"schema", 5: I32(2**31 - 1)}, *(leaf(column) for column in columns_of())]
    yield refused("parquet/a schema of 2^31 children", written(parquet(columns_of(), schema=wide)), "p.parquet")
    less = [{4: b"schema", 5: I32(-5)}, *(leaf(column) for column in columns_of())]
    yield refused("parquet/a schema of -5 children", written(parquet(columns_of(), schema=less)), "p.parquet")
    many = later(
        lambda: written(
            parquet(
                columns_of(),
                schema=[
                    {4: b"schema", 5: I32(300_002)},
                    *(leaf(column) for column in columns_of()),
                    *[{1: I32(1), 3: I32(0), 4: b"l"}] * 300_000,
                ],
            )
        )
    )
    yield refused("parquet/a schema of 300,000 columns", many, "p.parquet")
    yield refused("parquet/no schema", written(parquet(columns_of(), schema=[])), "p.parquet")
    raw = [{4: b"schema", 5: I32(2)}, leaf(columns_of()[0]) | {4: b"im\xffge"}, leaf(columns_of()[1])]
    yield refused("parquet/a column's name of no UTF-8", written(parquet(columns_of(), schema=raw)), "p.parquet")


def _footers() -> Iterator[Case]:
    for words, more in (
        ("rows", {"rows": 2**62}),
        ("no rows", {"rows": 0}),
        ("negative rows", {"rows": -1}),
        ("more rows than there are", {"rows": 5, "group_rows": 5}),
        ("fewer rows than there are", {"rows": 3, "group_rows": 3}),
        ("a group of 2^62 rows", {"group_rows": 2**62}),
        ("a group of -1 rows", {"group_rows": -1}),
        ("a group more", {"rows": 4, "groups": 2}),
    ):
        yield refused(
            f"parquet/a footer that lies about {words}", written(_text_file(columns_of(), **more)), "p.parquet"
        )
    for number, name in (
        (5, "values"),
        (6, "unpacked bytes"),
        (7, "packed bytes"),
        (9, "the place of data"),
        (11, "the place of a dictionary"),
    ):
        for value in (0, -1, 3, 2**31, 2**62):
            images, labels = columns_of()
            labels.more = {number: value}
            yield either(f"parquet/labels with {name} at {value}", written(_text_file([images, labels])))
            images, labels = columns_of()
            images.more = {number: value}
            yield either(f"parquet/images with {name} at {value}", written(_text_file([images, labels])))
    swapped = columns_of()
    swapped[0].more, swapped[1].more = {3: [b"label"]}, {3: [b"image"]}
    yield either("parquet/columns that name each other", written(_text_file(swapped)))
    images, labels = columns_of()
    labels.more = {1: I32(1)}
    yield either("parquet/labels of another type", written(_text_file([images, labels])))
    for codec in (3, 5, 7, 99, -1):
        images, labels = columns_of()
        labels.codec = codec
        yield refused(f"parquet/a codec {codec}", written(_text_file([images, labels])), "p.parquet")
    yield either("parquet/500 row groups that are one", written(_text_file(columns_of(), groups=500)), colors=_Any())
    for claim in (0, 1, 10**6, 2**31 - 1, -1):
        labels = plain(b"label", [name.encode() for name in NAMES])
        labels.pages = [page(texts([name.encode() for name in NAMES]), 4, claim=claim)]
        yield either(f"parquet/a page that claims {claim} bytes", written(_text_file(columns_of(labels=labels))))
    for values in (0, 3, 5, 2**31 - 1, -1):
        labels = plain(b"label", [name.encode() for name in NAMES])
        labels.pages = [page(texts([name.encode() for name in NAMES]), values)]
        yield either(f"parquet/a page that claims {values} values", written(_text_file(columns_of(labels=labels))))
    for length in (2**31 - 1, 2**32 - 1, 100):
        labels = plain(b"label", [b"cat"] * 4)
        labels.pages = [page(texts([b"cat"] * 3) + length.to_bytes(4, "little") + b"cat", 4)]
        yield refused(
            f"parquet/a text that claims {length} bytes", written(_text_file(columns_of(labels=labels))), "p.parquet"
        )


def _bombs() -> Iterator[Case]:
    def bomb(name: bytes, size: int) -> Make:
        zeros = zlib.compressobj(9, wbits=31)
        packed = b"".join(zeros.compress(bytes(10**7)) for _ in range(200)) + zeros.flush()
        column = Column(name, BYTE_ARRAY, [page(packed, 4, unpacked=2 * 10**9)], 4, _GZIP, unpacked=size)
        return written(_text_file(columns_of(**{f"{name.decode()}s": column})))

    for size, words in ((2 * 10**9, "that say so"), (100, "that do not")):
        for name in (b"label", b"image"):
            yield refused(f"parquet/{name.decode()}s that unpack to 2 GB {words}", later(bomb, name, size), "p.parquet")
    for count in (10**6, 2**31 - 1):
        words = [page(texts([b"cat"]), 1, kind=2), page(runs(count), count, RLE_DICTIONARY)]
        pictures = [page(texts([image(0)]), 1, kind=2), page(runs(count), count, RLE_DICTIONARY)]
        labels = Column(b"label", BYTE_ARRAY, words, count, has_dictionary=True)
        images = Column(b"image", BYTE_ARRAY, pictures, count, has_dictionary=True)
        yield refused(f"parquet/{count:,} rows in few bytes", written(_text_file([images, labels])), "rows")
    count = 8000
    pictures = [page(texts([painted("cat", "x") + bytes(10**6)]), 1, kind=2), page(runs(count), count, RLE_DICTIONARY)]
    images = Column(b"image", BYTE_ARRAY, pictures, count, has_dictionary=True)
    labels = plain(b"label", [b"cat"] * count)
    yield refused("parquet/8,000 times one image of 1 MB", written(_text_file([images, labels])), "repeated")
    index = Column(
        b"label",
        BYTE_ARRAY,
        [page(texts([b"cat"]), 1, kind=2), page(runs(4, 7), 4, RLE_DICTIONARY)],
        4,
        has_dictionary=True,
    )
    yield refused("parquet/an index beyond the dictionary", written(_text_file(columns_of(labels=index))), "p.parquet")
    none = Column(b"label", BYTE_ARRAY, [page(runs(4, 0), 4, RLE_DICTIONARY)], 4)
    yield refused("parquet/an index without a dictionary", written(_text_file(columns_of(labels=none))), "p.parquet")
    twice = Column(
        b"label",
        BYTE_ARRAY,
        [page(texts([b"cat"]), 1, kind=2), page(texts([b"dog"]), 1, kind=2), page(runs(4), 4, RLE_DICTIONARY)],
        4,
        has_dictionary=True,
    )
    yield either("parquet/two dictionaries", written(_text_file(columns_of(labels=twice))))
    last = page(texts([name.encode() for name in NAMES]), 4)
    empty = later(
        lambda: written(
            _text_file(columns_of(labels=Column(b"label", BYTE_ARRAY, [page(b"", 0)] * 200_000 + [last], 4)))
        )
    )
    yield either("parquet/200,000 empty pages", empty)


def _changing() -> Iterator[Case]:
    def after(change: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda root: (change(root / "p.parquet"), None)[1]

    def fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def other(path: Path) -> None:
        pq.write_table(pa.table({"image": [image(3 - row) for row in range(4)], "label": NAMES}), path)

    def fewer(path: Path) -> None:
        pq.write_table(pa.table({"image": [image(0)], "label": NAMES[:1]}), path)

    for words, change, says in (
        ("is gone", Path.unlink, "p.parquet"),
        ("is emptied", lambda path: path.write_bytes(b""), "p.parquet"),
        ("is cut", lambda path: os.truncate(path, 300), "p.parquet"),
        ("is a FIFO", fifo, "no regular file"),
        ("is another", other, "changed after"),
        ("has fewer rows", fewer, ""),
        ("is 200 GB", lambda path: sparse(path, 200 * 10**9), "p.parquet"),
    ):
        yield refused(f"parquet/the file {words} after the plan", table_of({}), says, after_plan=after(change))


def _flipped() -> Iterator[Case]:
    """Bits of the footer; those of texts and images would only make other texts and images."""

    def damaged(root: Path, rng: random.Random) -> Source:
        content = bytearray(_text_file(columns_of()))
        begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        content[rng.randrange(begin, len(content))] ^= 1 << rng.randrange(8)
        (root / "p.parquet").write_bytes(content)
        return {"kind": "parquet", "path": str(root / "p.parquet")}

    for number in range(24):
        yield either(f"parquet/a bit of the footer {number}", damaged)


__all__ = ["cases", "paint"]

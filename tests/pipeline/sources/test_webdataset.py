import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest
import webdataset

from passband.pipeline.sources import SourceError
from passband.pipeline.sources.webdataset import WebDataset, WebDatasetOptions
from tests.pipeline.sources import files


def opened(path, **options):
    return WebDataset(WebDatasetOptions(path=str(path), **options))


def refused(path, **options):
    with pytest.raises(SourceError) as caught:
        list(opened(path, **options).entries())
    return str(caught.value)


@pytest.fixture
def root(tmp_path):
    return files.write_shards(tmp_path / "shards")


def test_keys_labels_and_offsets(root):
    source = opened(root)
    entries = list(source.entries())
    assert source.classes == ("0", "1")
    assert [entry.key for entry in entries[2:4]] == ["part-000/000002", "part-001/000003"]
    assert [entry.label for entry in entries] == [0, 1, 0, 1, 0, 1]
    assert [files.value(source, entry) for entry in entries] == list(range(6))
    assert (root / "part-001.tar").read_bytes()[entries[4].offset :].startswith(b"\x89PNG")


def test_folder_file_glob_and_braces_find_the_same_shards(root):
    everything = list(opened(root).entries())
    for pattern in ("part-*.tar", "part-{000..001}.tar", "part-00[01].tar", "{part,part}-*.tar"):
        source = opened(root / pattern)
        assert list(source.entries()) == everything
        assert source.paths == (str(root / "part-000.tar"), str(root / "part-001.tar"))
    assert list(opened(root / "part-001.tar").entries()) == everything[3:]
    assert opened(root).paths == (str(root),)


def test_a_missing_shard_of_a_pattern_is_named(root):
    with pytest.raises(SourceError, match="no file matches '.*part-002.tar'"):
        opened(root / "part-{000..002}.tar")
    (root / "empty").mkdir()
    with pytest.raises(SourceError, match="holds no .tar file"):
        opened(root / "empty")


def test_shards_of_the_stock_writer_are_read(tmp_path):
    with webdataset.TarWriter(str(tmp_path / "s.tar"), mtime=0) as writer:
        for n in range(4):
            writer.write(
                {"__key__": f"sub/{n}", "seg.png": files.png(9), "png": files.png(n), "json": {"y": f"c{n % 2}"}}
            )
    source = opened(tmp_path, image=["png"], label="json:y")
    entries = list(source.entries())
    assert source.classes == ("c0", "c1")
    assert [entry.key for entry in entries] == [f"s/sub/{n}" for n in range(4)]
    assert [files.value(source, entry) for entry in entries] == [0, 1, 2, 3]
    segments = opened(tmp_path, image=["seg.png"], label="json:y")
    assert {files.value(segments, entry) for entry in segments.entries()} == {9}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_folders_in_a_tar(tmp_path, form):
    long = "été" + "d" * 150 + "/" + "k" * 120
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        folder = tarfile.TarInfo("./" + long.split("/")[0])
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in ((f"./{long}.PNG", files.png(3)), (f"./{long}.cls", b" 7\n")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    source = opened(tmp_path)
    (entry,) = source.entries()
    assert entry.key == f"a/{long}"
    assert source.classes == ("7",)
    assert files.value(source, entry) == 3


def test_classes_by_list_and_by_count(root):
    assert [entry.label for entry in opened(root, classes=12).entries()] == [0, 1] * 3
    assert opened(root, classes=12).classes[-1] == "11"
    assert [entry.label for entry in opened(root, classes=["1", "0"]).entries()] == [0, 1] * 3  # digits are indices
    assert [entry.label for entry in opened(root, classes=["cat", "dog"]).entries()] == [0, 1] * 3
    assert "sample part-000/000001 has label 1, an index beyond 0 (1 classes)" in refused(root, classes=1)
    assert "named twice" in refused(root, classes=["a", "a"])


def test_numbers_sort_as_numbers_and_names_as_names(tmp_path):
    files.write_shards(tmp_path, shards=1, count=12, label=lambda n: str(n).encode())
    assert opened(tmp_path).classes == tuple(str(n) for n in range(12))
    files.write_shards(tmp_path, shards=1, count=3, label=lambda n: b"ba" if n else b"10")
    assert opened(tmp_path).classes == ("10", "ba")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.png", files.png())], "sample s/a has no .cls"),
        ([("a.cls", b"1")], "sample s/a has 0 images; it holds cls"),
        ([("a.cls", b"1"), ("a.png", b"x"), ("a.jpg", b"y")], "sample s/a has 2 images"),
        ([("a.cls", b""), ("a.png", b"x")], "sample s/a has label '', which is neither"),
        ([("a.cls", b"\xff"), ("a.png", b"x")], "sample s/a has no text in its .cls"),
        ([("a.png", b"x"), ("a.png", b"x"), ("a.cls", b"0")], "s.tar holds 'a.png' twice"),
        ([("a.json", b"{}"), ("a.txt", b"x")], "sample s/a has 0 images; it holds json, txt"),
        ([("a.heic", b"x"), ("b.heic", b"x")], "s.tar holds files such as 'b.heic', but none with an extension"),
    ],
)
def test_broken_samples_are_named(tmp_path, members, message):
    files.write_tar(tmp_path / "s.tar", members)
    assert message in refused(tmp_path)


def skipped(source):
    return {omission.reason: (omission.count, omission.examples) for omission in source.skipped}


def test_files_that_are_no_samples_are_skipped_and_counted(tmp_path):
    sample = [("b/0.png", files.png(7)), ("b/0.cls", b"0")]
    others = {
        "hidden": ["._0.png", "./._0.cls", "./b/._0.png", ".DS_Store", ".git/config.json", "b/.cache/1.png"],
        "__x__, which is no sample's": ["__info__.json", "b/__meta__", "__key__/1.png", "__MACOSX/0.png"],
        "no KEY.EXTENSION": ["README", "b/LICENSE", "ends."],
        "beside the samples": ["README.md", "b/labels.json", "notes.txt"],
    }
    names = [name for group in others.values() for name in group]
    for order in (names, names[::-1]):
        files.write_tar(tmp_path / "s.tar", [*((name, b"x") for name in order), *sample])
        source = opened(tmp_path)
        for _ in range(2):  # listing twice counts once
            assert [entry.key for entry in source.entries()] == ["s/b/0"]
            found = skipped(source)
            assert {reason: count for reason, (count, _) in found.items()} == {r: len(n) for r, n in others.items()}
            assert (
                found["hidden"][1] == [f"s/{name.removeprefix('./')}" for name in order if name in others["hidden"]][:3]
            )


def test_what_is_skipped_is_named_without_the_dot_of_tar(tmp_path):
    sample = [("./b/0.png", files.png(7)), ("./b/0.cls", b"0")]
    names = ["./._0.png", "./b/./._0.png", "././.git/x", "./__meta__", "./README", "./notes.txt"]
    files.write_tar(tmp_path / "s.tar", [*((name, b"x") for name in names), *sample])
    source = opened(tmp_path)
    assert [entry.key for entry in source.entries()] == ["s/b/0"]
    assert skipped(source) == {
        "hidden": (3, ["s/._0.png", "s/b/._0.png", "s/.git/x"]),
        "__x__, which is no sample's": (1, ["s/__meta__"]),
        "no KEY.EXTENSION": (1, ["s/README"]),
        "beside the samples": (1, ["s/notes.txt"]),
    }


def test_skipped_members_do_not_part_a_sample(tmp_path):
    members = [("._0.png", b"x"), ("0.png", files.png(7)), ("._0.cls", b"x"), ("__y__", b""), ("0.cls", b"3")]
    files.write_tar(tmp_path / "s.tar", members)
    assert [entry.key for entry in opened(tmp_path).entries()] == ["s/0"]


def test_a_key_may_begin_with_underscores(tmp_path):
    files.write_tar(tmp_path / "s.tar", [("__0.png", files.png(7)), ("__0.cls", b"3"), ("__a.json", b"{}")])
    source = opened(tmp_path)
    assert [entry.key for entry in source.entries()] == ["s/__0"]
    assert skipped(source) == {"beside the samples": (1, ["s/__a.json"])}


def test_json_beside_samples_whose_labels_are_json(tmp_path):
    sample = [("0.png", files.png(7)), ("0.json", b'{"y": "cat"}')]
    files.write_tar(tmp_path / "s.tar", [("dataset.json", b'{"count": 1}'), *sample])
    source = opened(tmp_path, label="json:y")
    assert [entry.key for entry in source.entries()] == ["s/0"]
    assert skipped(source) == {"beside the samples": (1, ["s/dataset.json"])}
    files.write_tar(tmp_path / "s.tar", [("1.json", b'{"y": "cat"}'), *sample])
    assert "sample s/1 has 0 images; it holds json" in refused(tmp_path, label="json:y")


def write_links(path, *links, kind=tarfile.LNKTYPE, form=tarfile.GNU_FORMAT):
    """Write sample 0, then a link and its label for each (name, target)."""
    with tarfile.open(path, "w", format=form) as tar:
        members = [("./d/0.png", files.png(7), ""), ("./d/0.cls", b"0", "")]
        for number, (name, target) in enumerate(links):
            members += [(name, b"", target), (name.removesuffix(".png") + ".cls", str(number + 1).encode(), "")]
        for name, content, target in members:
            info = tarfile.TarInfo(name)
            info.size, info.linkname = len(content), target
            info.type = kind if target else tarfile.REGTYPE
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_links_within_the_tar_are_read(tmp_path, form):
    long = "d/" + "k" * 150
    for kind, targets in (
        (tarfile.LNKTYPE, ("./d/0.png", "d/1.png", "d/0.png")),
        (tarfile.SYMTYPE, ("0.png", "../d/1.png", "0.png")),
    ):
        write_links(
            tmp_path / "a.tar",
            *zip(("./d/1.png", "d/2.png", f"{long}.png"), targets, strict=True),
            kind=kind,
            form=form,
        )
        source = opened(tmp_path)
        entries = list(source.entries())
        assert [entry.key for entry in entries] == ["a/d/0", "a/d/1", "a/d/2", f"a/{long}"]
        assert [files.value(source, entry) for entry in entries] == [7] * 4
        assert [entry.label for entry in entries] == [0, 1, 2, 3]


@pytest.mark.parametrize("target", ["gone.png", "d/1.png", "../../etc/passwd", "/etc/passwd", "d"])
def test_links_to_nothing_in_the_tar_are_named(tmp_path, target):
    write_links(tmp_path / "a.tar", ("d/1.png", target))
    assert "a.tar holds 'd/1.png', a link to" in refused(tmp_path)
    write_links(tmp_path / "a.tar", ("d/1.png", "2.png"), ("d/2.png", "1.png"), kind=tarfile.SYMTYPE)
    assert "which is no file in the same tar" in refused(tmp_path)


def test_what_is_neither_a_file_nor_a_link_is_named(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        info = tarfile.TarInfo("0.png")
        info.type = tarfile.FIFOTYPE
        tar.addfile(info)
    assert "a.tar holds '0.png', which is neither a file nor a link" in refused(tmp_path)


def test_members_of_a_sample_that_lie_apart_are_explained(tmp_path):
    for order in (["0.png", "1.png", "0.cls", "1.cls"], ["0.cls", "1.cls", "0.png", "1.png"]):
        contents = [(name, files.png() if name.endswith("png") else b"0") for name in order]
        files.write_tar(tmp_path / "s.tar", contents)
        assert "s.tar holds the members of sample s/0 apart" in refused(tmp_path)
        assert "tar --sort=name" in refused(tmp_path)
    assert "apart" not in refused(files.write_tar(tmp_path / "t.tar", [("0.png", files.png()), ("1.cls", b"0")]))


@pytest.mark.parametrize("blocks", [1, 2, 20, 5000])
def test_tars_one_after_the_other_are_read_to_their_end(tmp_path, blocks):
    """As `cat a.tar b.tar` leaves them, with few or many zero blocks in between."""
    wholes = []
    for number in range(3):
        members = [(f"{number}.png", files.png(number)), (f"{number}.cls", b"0")]
        wholes.append(files.write_tar(tmp_path / "one.tar", members).read_bytes()[: 4 * 512] + bytes(512 * blocks))
    (tmp_path / "one.tar").write_bytes(b"".join(wholes))
    source = opened(tmp_path)
    entries = list(source.entries())
    assert [entry.key for entry in entries] == ["one/0", "one/1", "one/2"]
    assert [files.value(source, entry) for entry in entries] == [0, 1, 2]
    (tmp_path / "one.tar").write_bytes(b"".join(wholes)[: 512 * (4 + blocks) + 700])
    assert "source webdataset: one.tar is" in refused(tmp_path)


@pytest.mark.parametrize("rest", [b"x", b"garbage" * 300, files.png()])
def test_bytes_after_the_end_of_a_tar_are_named(tmp_path, rest):
    path = files.write_shards(tmp_path, shards=1) / "part-000.tar"
    whole = path.read_bytes()
    for zeros in (b"", bytes(512 * 30), bytes(100)):
        path.write_bytes(whole + zeros + rest)
        assert "part-000.tar is damaged: bytes after its end, at" in refused(tmp_path)
    path.write_bytes(whole + bytes(513))
    assert len(list(opened(tmp_path).entries())) == 3


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"no json", b'{"y": 1.5}', b'{"y": null}'])
def test_bad_json_labels_are_named(tmp_path, content):
    files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), ("a.json", content)])
    assert "sample s/a has " in refused(tmp_path, label="json:y")


@pytest.mark.parametrize(("given", "classes", "label"), [(3, 5, 3), (True, 2, 1), ("3", ["3", "x"], 0)])
def test_typed_labels_in_json(tmp_path, given, classes, label):
    files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), ("a.json", json.dumps({"y": given}).encode())])
    assert [entry.label for entry in opened(tmp_path, label="json:y", classes=classes).entries()] == [label]


def test_labels_are_integers_where_they_are_written_as_such(tmp_path):
    for content, label, expected in (
        (b"7\n", "cls", 7),
        (b"0", "cls", 0),
        (b"007", "cls", "007"),
        (b"cat", "cls", "cat"),
        (b'{"y": 7}', "json:y", 7),
        (b'{"y": "7"}', "json:y", "7"),
    ):
        extension = label.partition(":")[0]
        files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), (f"a.{extension}", content)])
        source = opened(tmp_path, label=label)
        assert [found for *_, found in source._samples(source.skipped.add)] == [expected]
        assert source.classes == (str(expected),)


def test_integers_in_json(tmp_path):
    files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), ("a.json", json.dumps({"y": 3}).encode())])
    assert [entry.label for entry in opened(tmp_path, label="json:y", classes=5).entries()] == [3]


def test_damaged_and_compressed_tars_are_named(root):
    whole = (root / "part-001.tar").read_bytes()
    for cut in range(0, 6 * 1024, 512):  # at every header and every end of a member
        (root / "part-001.tar").write_bytes(whole[:cut])
        assert "part-001.tar is" in refused(root)
    damaged = bytearray(whole)
    damaged[1024 + 5] ^= 1  # a name in the second header
    (root / "part-001.tar").write_bytes(bytes(damaged))
    assert "part-001.tar is damaged or cut short at byte 1024" in refused(root)
    (root / "part-001.tar").write_bytes(gzip.compress(whole))
    assert "part-001.tar is no uncompressed tar" in refused(root)
    (root / "part-001.tar").rename(root / "part-001.tar.gz")
    with pytest.raises(SourceError, match="part-001.tar.gz is compressed"):
        opened(root)


def test_a_shard_that_changed_since_it_was_listed_is_named(root):
    source = opened(root)
    entries = list(source.entries())
    (root / "part-000.tar").write_bytes(bytes(10240))
    with pytest.raises(SourceError, match="part-000.tar has no member at byte"):
        source.read(entries[:1])
    (root / "part-001.tar").write_bytes((root / "part-001.tar").read_bytes()[: entries[5].offset + 10])
    with pytest.raises(SourceError, match="part-001.tar is cut short in the member"):
        source.read(entries[5:])


def test_shards_in_folders_keep_their_path_and_nested_names_are_refused(root):
    files.write_shards(root / "more", shards=1)
    assert [entry.key for entry in opened(root).entries()][:1] == ["more/part-000/000000"]
    files.write_shards(root / "part-000", shards=1)
    with pytest.raises(SourceError, match="lies in a folder that has a shard's name"):
        opened(root)


def test_listing_does_not_keep_headers(tmp_path):
    files.write_shards(tmp_path, shards=1, count=1500)  # tarfile would keep 3 MB of headers
    source = opened(tmp_path, classes=2)
    tracemalloc.start()
    try:
        assert sum(1 for _ in source.entries()) == 1500
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000


CASES = Path(__file__).with_name("cases")
"""Tars as other tools and systems make them."""


@pytest.mark.parametrize(
    ("name", "count", "reason"),
    [
        ("readme", 1, "no KEY.EXTENSION"),
        ("meta", 1, "__x__, which is no sample's"),
        ("mac", 1, "hidden"),
        ("hidden", 1, None),
        ("hardlink", 2, None),
    ],
)
def test_cases_that_are_read(name, count, reason):
    source = opened(CASES / f"{name}.tar")
    entries = list(source.entries())
    assert [entry.key for entry in entries] == [f"{name}/{number}" for number in range(count)]
    assert len({source.decode(content).size for content in source.read(entries)}) == 1
    assert [omission.reason for omission in source.skipped] == ([reason] if reason else [])


def test_cases_that_are_refused():
    assert "apart.tar holds the members of sample apart/0 apart" in refused(CASES / "apart.tar")
    assert "sparse.tar holds '0.bmp' as a sparse file" in refused(CASES / "sparse.tar")

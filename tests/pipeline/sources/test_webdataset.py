import gzip
import io
import json
import tarfile
import tracemalloc

import pytest
import webdataset

from pipeline.sources import SourceError
from pipeline.sources.webdataset import WebDataset, WebDatasetOptions
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
        ([("a.cls", b"\xff"), ("a.png", b"x")], "sample s/a has no label"),
        ([("a.png", b"x"), ("a.png", b"x"), ("a.cls", b"0")], "s.tar holds 'a.png' twice"),
        ([("noname", b"x")], "'noname', which is no KEY.EXTENSION file"),
        ([("._a.png", b"x")], "which is no KEY.EXTENSION file"),
    ],
)
def test_broken_samples_are_named(tmp_path, members, message):
    files.write_tar(tmp_path / "s.tar", members)
    assert message in refused(tmp_path)


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"no json", b'{"y": 1.5}', b'{"y": null}'])
def test_bad_json_labels_are_named(tmp_path, content):
    files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), ("a.json", content)])
    assert "sample s/a has " in refused(tmp_path, label="json:y")


@pytest.mark.parametrize(("given", "classes", "label"), [(3, 5, 3), (True, 2, 1), ("3", ["3", "x"], 0)])
def test_typed_labels_in_json(tmp_path, given, classes, label):
    files.write_tar(tmp_path / "s.tar", [("a.png", files.png()), ("a.json", json.dumps({"y": given}).encode())])
    assert [entry.label for entry in opened(tmp_path, label="json:y", classes=classes).entries()] == [label]


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

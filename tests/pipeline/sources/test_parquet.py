import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import passband.pipeline.sources.parquet_rows as module
from passband.pipeline.images import BadImage
from passband.pipeline.sources import Entry, SourceError
from passband.pipeline.sources.parquet import Parquet, ParquetOptions
from tests.pipeline.sources import files


def opened(path, **options):
    return Parquet(ParquetOptions(path=str(path), **options))


def refused(path, **options):
    with pytest.raises(SourceError) as caught:
        list(opened(path, **options).entries())
    return str(caught.value)


@pytest.fixture
def root(tmp_path):
    files.write_parquet(tmp_path / "data/a.parquet", count=10)
    files.write_parquet(tmp_path / "data/sub/b.parquet", count=7, start=10, row_group_size=2, struct=False)
    return tmp_path / "data"


def test_rows_of_all_files_in_order(root):
    source = opened(root)
    entries = list(source.entries())
    assert [entry.offset for entry in entries] == list(range(17))
    assert [entry.key for entry in entries[9:11]] == ["a.parquet:9", "sub/b.parquet:0"]
    assert [entry.label for entry in entries] == [n % 3 for n in range(17)]
    assert [files.value(source, entry) for entry in entries] == list(range(17))
    assert [entry.key for entry in opened(root / "a.parquet").entries()][0] == "a.parquet:0"


@pytest.mark.parametrize("cache_bytes", [0, 400, 2**20])
def test_reads_are_right_whatever_fits_in_the_cache(root, monkeypatch, cache_bytes):
    monkeypatch.setattr(module, "CACHE_BYTES", cache_bytes)
    source = opened(root)
    for seed in range(3):
        rows = random.Random(seed).choices(range(17), k=40)
        encoded = source.read([Entry("", -1, row) for row in rows])
        assert encoded == [files.png(row) for row in rows]
    assert sum(images.nbytes for images in source._rows.cache.values()) <= cache_bytes
    assert bool(source._rows.cache) == (cache_bytes > 400)


def test_large_row_groups_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHE_BYTES", 1000)
    path = files.write_parquet(tmp_path / "a.parquet", count=300, row_group_size=300)
    rows = [299, 0, 63, 64, 128, 127]
    assert opened(path).read([Entry("", -1, row) for row in rows]) == [files.png(row) for row in rows]


def test_columns_can_be_named(tmp_path):
    table = pa.table({"pixels": [files.png(4)], "y": pa.array(["b"]).dictionary_encode(), "name": ["first"]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = opened(tmp_path, image="pixels", label="y", key="name", classes=["a", "b"])
    (entry,) = source.entries()
    assert entry == Entry("first", 1, 0)
    assert files.value(source, entry) == 4


def test_string_labels_are_sorted_and_hugging_face_names_win(tmp_path):
    path = files.write_parquet(tmp_path / "a.parquet", label=lambda n: "ba"[n % 2])
    assert opened(path).classes == ("a", "b")
    assert [entry.label for entry in opened(path).entries()][:2] == [1, 0]
    features = {"label": {"names": ["zebra", "cat", "dog", "emu"], "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    source = opened(files.write_parquet(path, metadata=metadata))
    assert source.classes == ("zebra", "cat", "dog", "emu")
    assert [entry.label for entry in source.entries()][:4] == [0, 1, 2, 0]


def test_missing_columns_wrong_types_and_bad_rows_are_named(tmp_path):
    path = files.write_parquet(tmp_path / "a.parquet", label=lambda n: None if n == 7 else n)
    assert refused(path) == "source parquet: a.parquet:7 has no label: it is null"
    assert "a.parquet has no column 'y', only image, label" in refused(path, label="y")
    assert "has no column 'id'" in refused(path, key="id")
    files.write_parquet(path, label=lambda n: n / 2)
    assert "a.parquet:0 has label 0.0, a float" in refused(path)
    files.write_parquet(path)
    assert "a.parquet:2 has label 2, an index beyond 0, 1 (2 classes)" in refused(path, classes=2)
    with pytest.raises(SourceError, match="column 'label' is int64, not bytes"):
        opened(path, image="label").read([Entry("", -1, 0)])
    files.write_parquet(path, key=[*"abcdefghi", None])
    assert "a.parquet:9 has no key" in refused(path, key="key")
    files.write_parquet(path, key=["a\nb", *"bcdefghij"])
    assert "line break" in refused(path, key="key")
    path.write_bytes(path.read_bytes()[:-20])
    assert "a.parquet is no readable Parquet file" in refused(path)
    path.unlink()
    with pytest.raises(SourceError, match="holds no .parquet file"):
        opened(tmp_path)


def test_a_null_image_is_a_bad_image(tmp_path):
    table = pa.table({"image": pa.array([None, files.png(1)], pa.binary()), "label": [0, 0]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = opened(tmp_path)
    encoded = source.read(list(source.entries()))
    with pytest.raises(BadImage, match="empty"):
        source.decode(encoded[0])
    assert source.decode(encoded[1]).mode == "RGB"


def test_listing_reads_no_image(root, monkeypatch):
    asked = []
    original = pq.ParquetFile.iter_batches

    def spy(self, *args, **options):
        asked.append(set(options["columns"]))
        return original(self, *args, **options)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
    assert len(list(opened(root).entries())) == 17
    assert asked == [{"label"}] * 4  # two files, for the classes and for the entries

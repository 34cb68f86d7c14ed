"""What Parquet files of other people look like: forms of columns, class names, folders of Spark."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from passband.pipeline.sources import SourceError
from passband.pipeline.sources.parquet import Parquet, ParquetOptions
from passband.pipeline.sources.parquet_classes import translation
from tests.pipeline.sources import files

CASES = Path(__file__).parent / "cases"


def opened(path, **options):
    return Parquet(ParquetOptions(path=str(path), **options))


def labels(path, **options):
    return [entry.label for entry in opened(path, **options).entries()]


def refused(path, **options):
    source = opened(path, **options)
    with pytest.raises(SourceError) as caught:
        source.read(list(source.entries()))
    return str(caught.value)


def named(*names):
    features = {"label": {"names": list(names), "_type": "ClassLabel"}}
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


def write(path, column, values, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": column, "label": values, **more}), path)
    return path


class TestClasses:
    """Integers are indices into the names in the metadata, file by file."""

    def test_names_that_are_numbers(self):
        source = opened(CASES / "numeric_class_names")
        assert source.classes == ("1", "10", "11", "12", *"23456789")
        assert [entry.label for entry in source.entries()] == [n // 2 for n in range(24)]
        assert "label 0 is '1'" in source.warnings[0]

    def test_files_with_their_classes_in_another_order_are_mapped_by_name(self):
        source = opened(CASES / "two_class_orders")
        assert source.classes == ("cat", "dog")
        assert [entry.label for entry in source.entries()] == [0, 1, 1, 0]
        assert source.warnings == ("b.parquet: classes in another order, mapped by name",)

    def test_files_with_other_classes_are_refused_with_both_named(self, tmp_path):
        files.write_parquet(tmp_path / "a.parquet", label=lambda n: n % 2, metadata=named("cat", "dog"))
        files.write_parquet(tmp_path / "b.parquet", label=lambda n: n % 2, metadata=named("cat", "emu"))
        assert "a.parquet has the classes cat, dog, b.parquet has cat, emu" in refused(tmp_path)
        files.write_parquet(tmp_path / "b.parquet", label=lambda n: n % 2)
        assert "a.parquet names its classes (cat, dog), and b.parquet has integers without" in refused(tmp_path)
        files.write_parquet(tmp_path / "b.parquet", count=2, label=lambda n: "dog")
        assert labels(tmp_path)[-2:] == [1, 1]
        files.write_parquet(tmp_path / "a.parquet", label=lambda n: n % 2)
        assert "a.parquet has integers as labels, b.parquet has names; list the names" in refused(tmp_path)

    def test_many_files_of_many_classes_are_compared_once_without_search(self, tmp_path, monkeypatch):
        class Unsearchable(tuple):
            def index(self, *_):
                raise AssertionError("a search for each name makes it quadratic")

            __contains__ = index

        names = [str(number) for number in range(20)]
        assert translation(names, Unsearchable(names), "a") is None
        assert translation(names, Unsearchable(reversed(names)), "a") == names
        compared = []
        monkeypatch.setattr(
            "passband.pipeline.sources.parquet.translation",
            lambda *given: compared.append(given[2]) or translation(*given),
        )
        for file, order in (("a", "xy"), ("b", "yx"), ("c", "xy"), ("d", "yx")):
            files.write_parquet(tmp_path / f"{file}.parquet", count=2, label=lambda n: n, metadata=named(*order))
        source = opened(tmp_path)
        assert [entry.label for entry in source.entries()] == [0, 1, 1, 0] * 2
        assert source.warnings == ("b.parquet, d.parquet: classes in another order, mapped by name",)
        assert compared == ["a.parquet", "b.parquet"]

    def test_a_reader_opens_each_file_once_to_know_its_row_groups(self, tmp_path, monkeypatch):
        for file in "ab":
            files.write_parquet(tmp_path / f"{file}.parquet", count=2, label=lambda n: n)
        source, opens, of_one = opened(tmp_path), [], Parquet._open
        monkeypatch.setattr(Parquet, "_open", lambda self, path: opens.append(path.name) or of_one(self, path))
        source.read([])
        assert opens == ["a.parquet", "b.parquet"]

    def test_the_option_names_them_for_all_files(self, tmp_path):
        path = files.write_parquet(tmp_path / "a.parquet", count=2, label=lambda n: n, metadata=named("dog", "cat"))
        assert labels(path, classes=["cat", "dog"]) == [1, 0]  # the same classes in another order: by name
        assert labels(path, classes=["ant", "cat", "dog"]) == [2, 1]
        assert labels(path, classes=["hond", "kat"]) == [0, 1]  # other names for them: by index
        assert labels(path, classes=3) == [0, 1]
        assert "the classes are cat, hond, but the metadata of a.parquet has dog, cat" in refused(
            path, classes=["cat", "hond"]
        )

    def test_an_index_beyond_the_names_is_named(self, tmp_path):
        path = files.write_parquet(tmp_path / "a.parquet", count=3, label=lambda n: n, metadata=named("b", "a"))
        assert "a.parquet:2 has label 2, an index beyond b, a (2 classes)" in refused(path)
        for classes in (["a", "b"], ["a", "b", "c", "d"]):  # the index is one into the file's own names
            assert "a.parquet:2 has label 2, an index beyond b, a (2 classes)" in refused(path, classes=classes)

    @pytest.mark.parametrize("column", [pa.array([7, 3, 7], kind) for kind in (pa.int8(), pa.uint64())])
    def test_integers_of_any_form(self, tmp_path, column):
        for number, form in enumerate((column, column.dictionary_encode())):
            path = write(tmp_path / f"{number}/x.parquet", [files.png()] * 3, form)
            assert (opened(path).classes, labels(path)) == (("3", "7"), [1, 0, 1])
            files.write_parquet(path.parent / "a.parquet", count=1, label=lambda n: n, metadata=named("a", "b"))
            assert "and x.parquet has integers without names" in refused(path.parent)

    @pytest.mark.parametrize(
        "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    )
    def test_texts_of_any_form(self, tmp_path, kind):
        path = write(tmp_path / "a.parquet", [files.png()] * 3, pa.array(["b", "a", "b"]).cast(kind))
        assert (opened(path).classes, labels(path)) == (("a", "b"), [1, 0, 1])
        assert labels(path, classes=["b", "a"]) == [0, 1, 0]

    def test_digits_in_a_column_of_texts_are_names(self, tmp_path):
        path = write(tmp_path / "a.parquet", [files.png()] * 2, ["1", "0"])
        assert labels(path, classes=["1", "0"]) == [0, 1]
        assert labels(path, classes=2) == [1, 0]
        assert "label '1', which is none of cat, dog" in refused(path, classes=["cat", "dog"])

    def test_truth_values_are_zero_and_one(self, tmp_path):
        assert (opened(CASES / "bool_label.parquet").classes, labels(CASES / "bool_label.parquet")) == (
            ("0", "1"),
            [1, 0],
        )
        path = write(tmp_path / "a.parquet", [files.png()] * 2, [True, True])
        assert (opened(path).classes, labels(path)) == (("0", "1"), [1, 1])
        assert labels(path, classes=["no", "yes"]) == [1, 1]

    @pytest.mark.parametrize(("value", "fault"), [(1.0, "1.0, a float"), (-1, "-1, which is negative"), (None, "null")])
    def test_labels_that_are_none_are_named(self, tmp_path, value, fault):
        path = write(tmp_path / "a.parquet", [files.png()], pa.array([value], pa.int64() if value is None else None))
        for classes in (None, 3, ["a", "b"]):
            message = refused(path, classes=classes)
            assert "a.parquet:0 has " in message
            assert fault in message


class TestImages:
    """Bytes in any form, or paths of files."""

    @pytest.mark.parametrize("name", ["bin_view", "dict_img", "bool_label"])
    def test_cases_are_read(self, name):
        source = opened(CASES / f"{name}.parquet")
        images = [source.decode(content) for content in source.read(list(source.entries()))]
        assert [image.size for image in images] == [(16, 16)] * 2

    @pytest.mark.parametrize(
        "kind",
        [
            *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())),
            *(pa.struct([("bytes", kind)]) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
            pa.struct([("path", pa.string()), ("bytes", pa.binary())]),
        ],
    )
    @pytest.mark.parametrize("cache_bytes", [0, 2**20])
    def test_bytes_of_any_form(self, tmp_path, monkeypatch, kind, cache_bytes):
        monkeypatch.setattr("passband.pipeline.sources.parquet_rows.CACHE_BYTES", cache_bytes)
        images = [files.png(n) for n in (5, 6, 5)]
        if pa.types.is_struct(kind):
            column = pa.array(
                [{field.name: i if field.name == "bytes" else "x" for field in kind} for i in images], kind
            )
        else:
            column = pa.array(images, pa.binary()).cast(kind)
        source = opened(write(tmp_path / "a.parquet", column, [0, 1, 0]))
        assert source.read(list(source.entries())) == images

    @pytest.mark.parametrize("form", ["struct", "path", "text", "large", "dictionary"])
    def test_paths_beside_the_file_are_read(self, tmp_path, form):
        names = ["pictures/0.png", "pictures/1.png"]
        for number, name in enumerate(names):
            (tmp_path / "data/pictures").mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / name).write_bytes(files.png(number))
        column = {
            "struct": [{"bytes": None, "path": name} for name in names],
            "path": [{"path": name} for name in names],
            "text": names,
            "large": pa.array(names, pa.large_string()),
            "dictionary": pa.array(names).dictionary_encode(),
        }[form]
        source = opened(write(tmp_path / "data/a.parquet", column, [0, 1]).parent)
        assert [files.value(source, entry) for entry in source.entries()] == [0, 1]

    def test_images_that_are_not_embedded_are_told_with_the_way_to_embed_them(self):
        message = refused(CASES / "not_embedded.parquet")
        assert "not_embedded.parquet:0 holds no image: its bytes are null and it names '/tmp/field" in message
        assert "does not lie below the folder of the Parquet file; embed the images" in message
        assert "push_to_hub" in message

    @pytest.mark.parametrize("name", ["../secret.png", "x/../../secret.png", "/secret.png", "..", "a\0b.png"])
    def test_no_path_leads_out_of_the_folder(self, tmp_path, name):
        (tmp_path / "secret.png").write_bytes(files.png(1))
        name = str(tmp_path / "secret.png") if name.startswith("/") else name
        path = write(tmp_path / "data/a.parquet", [{"bytes": None, "path": name}], [0])
        assert "does not lie below the folder" in refused(path)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("deep/../s.png", "or not surely: .. is refused"),
            ("sub/../0.png", "or not surely: .. is refused"),
            ("deep/0.png", "a link leads out of that"),
            ("linked.png", "a link leads out of that"),
            ("up/s.png", "a link leads out of that"),
            ("data2.png", "a link leads out of that"),
        ],
    )
    def test_no_link_leads_out_of_the_folder(self, tmp_path, name, why):
        for file in ("s.png", "deep/0.png", "data/0.png", "data/sub/0.png", "data2"):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(files.png(1))
        for link, target in {"deep": "../deep", "linked.png": "../s.png", "up": "..", "data2.png": "../data2"}.items():
            (tmp_path / "data" / link).symlink_to(target)
        path = write(tmp_path / "data/a.parquet", [{"bytes": None, "path": name}], [0])
        message = refused(path)
        assert "does not lie below the folder of the Parquet file" in message
        assert why in message

    def test_links_that_stay_in_the_folder_and_links_to_it_are_followed(self, tmp_path):
        (tmp_path / "data/blobs").mkdir(parents=True)
        (tmp_path / "data/blobs/9999").write_bytes(files.png(7))
        (tmp_path / "data/0.png").symlink_to("blobs/9999")
        write(tmp_path / "data/a.parquet", [{"bytes": None, "path": "./0.png"}], [0])
        (tmp_path / "linked").symlink_to("data")
        for path in ("data", "linked", "linked/a.parquet", "link*/a*"):
            source = opened(tmp_path / path)
            assert [files.value(source, entry) for entry in source.entries()] == [7]

    def test_a_file_that_is_not_there_is_told_by_row(self, tmp_path):
        column = [{"bytes": files.png(), "path": None}, {"bytes": None, "path": "0.png"}]
        path = write(tmp_path / "a.parquet", column, [0, 0])
        write(tmp_path / "0.parquet", column[:1], [0])
        message = refused(tmp_path)
        assert "a.parquet:1 holds no image" in message
        assert "names '0.png', which cannot be read from beside the Parquet file (No such file" in message
        assert opened(path).read(list(opened(path).entries())[:1]) == [files.png()]


class TestFolders:
    """Folders as Spark and Hive write them."""

    def test_a_folder_named_like_a_file_is_a_folder_of_parts(self, tmp_path):
        (tmp_path / "train.parquet/_temporary").mkdir(parents=True)
        part = tmp_path / "train.parquet/part-00000-c000.snappy.parquet"
        shutil.copy(CASES / "spark_part.parquet", part)
        shutil.copy(part, tmp_path / "train.parquet/_temporary/0.parquet")
        for name in ("_SUCCESS", "_metadata", "_common_metadata.parquet", f".{part.name}.crc", f"{part.name}.crc"):
            (part.parent / name).write_bytes(b"crc")
        for path, start in (
            (tmp_path, "train.parquet/"),
            (part.parent, ""),
            (tmp_path / "*", "train.parquet/"),
            (part.parent / "*", ""),
        ):
            source = opened(path)
            assert [entry.key for entry in source.entries()] == [f"{start}{part.name}:{row}" for row in range(2)]
            assert source.classes == ("a", "b")
        assert {omission.reason: omission.count for omission in opened(tmp_path).skipped} == {
            "hidden": 1,
            "not data": 5,
        }

    def test_a_column_in_the_names_of_folders_is_the_label(self, tmp_path):
        for number, folder in enumerate(("label=a%20b", "year=1/label=cat", "label=a%20b/year=2")):
            path = tmp_path / folder / "0.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"image": [files.png(number)], "id": [f"k{number}"]}), path)
        source = opened(tmp_path)
        assert source.classes == ("a b", "cat")
        assert [(entry.key, entry.label, files.value(source, entry)) for entry in source.entries()] == [
            ("label=a%20b/0.parquet:0", 0, 0),
            ("label=a%20b/year=2/0.parquet:0", 0, 2),
            ("year=1/label=cat/0.parquet:0", 1, 1),
        ]
        assert [entry.key for entry in opened(tmp_path, key="id").entries()] == ["k0", "k2", "k1"]
        assert labels(tmp_path / "*/label=*", classes=["cat", "a b"]) == [0]
        assert "has no column 'y', only image, id" in refused(tmp_path, label="y")

    def test_integers_in_the_names_of_folders(self, tmp_path):
        for label in (7, 10):
            (tmp_path / f"label={label}").mkdir()
            pq.write_table(pa.table({"image": [files.png()] * 2}), tmp_path / f"label={label}/0.parquet")
        assert (opened(tmp_path).classes, labels(tmp_path)) == (("7", "10"), [1, 1, 0, 0])
        assert labels(tmp_path, classes=12) == [10, 10, 7, 7]

    def test_zeros_in_front_in_the_names_of_folders_make_names(self, tmp_path):
        for label in ("001", "002"):
            (tmp_path / f"label={label}").mkdir()
            pq.write_table(pa.table({"image": [files.png()]}), tmp_path / f"label={label}/0.parquet")
        assert (opened(tmp_path).classes, labels(tmp_path)) == (("001", "002"), [0, 1])
        assert labels(tmp_path, classes=["001", "002"]) == [0, 1]
        assert labels(tmp_path, classes=3) == [1, 2]

"""Each bound on what other people's files say, next to what is still read; the corpus in `hostile` has the rest."""

import io
import os
import struct
import tarfile
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from passband.pipeline.imagefiles import ifd
from passband.pipeline.imagefiles.oversize import MAX_IMAGE_BYTES, stand_in
from passband.pipeline.images import BadImage, image_size, open_image
from passband.pipeline.sources import SOURCES, SourceError
from passband.pipeline.sources.documents import DocumentError, json_field
from passband.pipeline.sources.labels import ClassIndex, checked_label, distinct
from passband.pipeline.sources.limits import (
    MAX_CLASSES_BYTES,
    MAX_JSON_BYTES,
    MAX_LABEL,
    MAX_LABEL_BYTES,
    plain,
    said,
    shown,
)
from passband.pipeline.sources.local import checked_key
from passband.pipeline.sources.parquet_pages import image_layout
from passband.pipeline.sources.regular import image_content, small_content
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Walk
from tests.pipeline.sources import files


def source(kind, path, **options):
    return SOURCES[kind](SOURCES[kind].Options(path=str(path), **options))


class TestShown:
    def test_a_value_is_a_short_line_that_prints(self):
        for value in ["a\nb", "\x1b[2J", "\ud800", "x" * 10**6, b"\xff" * 10**6, 10**5000, -(10**5000), [1] * 10**6]:
            assert shown(value).isprintable()
            assert len(shown(value)) < 400

    def test_a_short_name_is_as_it_is(self):
        assert plain("größe.png") == "größe.png"
        assert plain("a\x1b[2J") == r"'a\x1b[2J'"
        assert plain("x" * 161) == f"'{'x' * 160}'... (161 characters)"

    def test_another_library_s_message_is_one_line(self):
        assert said(ValueError("a\n  b\x1b" + "c" * 300)) == ascii("a b\x1b" + "c" * 300)[1:-1][:200] + "..."
        assert said(MemoryError()) == "MemoryError"


class TestKeysAndLabels:
    def test_a_key_is_as_long_as_a_path(self):
        assert checked_key("x", "ä" * 2048) == "ä" * 2048
        with pytest.raises(SourceError, match="has 4,098 bytes; a name has at most 4,096$"):
            checked_key("x", "ä" * 2049)

    def test_a_label_is_as_long_as_a_name(self):
        assert checked_label("x", "ä" * (MAX_LABEL_BYTES // 2), "row 1") == "ä" * (MAX_LABEL_BYTES // 2)
        with pytest.raises(
            SourceError, match="^source x: row 1 has label .*, a name of 1,025 bytes; .* at most 1,024$"
        ):
            checked_label("x", "x" * 1025, "row 1")
        assert checked_label("x", MAX_LABEL, "row 1") == MAX_LABEL
        with pytest.raises(SourceError, match="an integer is at most 2,147,483,647$"):
            checked_label("x", MAX_LABEL + 1, "row 1")

    def test_what_is_no_label_is_told_in_one_line(self):
        for label in ["\ud800", "a\0b", "", [1] * 10**6, {"a": 1}, -(10**5000), 10**5000]:
            with pytest.raises(SourceError) as caught:
                checked_label("x", label, "row 1")
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 250

    def test_given_names_are_checked_too(self):
        with pytest.raises(SourceError, match="class 1 has label .*not valid Unicode"):
            ClassIndex("x", ["cat", "\udfff"])

    def test_digits_without_end_are_names_without_an_error(self):
        assert ClassIndex("x", None, ["9" * 1000, "10"]).names == ("10", "9" * 1000)

    def test_distinct_labels_end_somewhere(self):
        count = MAX_CLASSES_BYTES // 1008
        assert len(distinct("x", (f"{n:01000d}" for n in range(count)))) == count
        with pytest.raises(SourceError, match="distinct labels, the last of which is .* more than classes can be"):
            distinct("x", (f"{n:01000d}" for n in range(count + 100)))


class TestDocuments:
    def test_a_field_is_found_beside_doubled_ones(self):
        assert json_field(b'{"x": 1, "x": 2, "label": "cat"}', "label") == "cat"
        with pytest.raises(DocumentError, match="^it says it twice$"):
            json_field(b'{"label": 1, "label": 1}', "label")

    @pytest.mark.parametrize("text", [b"[" * 10**5, b'{"a":' * 10**5, b"[" * 10**5 + b"]" * 10**5])
    def test_depth_is_bounded(self, text):
        with pytest.raises(DocumentError, match="nests too deep") as caught:
            json_field(text, "label")
        assert caught.value.is_huge

    def test_size_is_bounded(self):
        text = b'{"label": 1, "x": "' + b"x" * MAX_JSON_BYTES + b'"}'
        assert json_field(text.replace(b"x" * 100, b""), "label") == 1
        with pytest.raises(DocumentError, match="JSON of .* bytes; 4,194,304 are read"):
            json_field(text, "label")


class TestFiles:
    def test_a_fifo_keeps_no_one_waiting(self, tmp_path):
        os.mkfifo(tmp_path / "x.png")
        with pytest.raises(SourceError, match="x.png is no regular file$"):
            image_content("x", tmp_path / "x.png", "x.png")

    def test_an_image_may_be_large_but_not_larger(self, tmp_path):
        (tmp_path / "x.png").write_bytes(files.png(3))
        os.truncate(tmp_path / "x.png", MAX_IMAGE_BYTES + 1)
        content = image_content("x", tmp_path / "x.png", "x.png")
        assert content == stand_in(MAX_IMAGE_BYTES + 1)
        with pytest.raises(BadImage) as caught:
            open_image(content)
        assert caught.value.reason == "larger than 256 MB; not read"
        assert image_size(content) is None

    def test_a_file_is_read_whole(self, tmp_path):
        for size in (0, 1, 2**16 - 1, 2**16, 2**16 + 1, 200_000):
            (tmp_path / "x").write_bytes(bytes(range(256)) * (size // 256 + 1))
            os.truncate(tmp_path / "x", size)
            assert image_content("x", tmp_path / "x", "x") == (tmp_path / "x").read_bytes()
            assert small_content("x", tmp_path / "x", "x", 200_000) == (tmp_path / "x").read_bytes()
        with pytest.raises(SourceError, match="x has more than 199,999 bytes"):
            small_content("x", tmp_path / "x", "x", 199_999)

    def test_what_is_read_together_is_bounded(self, tmp_path):
        files.write_folder(tmp_path / "f", count=6)
        for name in ("1.PNG", "2.PNG", "4.PNG"):
            os.truncate(tmp_path / "f" / "cat" / name, 40 * 10**6)
        folder = source("imagefolder", tmp_path / "f")
        entries = list(folder.entries())
        parts = list(folder.parts(entries))
        assert [entry for part in parts for entry in part] == entries
        assert len(parts) == 3
        assert list(folder.parts([])) == []

    def test_folders_nest_as_deep_as_paths_reach(self, tmp_path):
        depth = (4000 - len(str(tmp_path))) // 2
        folder = os.open(tmp_path, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=folder)
            inner = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        os.close(os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.close(folder)
        found = [item.name for item in Walk("x", str(tmp_path), (), Skipped()).files()]
        place = tmp_path
        while (place / "d").is_dir():  # pytest's own way to remove them calls itself for each
            place /= "d"
        (place / "x.png").unlink()
        while place != tmp_path:
            place.rmdir()
            place = place.parent
        assert found == ["d/" * depth + "x.png"]

    def test_links_lead_to_a_folder_in_a_thousand_ways_but_not_in_billions(self, tmp_path):
        pool = tmp_path / ".pool"
        for level in range(9):
            (pool / str(level)).mkdir(parents=True)
            for side in "ab":
                (pool / str(level) / side).symlink_to(pool / str(level + 1))
        (pool / "9").mkdir()
        (pool / "9" / "x.png").touch()
        (tmp_path / "c").symlink_to(pool / "0")
        walk = Walk("x", str(tmp_path), (), Skipped())
        assert len(list(walk.files())) == 512
        for name in "cdef":
            (pool / "8" / name).symlink_to(pool / "9")
        with pytest.raises(SourceError, match="^source x: links lead to 'c/.*' in more than 1,000 ways$"):
            list(walk.files())


def tar(path, *infos):
    """Write headers, each with its content."""
    with path.open("wb") as file:
        for info, content in infos:
            block = info if isinstance(info, bytes) else info.tobuf(tarfile.GNU_FORMAT)
            file.write(block + content + bytes(-len(content) % 512))
        file.write(bytes(1024))
    return path


def header(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info


class TestTars:
    def listed(self, path):
        return list(source("webdataset", path).entries())

    @pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
    def test_a_header_is_no_longer_than_a_megabyte(self, tmp_path, kind):
        path = tar(tmp_path / "a.tar", (header("x", 2**20 + 1, kind), b""), (header("c", 0), b""))
        os.truncate(path, 3 * 2**20)
        with pytest.raises(SourceError, match="damaged: a header of 1,049,088 bytes; 1,048,576 are read$"):
            self.listed(path)

    @pytest.mark.parametrize("size", [-512, -1024, -(2**40)])
    def test_a_negative_size_leads_nowhere(self, tmp_path, size):
        block = bytearray(header("c.png", 0).tobuf(tarfile.GNU_FORMAT))
        block[124:136] = (2**96 + size).to_bytes(12, "big")
        block[148:156] = b" " * 8
        block[148:156] = f"{sum(block):06o}\0 ".encode()
        path = tar(tmp_path / "a.tar", (bytes(block), b""), (header("c.cls", 3), b"cat"))
        with pytest.raises(SourceError, match="a.tar .*damaged"):
            self.listed(path)

    def test_a_size_stands_where_it_is_read(self, tmp_path):
        record = b"%d size=%d\n" % (len(b"10 size=75\n") - 1, len(files.png()))
        infos = [(header("pax", len(record), tarfile.XHDTYPE), record), (header("c.png", 0), files.png())]
        path = tar(tmp_path / "a.tar", *infos, (header("c.cls", 3), b"cat"))
        with pytest.raises(SourceError, match="'c.png' with its size in a pax header alone"):
            self.listed(path)

    def test_a_label_is_no_longer_than_one(self, tmp_path):
        members = [("a.png", files.png()), ("a.cls", b" cat" + b" " * 4000)]
        assert [entry.key for entry in self.listed(files.write_tar(tmp_path / "a.tar", members))] == ["a/a"]
        with pytest.raises(SourceError, match="sample b/a has a .cls of 5,000 bytes; 4,096 are read$"):
            self.listed(files.write_tar(tmp_path / "b.tar", [("a.png", files.png()), ("a.cls", b" " * 5000)]))

    def test_holes_after_the_end_are_passed_over_at_once(self, tmp_path):
        path = files.write_tar(tmp_path / "a.tar", [("a.png", files.png()), ("a.cls", b"cat")])
        os.truncate(path, 300 * 10**9)
        begun = time.process_time()
        assert len(self.listed(path)) == 1
        assert time.process_time() - begun < 5  # looking through the zeros takes a minute

    def test_of_a_tar_with_links_only_what_they_name_is_kept(self, tmp_path):
        link = header("c.png", 0, tarfile.SYMTYPE)
        link.linkname = "a.png"
        members = [(header(f"{n}.txt", 0), b"") for n in range(50)]
        image = (header("a.png", len(files.png(9))), files.png(9))
        label = (header("a.cls", 3), b"cat")
        path = tar(tmp_path / "a.tar", image, label, *members, (link, b""), (header("c.cls", 3), b"cat"))
        tars = source("webdataset", path)
        entries = list(tars.entries())
        assert [entry.key for entry in entries] == ["a/a", "a/c"]
        assert [files.value(tars, entry) for entry in entries] == [9, 9]


class TestParquet:
    def test_a_column_stands_once(self, tmp_path):
        names = ["image", "label", "label"]
        arrays = [pa.array([files.png()]), pa.array(["cat"]), pa.array(["dog"])]
        pq.write_table(pa.Table.from_arrays(arrays, names=names), tmp_path / "a.parquet")
        with pytest.raises(SourceError, match="^source parquet: a.parquet has 2 columns 'label'$"):
            list(source("parquet", tmp_path / "a.parquet").entries())

    def test_a_flat_column_is_not_taken_for_an_inner_one(self, tmp_path):
        inner = pa.array([{"bytes": files.png(1)}])
        table = pa.Table.from_arrays(
            [inner, pa.array([files.png(2)]), pa.array(["cat"])], ["image", "image.bytes", "label"]
        )
        pq.write_table(table, tmp_path / "a.parquet")
        images = source("parquet", tmp_path / "a.parquet")
        with pytest.raises(SourceError, match="has 2 columns that are called 'image.bytes'$"):
            images.read(list(images.entries()))

    def test_one_image_for_many_rows_is_read_few_at_a_time(self, tmp_path):
        image = files.png() + bytes(4 * 10**6)
        indices = pa.array([0] * 200, pa.int32())
        images = pa.DictionaryArray.from_arrays(indices, pa.array([image], pa.binary()))
        table = pa.table({"image": images, "label": ["cat"] * 200})
        pq.write_table(table, tmp_path / "a.parquet", dictionary_pagesize_limit=10**8, store_schema=False)
        chunk = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0)
        layout = image_layout(tmp_path / "a.parquet", chunk)
        assert layout.batch == 16
        assert layout.num_bytes < 5 * 10**6
        rows = source("parquet", tmp_path / "a.parquet")
        assert rows.read(list(rows.entries())[::50]) == [image] * 4
        assert len(rows._rows.cache) == 0

    def test_pages_of_any_writer_are_walked(self, tmp_path):
        images = [files.png(n) + os.urandom(2000) for n in range(3000)]
        for number, how in enumerate(
            [
                {},
                {"data_page_version": "2.0"},
                {"use_dictionary": False},
                {"compression": "zstd"},
                {"write_statistics": True},
            ]
        ):
            path = tmp_path / f"{number}.parquet"
            pq.write_table(pa.table({"image": images, "label": ["x"] * 3000}), path, data_page_size=10_000, **how)
            metadata = pq.ParquetFile(path).metadata
            for column in range(2):
                chunk = metadata.row_group(0).column(column)
                assert image_layout(path, chunk).num_bytes == chunk.total_uncompressed_size


class TestImages:
    def test_tags_that_name_the_same_bytes_again_and_again(self):
        content = (
            b"II*\0"
            + struct.pack("<IH", 8, 3000)
            + b"".join(struct.pack("<HHII", 40_000 + number, 1, 60_000, 8) for number in range(3000))
        )
        content += bytes(70_000 - len(content))
        assert ifd.is_bomb(content)
        assert not ifd.is_bomb(content[:8] + struct.pack("<H", 10) + content[10:])

    def test_exif_that_is_a_bomb_turns_nothing_and_harms_nothing(self):
        exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 3000) + struct.pack(">HHIHH", 274, 3, 1, 6, 0)
        exif += b"".join(struct.pack(">HHII", 40_000 + number, 1, 20_000, 8) for number in range(2999)) + bytes(10)
        file = io.BytesIO()
        Image.new("RGB", (2, 3), (9, 9, 9)).save(file, "JPEG", exif=exif)
        assert open_image(file.getvalue()).size == (2, 3)
        file = io.BytesIO()
        Image.new("RGB", (2, 3), (9, 9, 9)).save(file, "JPEG", exif=exif[:20] + exif[20:26])
        assert image_size(file.getvalue()) is not None

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passband.pipeline.formats.webdataset.tar import TarWriter, header, read_samples

names = st.from_regex(r"\A[0-9]{8}\.[a-z][a-z0-9.]{0,20}\Z")


@given(names, st.integers(0, 8**11 - 1))
def test_a_header_is_what_tarfile_writes(name, size):
    expected = tarfile.TarInfo(name)
    expected.size = size
    assert header(name, size) == expected.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("", 0), ("x" * 101, 0), ("a", -1), ("a", 8**11)])
def test_what_ustar_cannot_say_is_refused(name, size):
    with pytest.raises(ValueError, match="member"):
        header(name, size)


@given(st.dictionaries(names, st.binary(max_size=2000), max_size=8))
def test_the_archive_is_byte_for_byte_that_of_tarfile(members):
    ours, theirs = io.BytesIO(), io.BytesIO()
    writer = TarWriter(ours)
    with tarfile.open(fileobj=theirs, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            start = writer.add(name, content)
            assert writer.bytes_written >= start + len(content)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    writer.close()
    assert ours.getvalue() == theirs.getvalue()
    assert writer.bytes_written == len(ours.getvalue())


def test_offsets_point_at_the_content():
    file = io.BytesIO()
    writer = TarWriter(file)
    contents = {"00000000.json": b"{}", "00000001.clean.png": b"x" * 513}
    starts = {name: writer.add(name, content) for name, content in contents.items()}
    for name, content in contents.items():
        assert file.getvalue()[starts[name] : starts[name] + len(content)] == content


def test_samples_come_back_in_order_with_all_members():
    file = io.BytesIO()
    writer = TarWriter(file)
    for index in (3, 7, 100_000_001):
        for field in ("clean.png", "json"):
            writer.add(f"{index:08d}.{field}", f"{index}{field}".encode())
    writer.close()
    file.seek(0)
    samples = list(read_samples(file))
    assert [sample.index for sample in samples] == [3, 7, 100_000_001]
    assert samples[1].members == {"clean.png": b"7clean.png", "json": b"7json"}


def test_an_empty_archive_has_no_samples():
    file = io.BytesIO()
    TarWriter(file).close()
    file.seek(0)
    assert list(read_samples(file)) == []


def test_a_foreign_name_is_named():
    file = io.BytesIO()
    writer = TarWriter(file)
    writer.add("hello.txt", b"")
    writer.close()
    file.seek(0)
    with pytest.raises(ValueError, match=r"hello\.txt"):
        list(read_samples(file))

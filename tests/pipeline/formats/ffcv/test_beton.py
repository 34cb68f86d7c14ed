import hashlib
import subprocess
import sys
from itertools import chain, repeat

import numpy as np
import pytest

import passband.kernels.cpu.compile  # noqa: F401  (it settles Numba's target, which ffcv would otherwise do first)
from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.formats.ffcv import beton
from passband.pipeline.formats.ffcv.beton import BetonSample, read_beton_header
from tests.pipeline.formats.ffcv.made import write_beton

ffcv = pytest.importorskip("ffcv", reason="the extra ffcv is not installed")

INT64 = np.iinfo(np.int64)
LABELS = (-1, 0, 7, INT64.max, INT64.min, 2**40)


def make(number, views, height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (number, views, height, width, 3), dtype=np.uint8)
    return [
        BetonSample(pixels[i], label=LABELS[i % len(LABELS)], group=i % 4 - 1, index=10**12 - i) for i in range(number)
    ]


def write(path, samples, **options):
    return write_beton(path, samples, len(samples), len(samples[0].views), **options)


def expected_columns(samples):
    return {name: np.array([getattr(s, name) for s in samples]) for name in ("label", "group", "index")}


def loaded(path, samples, **options):
    """Read a beton with FFCV's loader; return the columns and the views as arrays, in the loader's order."""
    from ffcv.loader import Loader

    loader = Loader(str(path), batch_size=options.pop("batch_size", 16), num_workers=1, drop_last=False, **options)
    num_views = len(samples[0].views)
    assert list(loader.reader.handlers) == [*(f"view{v}" for v in range(num_views)), "label", "group", "index"]
    batches = [[field.numpy().copy() for field in batch] for batch in loader]
    columns = [np.concatenate(field) for field in zip(*batches, strict=True)]
    names = ("label", "group", "index")
    return np.stack(columns[:num_views], axis=1), {n: c[:, 0] for n, c in zip(names, columns[num_views:], strict=True)}


SHAPES = {
    "one sample": (1, 1, 32, 32),
    "one pixel": (3, 2, 1, 1),
    "odd, not square": (40, 3, 33, 17),
    "five views over several pages": (450, 5, 31, 37),
    "a sample fills a page": (3, 1, 1 << 10, 683),
}


@pytest.mark.parametrize(
    ("name", "os_cache"),
    [
        ("one sample", True),
        ("one pixel", False),
        ("odd, not square", True),
        pytest.param("five views over several pages", True, marks=pytest.mark.slow),
        ("five views over several pages", False),
        ("a sample fills a page", False),
    ],
)
def test_loader_reads_the_samples_in_order(tmp_path, name, os_cache):
    from ffcv.loader import OrderOption

    samples = make(*SHAPES[name])
    write(tmp_path / "a.beton", samples)
    views, columns = loaded(tmp_path / "a.beton", samples, order=OrderOption.SEQUENTIAL, os_cache=os_cache)
    np.testing.assert_array_equal(views, np.stack([s.views for s in samples]))
    for column, values in expected_columns(samples).items():
        np.testing.assert_array_equal(columns[column], values)


@pytest.mark.parametrize("os_cache", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_loader_reads_the_samples_in_random_order(tmp_path, os_cache):
    from ffcv.loader import OrderOption

    samples = make(300, 4, 45, 44)
    file = write(tmp_path / "a.beton", samples)
    assert file.bytes > 4 * beton.MIN_PAGE_BYTES
    views, columns = loaded(tmp_path / "a.beton", samples, order=OrderOption.RANDOM, seed=3, os_cache=os_cache)
    order = 10**12 - columns["index"]
    assert sorted(order) == list(range(300))
    assert list(order) != list(range(300))
    np.testing.assert_array_equal(views, np.stack([samples[i].views for i in order]))
    for name, column in expected_columns(samples).items():
        np.testing.assert_array_equal(columns[name], column[order])


def test_reader_sees_the_layout(tmp_path):
    from ffcv.fields import IntField, RGBImageField
    from ffcv.reader import Reader

    samples = make(200, 3, 64, 60)
    write(tmp_path / "a.beton", samples)
    reader = Reader(str(tmp_path / "a.beton"))
    assert [type(h) for h in reader.handlers.values()] == [RGBImageField] * 3 + [IntField] * 3
    assert (reader.num_samples, reader.page_size) == (200, beton.MIN_PAGE_BYTES)
    assert len(reader.alloc_table) == 600
    content = np.fromfile(tmp_path / "a.beton", np.uint8)
    for row, (sample_id, ptr, size) in enumerate(reader.alloc_table):
        assert (sample_id, size) == (row // 3, 64 * 60 * 3)
        assert ptr // reader.page_size == (ptr + size - 1) // reader.page_size
        np.testing.assert_array_equal(content[ptr:][:size], samples[row // 3].views[row % 3].reshape(-1))


def test_types_are_those_of_ffcv():
    from ffcv import types, writer
    from ffcv.fields import IntField, RGBImageField
    from ffcv.fields.rgb_image import IMAGE_MODES

    layout = beton.Layout(num_samples=9, num_views=3, height=4, width=5, page_bytes=1 << 21)
    assert beton.VERSION == types.CURRENT_VERSION
    assert types.TYPE_ID_HANDLER[beton.INT_FIELD] is IntField
    assert types.TYPE_ID_HANDLER[beton.IMAGE_FIELD] is RGBImageField
    assert beton.RAW == IMAGE_MODES["raw"]
    assert beton.MIN_PAGE_BYTES == writer.MIN_PAGE_SIZE
    assert beton.MAX_PAGE_BYTES == writer.MAX_PAGE_SIZE // 2
    assert layout.metadata == types.get_metadata_type([RGBImageField()] * 3 + [IntField()] * 3)
    for ours, theirs in (
        (beton.HEADER, types.HeaderType),
        (beton.DESCRIPTOR, types.FieldDescType),
        (beton.ALLOCATION, types.ALLOC_TABLE_TYPE),
    ):
        assert ours.itemsize == theirs.itemsize
        assert [ours.fields[n][1] for n in ours.names] == [theirs.fields[n][1] for n in theirs.names]


def encoded_by_ffcv(path, samples, page_size):
    """Return metadata, allocations and pixel bytes as FFCV's fields and allocator make them, without its workers."""
    from ffcv.fields import IntField, RGBImageField
    from ffcv.memory_allocator import MemoryAllocator
    from ffcv.types import ALLOC_TABLE_TYPE, get_metadata_type
    from ffcv.writer import handle_sample

    num_views = len(samples[0].views)
    fields = {f"view{v}": RGBImageField(write_mode="raw") for v in range(num_views)}
    fields.update({name: IntField() for name in ("label", "group", "index")})
    dtype = get_metadata_type(list(fields.values()))
    metadata = np.zeros(len(samples), dtype)
    start = 24 + 1041 * len(fields)
    path.write_bytes(bytes(start + metadata.nbytes))
    allocator = MemoryAllocator(str(path), start + metadata.nbytes, page_size)
    with allocator:
        for i, s in enumerate(samples):
            handle_sample((*s.views, s.label, s.group, s.index), i, dtype.names, metadata, allocator, fields)
    return metadata, np.array(allocator.allocations, ALLOC_TABLE_TYPE), path.read_bytes()


@pytest.mark.parametrize("shape", [(450, 5, 31, 37), (7, 1, 8, 8), (1400, 2, 32, 32)], ids=str)
def test_metadata_table_and_pixels_are_what_ffcvs_fields_make(tmp_path, shape):
    from ffcv.reader import Reader

    samples = make(*shape)
    write(tmp_path / "a.beton", samples)
    metadata, table, content = encoded_by_ffcv(tmp_path / "theirs", samples, beton.MIN_PAGE_BYTES)
    reader = Reader(str(tmp_path / "a.beton"))
    assert reader.metadata.tobytes() == metadata.tobytes()
    assert reader.alloc_table.tobytes() == table.tobytes()
    ours = (tmp_path / "a.beton").read_bytes()
    for _, ptr, size in table.tolist():
        assert ours[ptr : ptr + size] == content[ptr : ptr + size]


WRITE_BY_FFCV = """
import multiprocessing, sys
import numpy as np
from ffcv.fields import IntField, RGBImageField
from ffcv.writer import DatasetWriter

multiprocessing.set_start_method("fork", force=True)
arrays = dict(np.load(sys.argv[2]))
pixels = arrays.pop("pixels")
fields = {f"view{v}": RGBImageField(write_mode="raw") for v in range(pixels.shape[1])}
fields.update({name: IntField() for name in arrays})
rows = [(*views, *numbers) for views, *numbers in zip(pixels, *arrays.values())]
DatasetWriter(sys.argv[1], fields, page_size=1 << 21, num_workers=1).from_indexed_dataset(rows)
"""


@pytest.mark.slow
def test_file_is_the_one_that_ffcv_writes_apart_from_what_it_leaves_in_the_gaps(tmp_path):
    from ffcv.loader import OrderOption

    samples = make(280, 4, 30, 64)
    write(tmp_path / "ours.beton", samples)
    columns = expected_columns(samples)
    np.savez(tmp_path / "arrays.npz", pixels=np.stack([s.views for s in samples]), **columns)
    command = [sys.executable, "-c", WRITE_BY_FFCV, str(tmp_path / "theirs.beton"), str(tmp_path / "arrays.npz")]
    finished = subprocess.run(command, timeout=120, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr

    decoded = [
        loaded(tmp_path / name, samples, order=OrderOption.SEQUENTIAL) for name in ("ours.beton", "theirs.beton")
    ]
    np.testing.assert_array_equal(decoded[0][0], decoded[1][0])
    for name in ("label", "group", "index"):
        np.testing.assert_array_equal(decoded[0][1][name], decoded[1][1][name])

    ours, theirs = (np.fromfile(tmp_path / name, np.uint8) for name in ("ours.beton", "theirs.beton"))
    assert ours.size == theirs.size
    layout = beton.Layout(280, 4, 30, 64, 1 << 21)
    gap = np.zeros(ours.size, bool)
    for page in range(layout.first_page, layout.table_start, layout.page_bytes):
        gap[page + layout.samples_per_page * layout.sample_bytes : page + layout.page_bytes] = True
    np.testing.assert_array_equal(ours[~gap], theirs[~gap])
    assert gap.any()
    assert not ours[gap].any()


def test_bytes_are_a_function_of_the_samples(tmp_path):
    samples = make(150, 3, 50, 41)
    first = write(tmp_path / "a.beton", samples)
    second = write(tmp_path / "b.beton", [BetonSample(s.views[:, ::1], s.label, s.group, s.index) for s in samples])
    assert (tmp_path / "a.beton").read_bytes() == (tmp_path / "b.beton").read_bytes()
    assert first.model_copy(update={"name": "b.beton"}) == second
    strided = np.asfortranarray(np.stack([s.views for s in samples]))
    write(tmp_path / "a.beton", [BetonSample(v, s.label, s.group, s.index) for v, s in zip(strided, samples)])  # noqa: B905
    assert (tmp_path / "a.beton").read_bytes() == (tmp_path / "b.beton").read_bytes()


def test_hashes_are_those_of_the_file_and_its_blocks(tmp_path):
    path = tmp_path / "a.beton"
    file = write(path, make(20, 1, 8, 8))
    content = path.read_bytes()
    assert (file.name, file.bytes, file.block_bytes) == ("a.beton", len(content), 64 << 20)
    assert [file.sha256] == file.blocks == [hashlib.sha256(content).hexdigest()]
    for block_bytes in (1 << 20, 3_000_017, len(content), len(content) // 2):
        blocks = [content[i : i + block_bytes] for i in range(0, len(content), block_bytes)]
        assert hash_blocks(path, "x", block_bytes).blocks == [hashlib.sha256(b).hexdigest() for b in blocks]
    path.write_bytes(b"")
    assert hash_blocks(path, "x").blocks == []


@pytest.mark.parametrize(
    ("shape", "page_bytes"),
    [
        ((1, 1, 32, 32), 2 << 20),
        ((1, 3, 683, 1024), 8 << 20),
        ((1, 4, 512, 1024), 8 << 20),
        ((2, 1, 1024, 700), 4 << 20),
    ],
    ids=str,
)
def test_page_is_the_smallest_in_which_a_sample_fits(tmp_path, shape, page_bytes):
    write(tmp_path / "a.beton", make(*shape))
    assert read_beton_header(tmp_path / "a.beton").page_bytes == page_bytes


def test_a_larger_page_may_be_asked_for(tmp_path):
    samples = make(4, 1, 16, 16)
    write(tmp_path / "a.beton", samples, page_bytes=4 << 20)
    assert read_beton_header(tmp_path / "a.beton").page_bytes == 4 << 20
    views, _ = loaded(tmp_path / "a.beton", samples)
    np.testing.assert_array_equal(views, np.stack([s.views for s in samples]))
    for impossible in (1 << 20, (4 << 20) + 1, 1 << 32, 0):
        with pytest.raises(ValueError, match="power of two"):
            write(tmp_path / "b.beton", samples, page_bytes=impossible)


def test_header_is_read_without_ffcv(tmp_path):
    write(tmp_path / "a.beton", make(77, 2, 9, 12))
    header = read_beton_header(tmp_path / "a.beton")
    assert header == beton.BetonHeader(
        num_samples=77,
        num_views=2,
        fields=("view0", "view1", "label", "group", "index"),
        height=9,
        width=12,
        page_bytes=2 << 20,
        file_bytes=(tmp_path / "a.beton").stat().st_size,
    )
    code = "import sys, passband.pipeline.formats.ffcv.beton; assert not {'ffcv', 'torch', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_header_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.beton"
    write(path, make(7, 2, 9, 12))
    content = path.read_bytes()
    for broken in (content[:-1], content + b"\0", content[:10], content[:2000], b"", b"\x03" + content[1:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="a.beton"):
            read_beton_header(path)
    path.write_bytes(content.replace(b"label", b"lapel"))
    with pytest.raises(ValueError, match="lapel"):
        read_beton_header(path)


@pytest.mark.parametrize("announced", [1, 2, 4, 5, 1000])
def test_wrong_number_of_samples_is_an_error_and_leaves_nothing(tmp_path, announced):
    with pytest.raises(ValueError, match=f"got .*{announced}"):
        write_beton(tmp_path / "a.beton", iter(make(3, 2, 8, 8)), announced, 2)
    assert list(tmp_path.iterdir()) == []


def test_wrong_samples_are_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.beton"
    good = make(3, 2, 8, 8)
    write(path, good)
    before = path.read_bytes()
    wrong = {
        "other size": make(1, 2, 8, 9)[0].views,
        "a view less": make(1, 1, 8, 8)[0].views,
        "float": good[0].views.astype(np.float32),
        "grey": good[0].views[..., :1],
    }
    for views in wrong.values():
        with pytest.raises(ValueError, match=r"sample 2 \(index 77\)"):
            write_beton(path, [*good[:2], BetonSample(views, 0, 0, 77)], 3, 2)
    with pytest.raises(ValueError, match="expected views"):
        write_beton(path, [BetonSample(good[0].views[0], 0, 0, 0)], 1, 1)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_ffcv_cannot_represent_is_refused(tmp_path):
    huge = np.broadcast_to(np.uint8(0), (1, 1, 1 << 16, 3))
    for samples, number, views in (
        ([], 0, 1),
        ([], 5, 1),
        (make(1, 1, 4, 4), 1, 0),
        ([BetonSample(huge, 0, 0, 0)], 1, 1),
        ([BetonSample(np.zeros((1, 0, 4, 3), np.uint8), 0, 0, 0)], 1, 1),
    ):
        with pytest.raises(ValueError, match="beton"):
            write_beton(tmp_path / "a.beton", samples, number, views)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    import tracemalloc

    sample = make(1, 2, 64, 64)[0]
    peaks = []
    for number in (200, 2000):
        tracemalloc.start()
        write_beton(tmp_path / "a.beton", chain.from_iterable(repeat((sample,), number)), number, 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000

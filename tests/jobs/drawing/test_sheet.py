import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from passband.jobs.drawing.lettering import sheet_font, shorten
from passband.jobs.drawing.sheet import (
    WIDTH,
    choose_views,
    contact_sheet,
    draw_sheet,
    scale_of,
    shown_scale,
    spread_samples,
)
from passband.pipeline.formats.sample import Sample
from passband.pipeline.records import ViewEntry

RED = np.array([255, 0, 0], np.uint8)


def sample(index=0, label=0, views=(), height=4, width=4):
    views = list(views) or [np.broadcast_to(RED, (height, width, 3))]
    return Sample(index, f"key-{index}", label, 0, -1, -1, views)


def view(number, stage="radial"):
    recipe = [] if number == 0 else [{"stage": stage, "version": 1}]
    return ViewEntry(number=number, name=f"view{number}", field="x", dtype="uint8", recipe=recipe)


def box(sheet, color):
    """Bounding box (left, top, right, bottom) of the pixels of one color."""
    rows, columns = np.nonzero((np.asarray(sheet) == color).all(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (1, 1, (96, 96)),
        (32, 32, (96, 96)),
        (8, 32, (24, 96)),
        (224, 224, (224, 224)),
        (512, 400, (256, 200)),
        (97, 5, (97, 5)),
    ],
)
def test_a_view_is_shown_whole_at_a_whole_factor(height, width, shown):
    sheet = draw_sheet([sample(height=height, width=width)], ["clean"])
    left, top, right, bottom = box(sheet, RED)
    assert (bottom - top, right - left) == shown
    factor = scale_of(height, width)
    assert shown == ((height * factor, width * factor) if factor > 0 else (height // -factor, width // -factor))


def test_enlarging_repeats_pixels():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 2, 3), np.uint8)
    sheet = np.asarray(draw_sheet([sample(views=[pixels])], ["clean"]))
    expected = pixels.repeat(32, axis=0).repeat(32, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(sheet, expected.shape)[:, :, 0]
    assert (windows == expected).all(axis=(2, 3, 4)).sum() == 1


@pytest.mark.parametrize("num_views", [1, 12])
@pytest.mark.parametrize("num_samples", [0, 1, 16])
def test_rows_are_samples_and_columns_are_views(num_samples, num_views):
    shades = [np.full((8, 8, 3), 10 + number, np.uint8) for number in range(num_views)]
    rows = [sample(index, label=index, views=shades) for index in range(num_samples)]
    names = [f"a-rather-long-name-of-a-view-{number}" for number in range(num_views)]
    sheet = draw_sheet(rows, names, classes=[f"class {i}" for i in range(9)])
    lefts = []
    for number in range(num_views if num_samples else 0):
        shade = np.array([10 + number] * 3)
        left, top, right, bottom = box(sheet, shade)
        assert right - left == 96
        assert (np.asarray(sheet) == shade).all(axis=2).sum() == num_samples * 96 * 96
        lefts.append(left)
    assert lefts == sorted(set(lefts))
    assert not lefts or lefts[0] > 0


def test_columns_can_be_chosen():
    views = [np.full((4, 4, 3), shade, np.uint8) for shade in (10, 20, 30)]
    sheet = np.asarray(draw_sheet([sample(views=views)], ["clean", "last"], numbers=[0, 2]))
    assert {10, 30} <= set(np.unique(sheet))
    assert (sheet == 20).all(axis=2).sum() == 0


def test_float_views_are_stretched_to_what_they_span():
    ramp = np.linspace(-3, 5, 16, dtype=np.float16).reshape(4, 4, 1).repeat(3, axis=2)
    constant = np.full((4, 4, 3), 7, np.float16)
    sheet = np.asarray(draw_sheet([sample(views=[ramp, constant])], ["ramp", "constant"]))
    assert (sheet == 0).all(axis=2).sum() >= 24 * 24 * 17  # the ramp's first square, and all of the constant
    assert (sheet == 255).all(axis=2).sum() > 24 * 24


@pytest.mark.parametrize("name", ["", "x" * 400, "two\nlines\0", "кошка", "a\ud800b", " "])
def test_any_class_name_can_be_drawn(name):
    sheet = draw_sheet([sample()], [name], classes=[name])
    assert box(sheet, RED)[2] <= sheet.width


@given(st.text(max_size=60), st.integers(1, 200))
def test_a_shortened_text_fits_and_keeps_its_ends(text, width):
    font = sheet_font(13)
    short = shorten(text, width, font)
    assert short == "\u2026" or font.getlength(short) <= width
    if "\u2026" in short and "\u2026" not in text and len(short) > 2:
        cut = short.index("\u2026")
        assert text.split() != []
        assert short[:cut] == "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))[:cut]


def test_the_sheet_is_a_png_of_the_views_of_the_manifest(digits):
    from passband.pipeline.formats.webdataset.decode import read_shard

    samples = spread_samples(read_shard(digits.store, digits.manifest, digits.manifest.shards[0]))
    png = contact_sheet(samples, digits.manifest)
    assert png == contact_sheet(samples, digits.manifest)
    assert [s.label for s in samples] == list(range(10))
    with Image.open(io.BytesIO(png)) as sheet:
        assert sheet.size[0] > 5 * 96
        assert sheet.size[1] > 10 * 96
        assert not sheet.info


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 12))
def test_chosen_samples_are_spread_over_the_classes(labels, rows):
    samples = [sample(index, label) for index, label in enumerate(labels)]
    chosen = spread_samples(iter(samples), rows)
    assert chosen == spread_samples(iter(samples), rows)
    assert len(chosen) == min(rows, len(labels))
    assert [(s.label, s.index) for s in chosen] == sorted((s.label, s.index) for s in chosen)
    available, taken = Counter(labels), Counter(s.label for s in chosen)
    for label in available:
        # A class has fewer than another one only where it has no more to give, or by one where the turns ran out.
        assert taken[label] == available[label] or taken[label] >= max(taken.values()) - 1
        first = [index for index, other in enumerate(labels) if other == label][: taken[label]]
        assert [s.index for s in chosen if s.label == label] == first


def test_choosing_reads_no_more_than_it_was_asked_to():
    read = []

    def endless():
        while True:
            read.append(len(read))
            yield sample(len(read), len(read) % 3)

    assert len(spread_samples(endless(), rows=4, among=50)) == 4
    assert len(read) == 50


def test_of_many_views_each_recipe_is_shown_before_further_copies():
    views = [view(0), *(view(n) for n in range(1, 40)), view(40, "dct"), view(41, "dct")]
    assert [v.number for v in choose_views(views, 5)] == [0, 1, 2, 3, 40]
    assert choose_views(views, 100) == views
    assert choose_views(views[:1]) == views[:1]


@pytest.mark.parametrize("side", [8, 32, 96, 224, 512])
@pytest.mark.parametrize("num_views", [1, 12, 20, pytest.param(64, marks=pytest.mark.slow)])
def test_all_views_are_on_a_sheet_of_1400_pixels(side, num_views):
    rng = np.random.default_rng(0)
    shades = [np.full((side, side, 3), (number + 1, 2, 200), np.uint8) for number in range(num_views)]
    names = [f"a-name-of-a-view-{number}" for number in range(num_views)]
    rows = [sample(index, label=index, views=shades) for index in rng.permutation(3).tolist()]
    sheet = draw_sheet(rows, names, classes=["a class with a name that is as long as can be"] * 3)
    assert sheet.width <= WIDTH
    pixels = np.asarray(sheet)
    found = [int((pixels == shade[0, 0]).all(axis=2).sum()) for shade in shades]
    shown = found[0] // 3
    assert found == [3 * shown] * num_views
    assert shown >= 96 * 96


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 100), st.integers(100, 2000))
def test_a_view_is_reduced_until_all_fit_but_not_below_96_pixels(height, width, num_views, room):
    scale = shown_scale(height, width, num_views, room)
    largest = scale_of(height, width)
    assert scale <= largest
    longest = max(height, width) * scale if scale > 0 else max(height, width) // -scale
    assert scale == largest or longest >= 96
    if scale < largest:
        bigger = scale + 1 if scale not in (-2, -1) else 1
        across = width * bigger if bigger > 0 else width // -bigger
        assert num_views * (across + 8) - 8 > room

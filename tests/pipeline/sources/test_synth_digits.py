import hashlib
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from passband.pipeline.sources import synth_digits
from passband.pipeline.sources.synth_digits import CONTRAST, FONTS, SIZES, SynthDigits, SynthDigitsOptions

STILL = synth_digits.Style(
    font="DejaVuSans",
    size=28,
    turn=(1.0, 0.0),
    shift=(0.0, 0.0),
    gap=0,
    neighbors=(None, None),
    background=np.array([[200, 40, 10]] * 2),
    direction=(1.0, 0.0),
    stroke=np.array([0, 250, 90]),
    blur=0.0,
)
"""A digit in the middle, nothing moved."""


def opened(split="all", samples=5000):
    source = SynthDigits(SynthDigitsOptions(split=split, samples=samples))
    return source, list(source.entries())


@pytest.fixture(scope="module")
def whole():
    """Content of the 5,000 samples by key."""
    source, entries = opened()
    return dict(zip((entry.key for entry in entries), source.read(entries), strict=True))


@pytest.fixture(scope="module")
def drawn():
    return list(synth_digits.styles(np.arange(5000, dtype=np.uint32)))


def pixels(content):
    return np.frombuffer(content, np.uint8).reshape(32, 32, 3).astype(int)


def test_every_image_differs(whole):
    assert list(whole)[::4999] == ["synth_digits/00000", "synth_digits/04999"]
    assert len(set(whole.values())) == 5000


@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_classes_are_balanced_and_keys_name_the_same_image_in_every_split(whole, split):
    source, entries = opened(split)
    count = {"train": 400, "test": 100, "all": 500}[split]
    assert Counter(entry.label for entry in entries) == dict.fromkeys(range(10), count)
    some = entries[::7]
    assert source.read(some) == [whole[entry.key] for entry in some]


def test_fewer_samples_are_the_first_of_more(whole):
    source, entries = opened(samples=30)
    assert [(entry.key, entry.label) for entry in entries] == [(f"synth_digits/{n:05d}", n % 10) for n in range(30)]
    assert source.read(entries) == [whole[entry.key] for entry in entries]


def test_listing_renders_nothing(monkeypatch):
    monkeypatch.setattr(synth_digits, "render", None)
    monkeypatch.setattr(synth_digits, "styles", None)
    begun = time.perf_counter()
    _, entries = opened(samples=100_000)
    assert time.perf_counter() - begun < 5
    assert len({entry.key for entry in entries}) == 100_000


@pytest.mark.parametrize("samples", [0, 9, 15, 100_010, "50", 50.0, True])
def test_a_number_of_samples_out_of_range_is_refused(samples):
    with pytest.raises(ValidationError, match="samples"):
        SynthDigitsOptions(samples=samples)
    assert [SynthDigitsOptions(samples=n).samples for n in (10, 100_000)] == [10, 100_000]


@pytest.mark.parametrize("font", FONTS)
def test_every_font_has_ten_digits_of_its_own(font):
    masks = [np.asarray(synth_digits.glyph(font, size, digit)) for size in (SIZES[0], SIZES[-1]) for digit in range(10)]
    assert len({mask.tobytes() for mask in masks}) == 20
    for mask in masks:
        inked = np.argwhere(mask > 127)
        assert 12 <= np.ptp(inked[:, 0]) <= 30
        assert np.ptp(inked[:, 1]) <= 28
        assert not mask[[0, -1]].any()
        assert not mask[:, [0, -1]].any()


def test_drawn_styles_use_all_there_is_within_bounds(drawn):
    assert {style.font for style in drawn} == set(FONTS)
    assert {style.size for style in drawn} == set(SIZES)
    assert {style.gap for style in drawn} == set(range(4))
    for side in (0, 1):
        neighbors = Counter(style.neighbors[side] for style in drawn)
        assert set(neighbors) == {None, *range(10)}
        assert 0.45 < neighbors[None] / 5000 < 0.55
    turns = np.array([style.turn for style in drawn])
    degrees = np.degrees(np.arctan2(turns[:, 1], turns[:, 0]))
    assert -18 < degrees.min() < -17.5 < 17.5 < degrees.max() < 18
    assert np.abs([style.shift for style in drawn]).max() < 2.5
    assert 0 < min(style.blur for style in drawn) < max(style.blur for style in drawn) < 1


def test_strokes_stand_out_from_both_ends_of_the_background(drawn):
    assert CONTRAST >= 100
    weights = np.array([0.299, 0.587, 0.114])
    backgrounds = np.stack([style.background for style in drawn])
    distance = np.abs(np.stack([style.stroke for style in drawn])[:, None] @ weights - backgrounds @ weights)
    assert distance.min() > CONTRAST - 1
    assert np.abs(np.diff(backgrounds, axis=1)).max() == 40
    flat = (backgrounds[:, 0] == backgrounds[:, 1]).all(axis=1)
    assert 0.35 < flat.mean() < 0.45
    black_or_white = np.isin([style.stroke.sum() for style in drawn], (0, 765))
    assert black_or_white.mean() < 0.1


def test_a_background_in_the_middle_leaves_black_or_white():
    """The bound in `_strokes`: whatever the two lumas, 41 apart at most, one of the two is far enough."""
    low = np.arange(256)
    high = np.minimum(low + 41, 255)
    assert np.maximum(low, 255 - high).min() >= CONTRAST


def test_strokes_stand_out_in_the_image(whole, drawn):
    luma = np.array([0.299, 0.587, 0.114])
    for key, style in list(zip(whole, drawn, strict=True))[::50]:
        digit = int(key[-1])
        mask = synth_digits.coverage(digit, style)
        gray = pixels(whole[key]) @ luma
        assert abs(gray[mask > 240].mean() - gray[mask == 0].mean()) > CONTRAST / 3, key


def test_an_unmoved_digit_is_its_glyph_in_the_two_colors():
    glyph = np.asarray(synth_digits.glyph("DejaVuSans", 28, 4)).astype(float)
    top, left = 16 - glyph.shape[0] // 2, 16 - glyph.shape[1] // 2
    share = np.zeros((32, 32, 1))
    share[top:, left:, 0][: glyph.shape[0], : glyph.shape[1]] = glyph / 255
    expected = STILL.background[0] * (1 - share) + STILL.stroke * share
    assert np.abs(np.asarray(synth_digits.render(4, STILL)) - expected).max() <= 0.5001


def test_a_digit_turns_counter_clockwise_about_its_center_and_then_moves():
    still = Image.fromarray(synth_digits.coverage(7, STILL))
    turned = synth_digits.coverage(7, replace(STILL, turn=(0.8, 0.6)))
    expected = np.asarray(still.rotate(np.degrees(np.arctan2(0.6, 0.8)), Image.Resampling.BICUBIC))
    assert np.abs(turned.astype(int) - expected).max() <= 1
    moved = synth_digits.coverage(7, replace(STILL, turn=(0.8, 0.6), shift=(2.0, -1.0)))
    assert np.abs(moved[3:27, 6:30].astype(int) - turned[4:28, 4:28]).max() <= 1
    assert turned.max() > 240


def test_neighbors_stand_beside_the_digit_not_on_it():
    alone = synth_digits.coverage(1, STILL).astype(int)
    for neighbors, columns in (((8, None), slice(16)), ((None, 8), slice(16, 32)), ((0, 0), slice(32))):
        both = synth_digits.coverage(1, replace(STILL, neighbors=neighbors)).astype(int)
        added = both - alone
        assert added.min() >= 0
        assert added[:, columns].sum() == added.sum() > 2000
        assert not added[:, 13:19].any()


def test_a_gradient_runs_from_one_color_to_the_other():
    background = np.array([[100, 50, 0], [140, 10, 40]])
    image = np.asarray(synth_digits.render(1, replace(STILL, background=background, direction=(0.8, -0.6)))).astype(int)
    corners = [image[-1, 0], image[0, -1]]  # to the right and up
    assert np.abs(corners - background).max() <= 2
    red = image[0, :, 0]
    assert (np.diff(red) >= 0).all()


def test_blur_softens_and_keeps_the_mean():
    sharp, soft = (np.asarray(synth_digits.render(3, replace(STILL, blur=blur))).astype(float) for blur in (0, 1))
    assert np.abs(np.diff(soft, axis=1)).max() < 0.7 * np.abs(np.diff(sharp, axis=1)).max()
    assert np.abs(soft.mean((0, 1)) - sharp.mean((0, 1))).max() < 1


def test_a_fresh_process_makes_the_same_bytes(whole):
    script = (
        "import hashlib; from passband.pipeline.sources.synth_digits import SynthDigits\n"
        "source = SynthDigits(SynthDigits.Options(split='all'))\n"
        "print(hashlib.sha256(b''.join(source.read(list(source.entries())[::-17]))).hexdigest())"
    )
    expected = hashlib.sha256(b"".join(list(whole.values())[::-17])).hexdigest()
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == expected

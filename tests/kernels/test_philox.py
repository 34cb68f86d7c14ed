"""Philox4x32-10: published vectors, the layout of addresses, and the same draws on every backend."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passband.kernels import cpu, philox
from passband.kernels.cpu.philox import fill_normals

WORD = st.integers(0, 2**32 - 1)

# Random123 1.14, tests/kat_vectors, "philox4x32 10": counter, key, answer.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def parse(text):
    return [int(word, 16) for word in text.split()]


@pytest.fixture
def backend(any_backend):
    return any_backend


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(backend, counter, key, answer):
    index, view, stage, draw = parse(counter)
    low, high = parse(key)
    found = philox.philox4x32(np.array(parse(counter), np.uint32), (low, high))
    assert found.tolist() == parse(answer)
    words = backend.words(high << 32 | low, np.array([index], np.uint32), view, stage, 4, draw)
    assert words.tolist() == [parse(answer)]


def test_words_of_a_stream_are_blocks_in_order():
    indices = np.array([3, 2**32 - 1], np.uint32)
    whole = philox.words(5, indices, 1, 2, 11, draw=7)
    for word in range(11):
        block = philox.words(5, indices, 1, 2, 4, draw=7 + word // 4)
        np.testing.assert_array_equal(whole[:, word], block[:, word % 4])


@settings(max_examples=40, deadline=None)
@given(
    key=st.integers(0, 2**64 - 1),
    indices=st.lists(WORD, max_size=5),
    view=WORD,
    stage=WORD,
    count=st.integers(0, 40),
    draw=st.integers(0, 2**32 - 10),
)
def test_backends_agree(key, indices, view, stage, count, draw):
    address = key, np.array(indices, np.uint32), view, stage, count, draw
    words = cpu.words(*address)
    assert words.dtype == np.uint32
    assert words.shape == (len(indices), count)
    np.testing.assert_array_equal(words, philox.words(*address))
    np.testing.assert_allclose(cpu.normals(*address), philox.normals(*address), rtol=0, atol=1e-6)


def test_no_two_addresses_share_a_block():
    words = [
        philox.words(key, np.arange(4, dtype=np.uint32), view, stage, 4, draw)
        for key in (0, 1, 1 << 32)
        for view in (0, 1)
        for stage in (0, 1)
        for draw in (0, 1)
    ]
    assert len(np.unique(np.concatenate(words), axis=0)) == len(words) * 4


def test_normals_of_many_streams_to_one_millionth():
    address = 2023, np.arange(2000, dtype=np.uint32), 3, 4, 500
    drawn, exact = cpu.normals(*address), philox.normals(*address)
    assert drawn.dtype == np.float32
    assert np.abs(exact).max() > 4.8
    np.testing.assert_allclose(drawn, exact, rtol=0, atol=1e-6)


def test_a_normal_is_box_muller_of_its_pair():
    a, b = philox.words(9, np.array([1], np.uint32), 2, 3, 2)[0].astype(float)
    radius = np.sqrt(-2 * np.log((a + 1 - a % 2) / 2**32))
    z = philox.normals(9, np.array([1], np.uint32), 2, 3, 2)[0]
    np.testing.assert_allclose(z, [radius * np.cos(2 * np.pi * b / 2**32), radius * np.sin(2 * np.pi * b / 2**32)])


def test_radii_of_extreme_words():
    extreme = np.array([0, 1, 2, 3, 2**31 - 1, 2**31, 3037000499, 3037000500, 2**32 - 2, 2**32 - 1], np.uint32)
    odd = (extreme | np.uint32(1)).astype(float)
    lanes = np.zeros((4, len(extreme)), np.uint32)
    lanes[0], lanes[2] = extreme, extreme
    normals = np.empty(lanes.shape, np.float32)

    fill_normals(normals, lanes, len(extreme))
    expected = np.sqrt(-2 * (np.log(odd) - 32 * np.log(2)))
    expected[odd == 2**32 - 1] = np.sqrt(-2 * np.log1p(-(2.0**-32)))
    np.testing.assert_allclose(normals[0], expected, rtol=3e-7)
    np.testing.assert_array_equal(normals[1], 0)


def test_normals_are_standard():
    z = philox.normals(1, np.arange(1000, dtype=np.uint32), 0, 0, 200)
    assert abs(z.mean()) < 0.01
    assert abs(z.var() - 1) < 0.01
    assert abs((z**4).mean() - 3) < 0.05
    neighbors = np.corrcoef(z.reshape(-1, 4).T)
    assert np.abs(neighbors - np.eye(4)).max() < 0.02


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"key": 2**64}, "key 18446744073709551616: needs 64 bits"),
        ({"key": -1}, "key -1"),
        ({"indices": np.zeros(2, np.int64)}, "indices.*uint32"),
        ({"indices": np.zeros((2, 2), np.uint32)}, "indices"),
        ({"view": 2**32}, "view 4294967296"),
        ({"stage": -1}, "stage -1"),
        ({"draw": 2**32}, "draw"),
        ({"count": -1}, "count -1"),
        ({"count": 9, "draw": 2**32 - 2}, "count 9.*2\\^32 blocks"),
    ],
)
def test_an_address_that_does_not_fit_is_refused(backend, change, match):
    address = {"key": 1, "indices": np.zeros(2, np.uint32), "view": 0, "stage": 0, "count": 4, "draw": 0}
    for draw in (backend.words, backend.normals):
        with pytest.raises(ValueError, match=match):
            draw(**{**address, **change})

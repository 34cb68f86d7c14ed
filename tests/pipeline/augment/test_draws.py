"""Addresses of random streams: packed to the bit, refused rather than shared."""

import itertools

import numpy as np
import pytest

from passband.pipeline.augment import Draws
from passband.pipeline.augment.draws import BASE_VIEW, PLAN_VIEW, stream_key

DRAWS = Draws(0x0123456789ABCDEF, np.arange(3, dtype=np.uint32), 1)
PARTS = ("position", "chain", "step", "purpose")


def test_parts_are_packed_one_a_byte():
    assert DRAWS.at(position=0x12, chain=0x34, step=0x56, purpose=0x78).stage == 0x12345678
    assert DRAWS.at(position=255, chain=255, step=255, purpose=255).stage == 2**32 - 1
    assert DRAWS.at().stage == 0


def test_parts_may_be_given_in_turn():
    assert DRAWS.at(position=3).at(chain=2, purpose=1).at(step=9).stage == 0x03020901
    assert DRAWS.at(position=3).at(position=0, chain=7).stage == 0x03070000


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [-1, 256, 2**32])
def test_a_part_that_does_not_fit_is_refused(part, value):
    with pytest.raises(ValueError, match=rf"{part} {value}: allowed are 0 to 255"):
        DRAWS.at(**{part: value})


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (5, 5), (1, 3)])
def test_a_part_is_given_once(part, first, second):
    with pytest.raises(ValueError, match=f"{part} {second}: this address has {part} {first} already"):
        DRAWS.at(**{part: first}).at(**{part: second})


def test_different_parts_are_different_addresses():
    values = (0, 1, 2, 255)
    stages = [DRAWS.at(**dict(zip(PARTS, parts, strict=True))).stage for parts in itertools.product(values, repeat=4)]
    assert len(set(stages)) == len(values) ** 4


def test_streams_differ_by_every_part_of_their_address():
    streams = [DRAWS.words(8)[0]]
    streams += [DRAWS.at(**{part: 1}).words(8)[0] for part in PARTS]
    streams += [DRAWS.words(8)[1], Draws(DRAWS.key + 1, DRAWS.indices, 1).words(8)[0]]
    streams += [Draws(DRAWS.key, DRAWS.indices, view).words(8)[0] for view in (2, BASE_VIEW, PLAN_VIEW)]
    assert len({stream.tobytes() for stream in streams}) == len(streams)


def test_selected_samples_keep_their_streams():
    np.testing.assert_array_equal(DRAWS.select(np.array([2, 0])).words(5), DRAWS.words(5)[[2, 0]])


def test_uniforms_are_the_words_in_the_open_interval():
    np.testing.assert_array_equal(DRAWS.uniforms(9, 2), (DRAWS.words(9, 2) + 0.5) / 2**32)
    assert DRAWS.uniforms(0).shape == (3, 0)


def test_a_key_worked_by_hand():
    """The first 16 digits that sha256sum prints for [7,"cifar10","train"]."""
    assert stream_key(7, "cifar10", "train") == 0x2B76092DAAD1B910


def test_keys_tell_fields_apart():
    keys = [
        stream_key(*fields) for fields in ((0, "a", "b"), (1, "a", "b"), (0, "ab", ""), (0, "", "ab"), (0, "é", "b"))
    ]
    assert len(set(keys)) == 5
    assert all(0 <= key < 2**64 for key in keys)

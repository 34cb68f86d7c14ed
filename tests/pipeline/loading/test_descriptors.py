"""Readings of more arrays, and of more bytes, than the system takes at once."""

import os

import numpy as np
import pytest

from passband.pipeline.loading import descriptors
from passband.pipeline.loading.descriptors import read_into

_VIEWS, _ROWS, _SIZE = 2500, 2, 3


@pytest.fixture
def content():
    return np.random.default_rng(0).integers(0, 256, _VIEWS * _ROWS * _SIZE, np.uint8)


def reading(path, content):
    """Return the bytes found and what was read of a file that holds `content`: rows of views."""
    path.write_bytes(content.tobytes())
    arrays = [np.zeros(_ROWS * _SIZE, np.uint8) for _ in range(_VIEWS)]
    with path.open("rb") as file:
        targets = [(memoryview(array), _SIZE) for array in arrays]
        found = read_into([file.fileno()] * _ROWS, [row * _VIEWS * _SIZE for row in range(_ROWS)], targets)
    return found, np.stack(arrays, 1)


def test_more_arrays_are_filled_than_one_call_takes(tmp_path, content):
    assert _VIEWS > 2 * os.sysconf("SC_IOV_MAX") > 0
    found, read = reading(tmp_path / "views", content)
    assert found == len(content)
    assert np.array_equal(read.reshape(_ROWS, _SIZE, _VIEWS).swapaxes(1, 2).ravel(), content)


@pytest.mark.parametrize("most", [1, 2, 30, 1000])
def test_what_one_call_leaves_is_asked_for_again(tmp_path, content, monkeypatch, most):
    whole = os.preadv

    def short(number, parts, offset):
        return whole(number, [parts[0][:most]], offset)

    monkeypatch.setattr(os, "preadv", short)
    monkeypatch.setattr(descriptors, "_MOST_PARTS", 100)
    found, read = reading(tmp_path / "views", content)
    assert found == len(content)
    assert np.array_equal(read.reshape(_ROWS, _SIZE, _VIEWS).swapaxes(1, 2).ravel(), content)


def test_no_call_asks_for_more_bytes_than_a_system_gives(tmp_path, content, monkeypatch):
    asked, whole = [], os.preadv

    def noted(number, parts, offset):
        asked.append(sum(map(len, parts)))
        return whole(number, parts, offset)

    monkeypatch.setattr(os, "preadv", noted)
    monkeypatch.setattr(descriptors, "_MOST_BYTES", 100)
    found, read = reading(tmp_path / "views", content)
    assert found == len(content)
    assert max(asked) == 100
    assert np.array_equal(read.reshape(_ROWS, _SIZE, _VIEWS).swapaxes(1, 2).ravel(), content)


def test_a_file_that_ends_early_gives_what_is_there(tmp_path, content):
    found, _ = reading(tmp_path / "views", content[:-4])
    assert found == len(content) - 4

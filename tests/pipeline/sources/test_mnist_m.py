import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from passband.pipeline.augment.draws import Draws, stream_key
from passband.pipeline.sources.mnist5k import Mnist5k
from passband.pipeline.sources.mnist_m import TEST_PHOTOGRAPHS, TRAIN_PHOTOGRAPHS, MnistM, blend, draw_patch
from passband.pipeline.sources.packaged import SplitOptions
from passband.pipeline.sources.photos import PHOTOGRAPHS, region


def opened(split):
    source = MnistM(SplitOptions(split=split))
    return source, list(source.entries())


def image(source, entry):
    return np.asarray(source.decode(source.read([entry])[0])).astype(int)


@pytest.mark.parametrize(("split", "names"), [("train", TRAIN_PHOTOGRAPHS), ("test", TEST_PHOTOGRAPHS)])
def test_a_sample_is_the_distance_of_its_patch_and_its_digit(split, names):
    source, entries = opened(split)
    digits = Mnist5k(SplitOptions(split=split))
    for entry in entries[3::211]:
        row = int(entry.key.removeprefix("mnist_m/"))
        words = Draws(stream_key(0, "mnist_m", ""), np.array([row], np.uint32), view=0).words(3)[0]
        name = names[int(words[0]) * len(names) // 2**32]
        height, width, _ = region(name).shape
        top, left = int(words[1]) * (height - 27) // 2**32, int(words[2]) * (width - 27) // 2**32
        digit = np.asarray(digits.decode(digits.read([entry])[0])).astype(int)
        patch = region(name)[top : top + 28, left : left + 28].astype(int)
        np.testing.assert_array_equal(image(source, entry), abs(patch - digit))


def test_blending_does_not_wrap_around():
    every = np.arange(256, dtype=np.uint8)
    expected = abs(every[:, None].astype(int) - every.astype(int))
    np.testing.assert_array_equal(blend(every[:, None], every), expected)


def test_windows_reach_every_edge_and_stay_inside():
    name = ("clock_motion",)
    pixels = region(name[0])
    ends = [0, 2**32 - 1]
    for down in ends:
        for across in ends:
            words = np.array([2**32 - 1, down, across], np.uint32)
            rows, columns = (slice(-28, None) if end else slice(28) for end in (down, across))
            np.testing.assert_array_equal(draw_patch(words, name, 28), pixels[rows, columns])


def test_train_and_test_share_no_photograph_and_use_all():
    assert sorted(TRAIN_PHOTOGRAPHS + TEST_PHOTOGRAPHS) == sorted(PHOTOGRAPHS)
    rows = np.arange(5000, dtype=np.uint32)
    words = Draws(stream_key(0, "mnist_m", ""), rows, view=0).words(3)
    for names in (TRAIN_PHOTOGRAPHS, TEST_PHOTOGRAPHS):
        counts = Counter((words[:, 0].astype(np.uint64) * len(names) >> np.uint64(32)).tolist())
        assert set(counts) == set(range(len(names)))
        assert min(counts.values()) > 0.8 * 5000 / len(names)


def test_keys_name_the_same_image_in_every_split():
    everything, listed = opened("all")
    content = dict(zip((e.key for e in listed), everything.read(listed), strict=True))
    assert len(set(content.values())) == 5000
    counted = 0
    for split in ("train", "test"):
        source, entries = opened(split)
        assert source.read(entries) == [content[entry.key] for entry in entries]
        counted += len(entries)
    assert counted == 5000


def test_images_are_colored_as_their_photographs():
    source, entries = opened("test")
    spread = [np.ptp(image(source, entry), axis=2).max() for entry in entries[::20]]
    assert np.mean(np.array(spread) > 0) > 0.5


def test_a_fresh_process_makes_the_same_bytes():
    script = (
        "import hashlib; from passband.pipeline.sources.mnist_m import MnistM\n"
        "source = MnistM(MnistM.Options(split='test'))\n"
        "print(hashlib.sha256(b''.join(source.read(list(source.entries())[::-9]))).hexdigest())"
    )
    source, entries = opened("test")
    expected = hashlib.sha256(b"".join(source.read(entries[::-9]))).hexdigest()
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == expected

import numpy as np

from passband.pipeline.sources.inverted import Inverted
from passband.pipeline.sources.mnist5k import Mnist5k
from passband.pipeline.sources.packaged import SplitOptions


def test_inverted_and_mnist5k_add_up_to_white():
    options = SplitOptions(split="all")
    negative, positive = Inverted(options), Mnist5k(options)
    ours, theirs = list(negative.entries()), list(positive.entries())
    assert [(e.label, e.offset) for e in ours] == [(e.label, e.offset) for e in theirs]
    assert [e.key for e in ours[:2]] == ["inverted/00000", "inverted/00001"]
    total = np.zeros((5000, 784), np.int64)
    for source, entries in ((negative, ours), (positive, theirs)):
        total += np.stack([np.frombuffer(content, np.uint8) for content in source.read(entries)])
    assert np.unique(total).tolist() == [255]


def test_the_image_is_dark_on_light():
    source = Inverted(SplitOptions())
    image = np.asarray(source.decode(source.read(list(source.entries())[:1])[0]))
    assert image.shape == (28, 28, 3)
    assert (image[0] == 255).all()
    assert image.min() < 10

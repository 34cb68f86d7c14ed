"""Crops and flips against one sample at a time, and what they may depend on."""

import torch

from passband.jobs.training.crop_flip import CropFlip
from passband.pipeline.loading import Batch


def batch(count=200, height=7, width=10, start=0, seed=0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (start + count, 3, height, width), generator=generator, dtype=torch.uint8)[start:]
    ints = torch.zeros(count, dtype=torch.int64)
    return Batch({"clean": images, "inverted": 255 - images}, ints, ints, ints, torch.arange(start, start + count))


def shifts(image, padding):
    """Every crop of an image after padding, flipped and not: (row, column, flipped) -> pixels."""
    _, height, width = image.shape
    padded = torch.nn.functional.pad(image, [padding] * 4)
    for row in range(2 * padding + 1):
        for column in range(2 * padding + 1):
            crop = padded[:, row : row + height, column : column + width]
            yield (row, column, False), crop
            yield (row, column, True), crop.flip(-1)


def test_every_image_is_one_of_its_crops_and_all_are_drawn():
    given = batch(count=500)
    moved = CropFlip(seed=1, padding=1, flip=True)(given, epoch=0)["clean"]
    assert moved.shape == given.images["clean"].shape
    assert moved.dtype == torch.uint8
    found = [
        next(place for place, crop in shifts(image, 1) if torch.equal(crop, out))
        for image, out in zip(given.images["clean"], moved, strict=True)
    ]
    counts = {place: found.count(place) for place in found}
    assert len(counts) == 18
    assert all(10 <= count <= 50 for count in counts.values())  # 27.8 expected, deviation 5.1


def test_all_views_are_moved_alike():
    moved = CropFlip(seed=1, padding=2, flip=True)(batch(), epoch=3)
    inside = moved["clean"] > 0
    assert torch.equal(255 - moved["clean"][inside], moved["inverted"][inside])


def test_it_depends_on_seed_epoch_and_place_alone():
    whole = CropFlip(seed=1, padding=2, flip=True)(batch(), epoch=0)["clean"]
    split = CropFlip(seed=1, padding=2, flip=True)
    late, early = split(batch(80, start=120), 0)["clean"], split(batch(120), 0)["clean"]
    assert torch.equal(torch.cat([early, late]), whole)
    for other in (CropFlip(2, 2, True)(batch(), 0), CropFlip(1, 2, True)(batch(), 1)):
        changed = (other["clean"] != whole).flatten(1).any(1)
        assert changed.sum() > 150


def test_nothing_asked_for_changes_nothing():
    given = batch()
    assert CropFlip(1, 0, False)(given, 0) is given.images
    only_flip = CropFlip(1, 0, True)(given, 0)["clean"]
    kept = (only_flip == given.images["clean"]).flatten(1).all(1)
    flipped = (only_flip == given.images["clean"].flip(-1)).flatten(1).all(1)
    assert (kept ^ flipped).all()
    assert 70 < kept.sum() < 130


def test_an_empty_batch():
    assert CropFlip(1, 2, True)(batch(count=0), 0)["clean"].shape == (0, 3, 7, 10)

"""Transforms of views, and images as torchvision's own type."""

import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.conftest import assert_holds

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def scaled(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255


def failing(images: torch.Tensor) -> torch.Tensor:
    raise ValueError("too\nsmall")


@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_a_transform_is_called_with_all_images_of_its_view(npy, suffix):
    shapes = []

    def noted(images):
        shapes.append((tuple(images.shape), images.dtype))
        return scaled(images)

    with (
        open_stream(npy.path / suffix, batch_size=50) as plain,
        open_stream(npy.path / suffix, batch_size=50, transforms={"low": noted}) as stream,
    ):
        for one, other in zip(plain, stream, strict=True):
            assert torch.equal(other.images["low"], one.images["low"].float() / 255)
            assert torch.equal(other.images["clean"], one.images["clean"])
        assert stream.state_dict() == plain.state_dict()
        assert stream.sample(3).images["low"].dtype == torch.uint8
    assert shapes == [((50, 3, 16, 16), torch.uint8)] * 7


def test_one_transform_for_all_views(npy):
    with open_stream(npy.path, batch_size=50, transforms=scaled) as stream:
        assert {images.dtype for images in next(iter(stream)).images.values()} == {torch.float32}
    with open_stream(npy.path, batch_size=50, transforms=scaled, views_as_samples=True) as stream:
        assert next(iter(stream)).images["image"].max() <= 1
    with open_stream(npy.path, batch_size=50, transforms={"image": scaled}, views_as_samples=True) as stream:
        assert next(iter(stream)).images["image"].max() <= 1


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_tv_tensors_and_transforms_of_torchvision_in_workers(npy, context):
    transforms = {"low": v2.Compose([v2.RandomCrop(12), v2.ToDtype(torch.float32, scale=True)])}
    with open_stream(npy.path, batch_size=50, tv_tensors=True, transforms=transforms) as stream:
        assert isinstance(stream.sample(0).images["clean"], tv_tensors.Image)
        loader = DataLoader(stream.as_dataset(), batch_size=None, num_workers=1, multiprocessing_context=context)
        for batches in (stream, loader):
            stream.set_epoch(0)
            for batch in batches:
                assert type(batch.images["clean"]) is tv_tensors.Image
                assert type(batch.to("cpu").images["clean"]) is tv_tensors.Image
                assert batch.images["low"].shape == (50, 3, 12, 12)
                assert batch.images["low"].dtype == torch.float32
                assert_holds(batch, npy, ["clean"])


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ({"high": scaled}, "transforms names 'high'; the images are clean, prime, low"),
        ({"low": 3}, "transforms: low: int cannot be called"),
        ([scaled], "transforms is list; it must be a callable, or a dict of view names to callables"),
    ],
)
def test_transforms_that_make_no_sense_are_refused(npy, transforms, message):
    with pytest.raises(PassbandError, match=message):
        open_stream(npy.path, batch_size=50, transforms=transforms)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (failing, "transforms: low: ValueError: too small$"),
        (lambda images: images[:3], r"transforms: low: returned \[3, 3, 16, 16\]; it must return .* all 50 images"),
        (lambda images: list(images), "transforms: low: returned list; it must return a tensor"),
        (lambda images: images.sum(), r"transforms: low: returned \[\]; it must"),
    ],
)
def test_a_transform_that_fails_names_its_view(npy, transform, message):
    with open_stream(npy.path, batch_size=50, transforms={"low": transform}) as stream:
        with pytest.raises(PassbandError, match=message):
            next(iter(stream))


def test_opening_a_stream_does_not_import_torchvision(npy):
    import subprocess
    import sys

    script = (
        "import sys; from passband.pipeline.loading import open_stream\n"
        "with open_stream(sys.argv[1], batch_size=50) as stream: next(iter(stream))\n"
        "print('torchvision' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", script, str(npy.path)], text=True) == "False\n"

"""What a job's environment names: more only where a stage needs it."""

import importlib.metadata

import pytest

from passband.jobs.dataset.environment import current_environment, processor
from passband.kernels.cuda.device import use
from tests.cuda_host.device import HostDevice
from tests.jobs.generation.made import small_job

COMMON = {"backend", "baseline", "libjpeg-turbo", "libwebp", "machine", "numba", "numpy", "pillow", "pyarrow", "scipy"}
SVD = {"svd": {"rank": 3, "keep": "leading"}}


def environment(tmp_path, **changes):
    return current_environment(small_job(tmp_path, **changes))


def test_most_jobs_name_what_all_share(tmp_path):
    found = environment(tmp_path, views=["clean", "prime", {"corrupt": {"types": "jpeg_compression", "severity": 3}}])
    assert found.keys() >= COMMON
    assert not found.keys() & {"processor", "torch", "torchvision"}


@pytest.mark.parametrize("place", ["base", "views"])
def test_a_bound_stage_names_the_processor_wherever_it_stands(tmp_path, place):
    found = environment(tmp_path, **{place: [SVD] if place == "base" else ["clean", SVD]})
    assert found["processor"] == processor()
    assert "torch" not in found


def test_a_bound_stage_names_the_device_where_there_is_one(tmp_path):
    with use(HostDevice()):
        found = environment(tmp_path, views=["clean", SVD], compute={"backend": "cuda"})
    assert found["device"] == "host"


def test_augmix_names_its_libraries(tmp_path):
    found = environment(tmp_path, views=["clean", [{"radial": {"high": 8}}, "augmix"]])
    for name in ("torch", "torchvision"):
        assert found[name] == importlib.metadata.version(name)
    assert found["processor"] == processor()

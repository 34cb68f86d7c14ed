"""Every source of SOURCES, held to what the contract of `Source` promises.

`SourceContract` tests sources of others as well (`tests/extensions`).
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from passband.pipeline.sources import SOURCES, SourceError
from tests.pipeline.sources import files

MAKERS = {
    "mnist5k": lambda folder: {"split": "test"},
    "digits": lambda folder: {"split": "test"},
    "photos": lambda folder: {"crop": 128, "split": "all"},
    "mnist_m": lambda folder: {"split": "test"},
    "synth_digits": lambda folder: {"samples": 300, "split": "all"},
    "inverted": lambda folder: {"split": "test"},
    "imagefolder": lambda folder: {"path": str(files.write_folder(folder / "data"))},
    "domains": lambda folder: {"path": str(files.write_domains(folder / "data"))},
    "cifar10": lambda folder: {"path": str(files.write_cifar(folder / "data")), "split": "all"},
    "cifar100": lambda folder: {"path": str(files.write_cifar(folder / "data", coarse=True)), "split": "all"},
    "cifar10c": lambda folder: {
        "path": str(files.write_cifar10c(folder / "data")),
        "corruption": "fog",
        "severity": 3,
    },
    "cifar100c": lambda folder: {
        "path": str(files.write_cifar10c(folder / "data", classes=100)),
        "corruption": "snow",
        "severity": 5,
    },
    "webdataset": lambda folder: {"path": str(files.write_shards(folder / "data"))},
    "parquet": lambda folder: {"path": str(files.write_parquet(folder / "data/a.parquet").parent)},
}


class SourceContract:
    """What every source promises: a test class inherits it and names sources.

    Attributes
    ----------
    makers : kind -> function of a folder, which may write files there; returns options as a job file has them
    """

    makers: ClassVar[dict[str, Callable[[Path], dict[str, Any]]]]

    def pytest_generate_tests(self, metafunc):
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.makers)

    @pytest.fixture
    def source(self, kind, tmp_path):
        return SOURCES[kind](SOURCES[kind].Options(**self.makers[kind](tmp_path)))

    def test_it_is_listed_under_its_kind(self, kind):
        assert SOURCES[kind].kind == kind

    def test_listing_is_repeatable_with_unique_keys_and_labels_in_range(self, source):
        entries = list(source.entries())
        assert len(entries) >= 6
        assert list(source.entries()) == entries
        assert len({entry.key for entry in entries}) == len(entries)
        assert {entry.label for entry in entries} <= set(range(len(source.classes)))
        for entry in entries:
            assert entry.key.encode()
            assert not set(entry.key) & set("\0\n")
            assert type(entry.label) is type(entry.offset) is type(entry.domain) is int
        assert {entry.domain for entry in entries} == (set(range(len(source.domains))) or {-1})
        assert bool(source.domains) == source.has_domains

    def test_reading_does_not_depend_on_order_batch_or_object(self, source, tmp_path):
        entries = list(source.entries())[:200]
        encoded = source.read(entries)
        assert [type(content) for content in encoded] == [bytes] * len(entries)
        shuffled = random.Random(0).sample(range(len(entries)), len(entries))
        assert source.read([entries[n] for n in shuffled]) == [encoded[n] for n in shuffled]
        again = SOURCES[source.kind](source.options)
        assert [again.read([entry])[0] for entry in entries[::7]] == encoded[::7]
        assert source.read([entries[3], entries[3]]) == [encoded[3]] * 2
        assert source.read([]) == []

    def test_images_decode_to_rgb_and_are_not_all_the_same(self, source):
        encoded = source.read(list(source.entries())[:50])
        images = [source.decode(content) for content in encoded]
        assert {image.mode for image in images} == {"RGB"}
        assert len({image.tobytes() for image in images}) > 1

    def test_the_size_of_an_image_is_that_of_the_decoded_one(self, source):
        entries = list(source.entries())[:5]
        for encoded in source.read(entries):
            image = source.decode(encoded)
            assert source.image_size(encoded) == (image.height, image.width)

    def test_neither_name_nor_split_holds_a_path(self, source, tmp_path):
        assert source.name == source.kind
        assert str(tmp_path) not in source.name + source.split
        assert all(path.startswith(str(tmp_path)) for path in source.paths)
        assert bool(source.paths) == ("path" in type(source).Options.model_fields)

    def test_every_option_is_described(self, kind):
        fields = SOURCES[kind].Options.model_json_schema()["properties"]
        assert fields
        assert all(field["description"] for field in fields.values())

    def test_unknown_and_mistyped_options_are_refused(self, kind, tmp_path):
        good = self.makers[kind](tmp_path)
        assert json.loads(SOURCES[kind].Options(**good).model_dump_json())
        for bad in ({"splitt": "train"}, {"split": 3}, {"path" if "path" in good else "crop": ["x"]}):
            with pytest.raises(ValidationError):
                SOURCES[kind].Options(**{**good, **bad})


class TestSources(SourceContract):
    makers = MAKERS


def test_every_source_is_made_here():
    assert list(MAKERS) == list(SOURCES)
    assert all(source.kind == kind for kind, source in SOURCES.items())


@pytest.mark.parametrize(
    "kind", [kind for kind in SOURCES if kind not in ("imagefolder", "cifar10c", "cifar100c", "webdataset", "parquet")]
)
def test_a_wrong_split_names_what_is_allowed(kind, tmp_path):
    with pytest.raises(ValidationError, match="'train', 'test' or 'all'"):
        SOURCES[kind].Options(**{**MAKERS[kind](tmp_path), "split": "val"})


@pytest.mark.parametrize(
    "kind", ["imagefolder", "domains", "cifar10", "cifar100", "cifar10c", "cifar100c", "webdataset", "parquet"]
)
def test_a_missing_path_is_one_sentence(kind, tmp_path):
    options = SOURCES[kind].Options(**MAKERS[kind](tmp_path) | {"path": str(tmp_path / "nowhere")})
    with pytest.raises(SourceError, match=f"^source {kind}: path '.*nowhere' does not exist$"):
        SOURCES[kind](options)


def test_importing_the_sources_imports_none_of_their_packages():
    script = "import sys, passband.pipeline.sources; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "passband.pipeline.sources.parquet" in loaded
    assert not {
        "mlxtend",
        "sklearn",
        "skimage",
        "pyarrow",
        "webdataset",
        "scipy",
        "numba",
        "torch",
        "matplotlib",
    } & set(loaded)

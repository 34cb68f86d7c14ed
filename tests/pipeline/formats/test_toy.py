"""A format of one module and one line in FORMATS: a real job makes it, `verify` checks it, a stream reads it."""

import importlib

import numpy as np
import pytest

from passband.jobs.generation.export import write_export
from passband.jobs.generation.run import SilentDisplay
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.formats import FORMATS
from passband.pipeline.formats.ffcv import Ffcv
from tests.pipeline.formats.contract import ExportContract, FormatContract, flipped
from tests.pipeline.formats.made import opened, walked
from tests.pipeline.formats.toy import Toy


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_tests_that_inherit_the_contract(name):
    found = vars(importlib.import_module(f"tests.pipeline.formats.test_{name}")).values()
    own = [one for one in found if isinstance(one, type) and issubclass(one, FormatContract)]
    assert FORMATS[name] in [getattr(one, "form", None) for one in own]


class TestToy(ExportContract):
    form = Toy()

    def test_numpy_reads_it(self, dataset):
        samples, table = walked(dataset), np.load(dataset / "odd.npy")
        assert table["label"].tolist() == [sample.label for sample in samples]
        for number in range(3):
            np.testing.assert_array_equal(table[f"view{number}"], [sample.views[number] for sample in samples])

    def test_it_stands_in_the_manifest_beside_the_others(self, dataset):
        _, manifest = opened(dataset)
        assert list(manifest.exports) == ["toy"]
        assert list(manifest.model_dump())[-3:] == ["beton", "exports", "digest"]

    def test_a_repair_packs_the_damaged_file_alone(self, out):
        store, manifest = opened(out)
        write_export(store, manifest, Ffcv())
        made_before = (out / "odd.beton").stat().st_mtime_ns
        content = self.path(out).read_bytes()
        self.path(out).write_bytes(flipped(content, 0.5))
        repaired(store, list(verify(store)), SilentDisplay())
        assert (list(verify(store)), self.path(out).read_bytes()) == ([], content)
        assert (out / "odd.beton").stat().st_mtime_ns == made_before

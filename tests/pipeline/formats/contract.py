"""What every format promises, as classes of tests: the test of a format inherits one and says which format it is.

A format from elsewhere is held to it in the same way; it is put into `FORMATS` for as long as its tests run.
"""

import re
import shutil
from typing import ClassVar

import numpy as np
import pytest

from passband.jobs.common.jobfile import JobError
from passband.jobs.generation import export as exporting
from passband.jobs.generation.export import write_export
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats import FORMATS, PRIMARY, place
from passband.pipeline.formats.base import Export, Format
from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.loading import open_stream
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.opening import open_reader
from passband.pipeline.manifest import read_manifest, write_manifest
from passband.pipeline.soundness import unsound
from passband.pipeline.store import LocalStore
from tests.pipeline.formats.made import FLOAT_VIEWS, SEVEN, hashes, job, made, opened, walked, write_images


class Interrupted(BaseException):
    """Ends a run, as Ctrl-C does."""


def flipped(content: bytes, position: float) -> bytes:
    changed = bytearray(content)
    changed[int(position * (len(content) - 1))] ^= 16
    return bytes(changed)


DAMAGE = {
    "its first byte": lambda content: flipped(content, 0),
    "a byte in the middle": lambda content: flipped(content, 0.5),
    "its last byte": lambda content: flipped(content, 1),
    "cut": lambda content: content[:-1],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "missing": None,
}


@pytest.mark.usefixtures("in_formats")
class FormatContract:
    """Every format of a dataset; its fixtures are in conftest.py."""

    form: ClassVar[Format]

    @pytest.fixture
    def out(self, dataset, tmp_path):
        """A copy of the dataset that a test may damage; its images stay where they are."""
        return shutil.copytree(dataset, tmp_path / "out")

    def path(self, folder):
        """Return what a stream of the format opens."""
        return folder / f"odd{self.form.suffix}" if self.form.suffix else folder

    def interrupt(self, given, patch):
        """Interrupt a run of a job in the middle of what this format writes."""
        calls = iter(range(9))

        def stop():
            if next(calls) == 1:
                raise Interrupted

        generate(given, checkpoint=stop)

    def test_it_is_found_by_its_name_and_by_what_paths_end_in(self):
        assert FORMATS[self.form.name] is self.form
        others = {form.suffix for form in FORMATS.values() if form is not self.form}
        assert self.form.suffix not in others
        here, remote = place(self.path(LocalStore("/a/b").root)), place(f"s3://bucket/a/odd{self.form.suffix}")
        assert here.format is remote.format is self.form
        assert here[:2] == ("/a/b", "odd" + self.form.suffix if self.form.suffix else "")
        assert remote.folder == ("s3://bucket/a" if self.form.suffix else "s3://bucket/a/odd")

    def test_the_manifest_lists_files_that_are_there(self, dataset):
        store, manifest = opened(dataset)
        files = self.form.files(manifest)
        assert files
        assert {file.name: file.sha256 for file in files} == hashes(dataset, self.form)
        assert [store.size(file.name) for file in files] == [file.bytes for file in files]
        assert list(unsound(manifest)) == list(verify(store)) == []

    @pytest.mark.parametrize("count", [1, 2, SEVEN])
    def test_every_view_and_column_is_read_back(self, tmp_path, count):
        folder = made(tmp_path, self.form, count)
        samples = walked(folder)
        assert len(samples) == count
        manifest, views, reader = open_reader(self.path(folder), None, verify=True, cache=None)
        for name in ("label", "group", "index"):
            column = {"label": reader.labels, "group": reader.groups, "index": reader.indices}[name]
            assert column.dtype == np.int64
            assert column.tolist() == [getattr(sample, name) for sample in samples]
        assert reader.shards.tolist() == [row // 3 for row in range(count)]
        assert reader.keys(np.arange(count)[::-1]) == [sample.key for sample in samples[::-1]]
        for rows in (np.arange(count), np.arange(count)[::-1], np.array([count - 1, 0, count - 1])):
            for wanted in (views, views[::-1], views[1:2]):
                self.assert_reads(reader, rows, wanted, samples, manifest.shape)
        reader.close()

    def assert_reads(self, reader, rows, views, samples, shape):
        import threading

        for unit in reader.units(rows):
            reader.prepare(unit, threading.Event())
        out = {view.name: np.zeros((len(rows), *shape[1:], 3), view.dtype) for view in views}
        reader.fill(rows, out)
        for view in views:
            np.testing.assert_array_equal(out[view.name], [samples[row].views[view.number] for row in rows])

    def test_float16_views_are_read_back_or_refused_beforehand(self, tmp_path):
        if "float16" not in self.form.dtypes:
            with pytest.raises(JobError, match=f"range float cannot be stored in {self.form.title}"):
                job(tmp_path, self.form, SEVEN, views=FLOAT_VIEWS)
            return
        folder = made(tmp_path, self.form, SEVEN, views=FLOAT_VIEWS)
        manifest, views, reader = open_reader(self.path(folder), None, verify=True, cache=None)
        assert [view.dtype for view in views] == ["uint8", "float16"]
        self.assert_reads(reader, np.arange(SEVEN), views, walked(folder), manifest.shape)
        reader.close()

    @pytest.mark.parametrize("shuffle", [True, False])
    def test_a_stream_hands_out_every_pixel(self, dataset, shuffle):
        samples, seen = {sample.index: sample for sample in walked(dataset)}, []
        with open_stream(self.path(dataset), batch_size=2, shuffle=shuffle, drop_last=False, workers=1) as stream:
            for batch in stream:
                for place_, index in enumerate(batch.indices.tolist()):
                    seen.append(index)
                    sample = samples[index]
                    assert (batch.labels[place_], batch.groups[place_]) == (sample.label, sample.group)
                    for number, pixels in enumerate(batch.images.values()):
                        np.testing.assert_array_equal(pixels[place_].permute(1, 2, 0), sample.views[number])
        assert sorted(seen) == sorted(samples)
        assert shuffle or seen == sorted(samples)

    def test_the_order_of_a_stream_is_that_of_the_primary(self, dataset):
        orders = []
        for path in (self.path(dataset), dataset):
            with open_stream(path, batch_size=3, seed=5, drop_last=False, workers=1) as stream:
                orders.append([batch.indices.tolist() for batch in stream])
        assert orders[0] == orders[1]

    def test_the_bytes_are_a_function_of_the_job(self, dataset, tmp_path):
        for name in ("photo", "sketch"):
            shutil.copytree(dataset.parent / name, tmp_path / name)
        again = made(tmp_path, self.form, SEVEN, compute={"executor": "inline", "batch_size": 2})
        assert hashes(again, self.form) == hashes(dataset, self.form)

    def test_an_interrupted_run_leaves_nothing_half_and_resumes_to_the_same_bytes(self, dataset, tmp_path, monkeypatch):
        for name in ("photo", "sketch"):
            shutil.copytree(dataset.parent / name, tmp_path / name)
        given = job(tmp_path, self.form, SEVEN)
        with monkeypatch.context() as patch, pytest.raises(Interrupted):
            self.interrupt(given, patch)
        left = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
        missing = hashes(dataset, self.form).keys() - left
        assert missing
        assert [name for name in left if ".passband-" in name] == []
        generate(given)
        assert hashes(tmp_path / "out", self.form) == hashes(dataset, self.form)
        assert list(verify(LocalStore(tmp_path / "out"))) == []

    @pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
    def test_damage_is_named_kept_from_streams_and_repaired(self, dataset, out, damage):
        store, manifest = opened(out)
        file = self.form.files(manifest)[-1]
        path, before = out / file.name, hashes(out, self.form)
        content = path.read_bytes()
        path.unlink()
        if damage is not None:
            path.write_bytes(damage(content))
        problems = list(verify(store))
        assert [problem.name for problem in problems] == [file.name]
        assert file.name in problems[0].message
        with pytest.raises(IntegrityError, match=re.escape(file.name)):
            with open_stream(self.path(out), batch_size=SEVEN, workers=1) as stream:
                list(stream)
        repaired(store, problems, SilentDisplay())
        assert list(verify(store)) == []
        assert hashes(out, self.form) == before

    def test_a_run_makes_again_what_is_damaged(self, dataset, out):
        _, manifest = opened(out)
        path, before = out / self.form.files(manifest)[-1].name, hashes(out, self.form)
        path.write_bytes(flipped(path.read_bytes(), 0.5))
        generate(job(dataset.parent, self.form, SEVEN, output={"uri": str(out)}))
        assert hashes(out, self.form) == before

    def test_a_dataset_without_samples_is_read_or_refused(self, tmp_path):
        for name in ("photo", "sketch"):
            write_images(tmp_path / name, 0)
        (tmp_path / "photo" / "cat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
        given = job(tmp_path, self.form, 1, bad_images=1)
        generate(given.model_copy(update={"output": given.output.model_copy(update={"formats": [PRIMARY]})}))
        store, manifest = opened(tmp_path / "out")
        assert manifest.samples == 0
        if isinstance(self.form, Export) and (problem := self.form.unfit(manifest)):
            with pytest.raises(PassbandError, match=re.escape(problem)):
                generate(given)
            return
        generate(given)
        assert list(verify(store)) == []
        _, _, reader = open_reader(self.path(tmp_path / "out"), None, verify=True, cache=None)
        assert reader.labels.tolist() == reader.units(np.empty(0, np.int64)) == []
        reader.close()


class ExportContract(FormatContract):
    """A format that is packed from the shards."""

    form: ClassVar[Export]

    def interrupt(self, given, patch):
        """Interrupt the packing at the second shard."""

        def read(store, manifest, shard):
            if shard.shard == 1:
                raise Interrupted
            return (sample for sample in original(store, manifest, shard))

        original = exporting.read_shard
        patch.setattr(exporting, "read_shard", read)
        generate(given)

    def test_it_may_be_added_to_a_finished_dataset(self, dataset, tmp_path):
        for name in ("photo", "sketch"):
            shutil.copytree(dataset.parent / name, tmp_path / name)
        plain = made(tmp_path, self.form, SEVEN, output={"formats": [PRIMARY]})
        store, manifest = opened(plain)
        assert "exports" not in manifest.model_dump()
        with pytest.raises(PassbandError, match=f"lists no {self.form.title} file; add {self.form.name} to output"):
            open_stream(self.path(plain), batch_size=2)
        listed = self.form.listed(write_export(store, manifest, self.form))
        assert listed == self.form.listed(read_manifest(store))
        assert hashes(plain, self.form) == hashes(dataset, self.form)
        assert list(verify(store)) == []

    def test_only_the_file_that_the_manifest_lists_is_read(self, out):
        other = out / f"other{self.form.suffix}"
        shutil.copy(self.path(out), other)
        with pytest.raises(PassbandError, match=rf"the manifest lists odd{re.escape(self.form.suffix)}, not this file"):
            open_stream(other, batch_size=2)
        (problem,) = verify(LocalStore(out))
        told = f"is {self.form.article} {self.form.title} file that the manifest does not name"
        assert (problem.name, told in problem.message) == (other.name, True)

    def test_a_file_that_came_out_of_the_manifest_is_named_and_made_again(self, out):
        store, manifest = opened(out)
        before = hashes(out, self.form)
        write_manifest(store, manifest.model_copy(update={"beton": None, "exports": {}}))
        problems = list(verify(store))
        assert [problem.name for problem in problems] == [self.path(out).name]
        repaired(store, problems, SilentDisplay())
        assert list(verify(store)) == []
        assert hashes(out, self.form) == before

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"name": "other"}, "file is called 'other', by the dataset's name it is odd"),
            ({"bytes": -1}, "cannot have -1 bytes"),
            ({"sha256": "0"}, "cannot have"),
            ({"block_bytes": 0}, r"block_bytes is 0"),
            ({"blocks": []}, "lists 0 blocks of"),
            ({"blocks": ["g" * 64]}, r"blocks\[0\] is no sha256"),
        ],
    )
    def test_what_cannot_be_true_of_its_file_is_refused(self, dataset, change, told):
        _, manifest = opened(dataset)
        file = self.form.listed(manifest).model_copy(update=change)
        assert re.search(told, "\n".join(unsound(self.form.entered(manifest, file))))

    def test_a_hash_of_a_block_that_is_not_its_own_is_named(self, out):
        store, manifest = opened(out)
        file = self.form.listed(manifest)
        write_manifest(store, self.form.entered(manifest, file.model_copy(update={"blocks": ["0" * 64]})))
        (problem,) = verify(store)
        assert f"{file.name}: block 0: sha256 is" in problem.message

    def test_the_units_of_rows_are_the_blocks_that_hold_them(self, out):
        """As if it were a file of many blocks, some samples in one and some in several."""
        store, manifest = opened(out)
        for block_bytes in (100, 1000):
            small = hash_blocks(self.path(out), self.path(out).name, block_bytes)
            write_manifest(store, self.form.entered(manifest, small))
            _, views, reader = open_reader(self.path(out), None, verify=True, cache=None)
            reader.checked = Checked(len(small.blocks))
            for rows in ([3], [6, 0], [2, 2, 5]):
                held = set()
                for start, end in zip(*reader.spans(np.array(rows)), strict=True):
                    assert end - start >= sum(np.dtype(view.dtype).itemsize * 6 * 5 * 3 for view in views)
                    held |= set(range(start // block_bytes, (end - 1) // block_bytes + 1))
                units = reader.units(np.array(rows))
                assert sorted(units) == sorted(held)
            self.assert_reads(reader, np.arange(SEVEN), views, walked(out), manifest.shape)
            assert reader.units(np.arange(SEVEN)) == []
            reader.close()

    def test_the_card_tells_of_it(self, dataset):
        card = (dataset / "README.md").read_text()
        assert f"| {self.form.title} file | " in card
        _, manifest = opened(dataset)
        for title, code in self.form.snippets(manifest).items():
            assert title in card
            assert code in card

    def test_its_file_is_one_of_a_dataset(self, dataset):
        from passband.jobs.common.own_names import is_own

        assert is_own("dataset", "odd")(self.path(dataset).name)
        assert not is_own("dataset", "other")(self.path(dataset).name)

"""Files that change under a reader: never a signal, never a wrong pixel."""

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.loading.building import Epoch
from passband.pipeline.loading.descriptors import Descriptor
from tests.pipeline.loading.conftest import assert_holds

SUFFIXES = ["", "small.beton"]
SCRIPT = """if True:
    import json, os, sys
    from pathlib import Path
    from passband.pipeline.errors import IntegrityError
    from passband.pipeline.loading import open_stream
    for folder, suffix, verify, left in json.loads(sys.argv[1]):
        folder = Path(folder)
        with open_stream(folder / suffix, batch_size=10, prefetch=1, workers=1, verify=verify) as stream:
            batches = iter(stream)
            next(batches)
            for path in [folder / suffix] if suffix else folder.glob("shards/*.tar"):
                os.truncate(path, left)
            try:
                for batch in batches:
                    pass
                print("nothing", flush=True)
            except IntegrityError as error:
                print(error, flush=True)
"""


def files(folder: Path, suffix: str) -> list[Path]:
    return [folder / suffix] if suffix else sorted(folder.glob("shards/*.tar"))


def rewritten(path: Path, content: bytes) -> None:
    """Write other content into the same file, as ``cp`` does, with a time that differs on any clock."""
    path.write_bytes(content)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def inverted(path: Path) -> bytes:
    return bytes(255 - value for value in path.read_bytes())


@pytest.fixture
def at_rest(monkeypatch):
    """Return a function that waits until so many batches are built; all that were asked for are, and nothing reads.

    A file that is being written is half there: a reader that opens it just then is right to say so.
    """
    built, build = [], Epoch.build

    def counted(self, piece):
        batch = build(self, piece)
        built.append(piece)
        return batch

    def wait(batches):
        deadline = time.monotonic() + 120
        while len(built) < batches:
            assert time.monotonic() < deadline, f"{len(built)} of {batches} batches are built"
            time.sleep(0.001)

    monkeypatch.setattr(Epoch, "build", counted)
    return wait


def assert_all_hold(batches, made, views) -> None:
    for batch in batches:
        assert_holds(batch, made, views)


CUTS = list(product(SUFFIXES, [True, False], [0, 5000]))


@pytest.fixture(scope="module")
def said_of_cuts(npy, tmp_path_factory):
    """Return a line for each of `CUTS`, which are read one after the other in a process of their own."""
    folder = tmp_path_factory.mktemp("cuts")
    cases = [(str(shutil.copytree(npy.path, folder / str(number))), *cut) for number, cut in enumerate(CUTS)]
    command = [sys.executable, "-c", SCRIPT, json.dumps(cases)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found
    return dict(zip(CUTS, found.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_file_cut_short_under_a_reader_is_named(said_of_cuts, cut):
    """It ended the process by SIGBUS."""
    suffix, _, left = cut
    assert f"has {left} bytes, the manifest says" in said_of_cuts[cut]
    assert ("small.beton" if suffix else "shards/small-00000") in said_of_cuts[cut]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("verify", [True, False])
def test_other_content_is_found_where_it_is_written_under_a_reader(damaged, npy, suffix, verify, at_rest):
    with open_stream(damaged / suffix, batch_size=10, prefetch=1, workers=1, verify=verify) as stream:
        batches = iter(stream)
        assert_holds(next(batches), npy, stream.views)
        at_rest(2)
        for path in files(damaged, suffix):
            rewritten(path, inverted(path))
        with pytest.raises(IntegrityError, match="sha256 is .* the manifest says"):
            assert_all_hold(batches, npy, stream.views)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_grows_under_a_reader_is_named(damaged, npy, suffix):
    with open_stream(damaged / suffix, batch_size=10, prefetch=1, workers=1) as stream:
        batches = iter(stream)
        next(batches)
        for path in files(damaged, suffix):
            with path.open("ab") as file:
                file.write(b"x")
        with pytest.raises(IntegrityError, match=r"has \d+ bytes, the manifest says"):
            list(batches)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_content_written_or_touched_is_compared_and_read_on(damaged, npy, suffix, at_rest):
    with open_stream(damaged / suffix, batch_size=10, prefetch=1, workers=1, drop_last=False) as stream:
        seen = 0
        for number, batch in enumerate(stream):
            assert_holds(batch, npy, stream.views)
            seen += len(batch)
            if number in (2, 6, 11):
                at_rest(number + 2)
                for path in files(damaged, suffix):
                    rewritten(path, path.read_bytes()) if number < 11 else path.chmod(0o640)
        assert seen == 355


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_replaced_or_removed_is_read_on_while_it_is_open(damaged, npy, tmp_path, suffix):
    with open_stream(damaged / suffix, batch_size=10, prefetch=1, workers=1, drop_last=False) as stream:
        list(stream)
        for number, batch in enumerate(stream):
            assert_holds(batch, npy, stream.views)
            if number == 2:
                for path in files(damaged, suffix):
                    (tmp_path / "other").write_bytes(inverted(path))
                    os.replace(tmp_path / "other", path)
            if number == 6:
                for path in files(damaged, suffix):
                    path.unlink()
        assert number == 35


def test_a_replaced_shard_is_compared_when_it_is_opened_anew(damaged, npy, monkeypatch, tmp_path):
    """With few files open at a time every batch opens some again."""
    monkeypatch.setattr("passband.pipeline.loading.descriptors._LEAST", 2)
    monkeypatch.setattr("resource.getrlimit", lambda _: (16, 16))
    with open_stream(damaged, batch_size=10, prefetch=1, workers=1) as stream:
        batches = iter(stream)
        assert_holds(next(batches), npy, stream.views)
        for path in files(damaged, ""):
            (tmp_path / "other").write_bytes(inverted(path))
            os.replace(tmp_path / "other", path)
        with pytest.raises(IntegrityError, match="sha256 is"):
            assert_all_hold(batches, npy, stream.views)


def test_a_fetched_copy_that_is_damaged_is_fetched_again(npy, tmp_path, at_rest):
    import fsspec

    from tests.pipeline.loading.test_remote import copied

    uri = copied(npy.path, "memory://changes/set")
    try:
        with open_stream(uri, batch_size=10, prefetch=1, workers=1, drop_last=False, cache=tmp_path) as stream:
            for number, batch in enumerate(stream):
                assert_holds(batch, npy, stream.views)
                if number in (4, 9):
                    at_rest(number + 2)
                if number == 4:
                    for path in tmp_path.glob("*.tar"):
                        rewritten(path, inverted(path))
                if number == 9:
                    for path in tmp_path.glob("*.tar"):
                        os.truncate(path, 700)
            assert number == 35
    finally:
        fsspec.filesystem("memory").rm("/changes", recursive=True)


def test_a_file_that_never_rests_is_an_error_not_a_loop(damaged, npy, monkeypatch):
    monkeypatch.setattr(Descriptor, "changed", lambda _: True)
    for suffix in SUFFIXES:
        with pytest.raises(IntegrityError, match="is written to while it is read"):  # noqa: PT012
            with open_stream(damaged / suffix, batch_size=10, workers=1) as stream:
                next(iter(stream))


def test_a_pipe_in_the_place_of_a_shard_does_not_wait(damaged, npy):
    path = files(damaged, "")[2]
    path.unlink()
    os.mkfifo(path)
    with open_stream(damaged, batch_size=300) as stream:
        with pytest.raises(PassbandError, match=f"{path.name}: cannot be read: .*not a regular file"):
            next(iter(stream))


def test_shards_are_read_where_views_lie_far_apart(png, tmp_path):
    """Only the first and the last view: what lies between them is not read if it is much."""
    copy = Path(shutil.copytree(png.path, tmp_path / "copy"))
    for views in (["clean", "low"], ["low"], ["low", "prime", "clean"]):
        with open_stream(copy, batch_size=48, views=views, drop_last=False) as stream:
            for batch in stream:
                assert_holds(batch, png, views)

"""Datasets that were begun by older versions of their stages: read as before, and never mixed with newer shards."""

import shutil

import pytest

from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.status import read_status
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job

FROST = {"corrupt": {"types": ["frost"], "severity": 2}}
VIEWS = ["clean", {"prime": {"preset": "cifar"}}, {**FROST, "name": "frost"}, {"radial": {"high": 4}, "name": "low"}]


def job_of(out, **changes):
    return small_job(out, views=VIEWS, **changes)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A dataset made when prime and corrupt had version 1, and corrupt no `rounding` or `frost_textures`."""
    out = tmp_path_factory.mktemp("versions") / "out"
    with pytest.MonkeyPatch.context() as patched:
        for name in ("prime", "corrupt"):
            patched.setattr(AUGMENTATIONS[name], "version", 1)
        generate(job_of(out))
    return out


@pytest.fixture
def old(begun, tmp_path):
    return shutil.copytree(begun, tmp_path / "out")


def test_the_identity_is_that_of_the_old_versions(old, tmp_path):
    blueprint = read_blueprint(LocalStore(old))
    assert blueprint.outdated == ["corrupt 1 (here 2)", "prime 1 (here 2)"]
    steps = [step for view in blueprint.views() for step in view.recipe]
    assert [step["version"] for step in steps] == [1, 1, 1]
    assert not steps[1].keys() & {"rounding", "frost_textures"}
    generate(job_of(tmp_path / "new"))
    new = read_blueprint(LocalStore(tmp_path / "new"))
    assert (new.outdated, new.versions) == ([], {"corrupt": 2, "prime": 2, "radial": 1})
    assert new.identity != blueprint.identity


def test_an_old_dataset_is_read_verified_and_told_of_as_before(old):
    store = LocalStore(old)
    before = read_manifest(store)
    assert list(verify(store)) == []
    found = read_status(str(old))
    assert (found["state"], found["done"]) == ("finished", len(before.shards))
    with open_stream(old, batch_size=50) as stream:
        assert len(list(stream)) == 7
    generate(job_of(old))  # there is nothing to make
    assert read_manifest(store).identity == before.identity


def test_no_shard_of_an_old_dataset_is_made_anew(old):
    store = LocalStore(old)
    shard = old / "shards" / "small-000003.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    problems = list(verify(store))
    assert [problem.shard for problem in problems] == [3]
    with pytest.raises(PassbandError, match=r"other versions of its stages: corrupt 1 \(here 2\), prime 1 \(here 2\)"):
        repaired(store, problems, SilentDisplay())
    assert (old / "records" / "000003.json").exists()
    (old / "records" / "000005.json").unlink()
    with pytest.raises(PassbandError, match=r"cannot be made as it was: choose another output.uri"):
        generate(job_of(old))


def test_an_option_that_the_old_version_did_not_have_makes_another_job(old):
    views = [VIEWS[0], VIEWS[1], {"corrupt": {**FROST["corrupt"], "rounding": "truncate"}, "name": "frost"}, VIEWS[3]]
    with pytest.raises(PassbandError, match=r"another job: views\[2\]\S* is None there and 'truncate' here"):
        generate(small_job(old, views=views))


def test_files_are_decoded_by_a_version_that_is_part_of_the_environment(tmp_path, monkeypatch):
    from passband.jobs.dataset import environment
    from tests.pipeline.sources.files import write_folder

    job = small_job(tmp_path / "out", source={"kind": "imagefolder", "path": str(write_folder(tmp_path / "photos"))})
    generate(job)
    assert read_blueprint(LocalStore(tmp_path / "out")).environment["decoding"] == str(environment.DECODING)
    assert "decoding" not in environment.current_environment(small_job(tmp_path / "digits"))
    monkeypatch.setattr(environment, "DECODING", environment.DECODING + 1)
    with pytest.raises(PassbandError, match=r"was begun with decoding 2 \(here 3\)"):
        generate(job)

"""Members of a sample are called after its views; datasets that were begun with numbers go on with numbers."""

import shutil
import tarfile

import pytest
import yaml

from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.cache import generate_cached
from passband.jobs.generation.card.page import write_card
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.webdataset.tar import read_samples
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes

OLD_IDENTITY = "c33481daca45398536ef326549f56b2112e119010160b59cf5bfd8d5231f679b"
"""Of `small_job` as it was before views were named after their stages; of its data, whatever the environment."""
NUMBERED = ["clean", {"prime": {"preset": "cifar"}, "name": "view1"}, {"radial": {"high": 4}, "name": "low"}]


def members(out, shard="shards/small-000000.tar"):
    with (out / shard).open("rb") as file:
        return next(iter(read_samples(file))).members


@pytest.fixture(scope="module")
def made_before(tmp_path_factory):
    """A dataset as it was made when views had numbers for names; its job.yaml knows no newer key."""
    out = tmp_path_factory.mktemp("before") / "out"
    generate(small_job(out, views=NUMBERED, output={"members": "numbers"}))
    envelope = yaml.safe_load((out / "job.yaml").read_text())
    del envelope["digest"]
    assert envelope["job"]["output"].pop("members") == "numbers"
    assert envelope["job"]["output"].pop("cls") is False
    (out / "job.yaml").write_text(yaml.safe_dump(envelope, sort_keys=False))
    return out


@pytest.fixture
def before(made_before, tmp_path):
    return shutil.copytree(made_before, tmp_path / "out")


@pytest.mark.parametrize("encoding", ["png", "webp", "jpeg", "npy"])
def test_members_are_called_after_their_views(tmp_path, encoding):
    views = ["clean", {"prime": {"preset": "cifar"}, "copies": 2}, {"radial": {"low": 4, "range": "float"}}]
    generate(small_job(tmp_path / "out", views=views, output={"encoding": encoding, "cls": True}))
    suffix = "jpg" if encoding == "jpeg" else encoding
    images = ["views.npy"] if encoding == "npy" else [f"{n}.{suffix}" for n in ("clean", "prime-1", "prime-2")]
    found = members(tmp_path / "out")
    assert list(found) == sorted([*images, "cls", "json", "radial.npy"])
    with open_stream(tmp_path / "out", batch_size=10, shuffle=False) as stream:
        batch = next(iter(stream))
        assert list(batch.images) == ["clean", "prime-1", "prime-2", "radial"]
        assert found["cls"].decode() == str(int(batch.labels[0]))


def test_numbers_are_kept_on_request(tmp_path):
    generate(small_job(tmp_path / "named"))
    generate(small_job(tmp_path / "numbered", output={"members": "numbers"}))
    named, numbered = members(tmp_path / "named"), members(tmp_path / "numbered")
    assert list(named) == ["clean.png", "json", "low.png", "prime.png"]
    assert list(numbered) == ["clean.png", "json", "view1.png", "view2.png"]
    assert list(named.values()) == [numbered[n] for n in ("clean.png", "json", "view2.png", "view1.png")]


def test_names_of_members_fit_a_tar_header(tmp_path):
    name = "x" * 63
    generate(small_job(tmp_path / "out", views=["clean", {"radial": {"high": 4}, "name": name}]))
    with tarfile.open(tmp_path / "out" / "shards" / "small-000000.tar") as archive:
        found = archive.getnames()
    assert f"00000000.{name}.png" in found
    assert max(map(len, found)) + len("9999999999") - len("00000000") <= 100


def test_a_dataset_of_before_keeps_its_identity_and_is_read_verified_and_told_of(before):
    store = LocalStore(before)
    blueprint, manifest = read_blueprint(store), read_manifest(store)
    assert blueprint.identity == manifest.identity == OLD_IDENTITY
    assert [view.field for view in blueprint.views()] == ["clean.png", "view1.png", "view2.png"]
    assert list(verify(store)) == []
    with open_stream(before, batch_size=50) as stream:
        assert [list(batch.images) for batch in stream] == [["clean", "view1", "low"]] * 7
    write_card(store, blueprint, manifest)
    assert "view1.png" in (before / "README.md").read_text()


@pytest.mark.parametrize("own_job", [False, True], ids=["the same job file", "its job.yaml"])
def test_a_dataset_of_before_goes_on_as_it_was_begun(before, own_job):
    expected = stored_bytes(before)
    for name in ("records/000002.json", "records/000002.parquet", "shards/small-000002.tar", "manifest.json"):
        (before / name).unlink()
    generate(load_job(before / "job.yaml") if own_job else small_job(before))
    assert stored_bytes(before) == expected
    assert read_manifest(LocalStore(before)).identity == OLD_IDENTITY
    assert list(verify(LocalStore(before))) == []


def test_a_shard_of_a_dataset_of_before_is_repaired_as_it_was(before):
    expected = stored_bytes(before)
    (before / "shards" / "small-000003.tar").write_bytes(b"")
    repaired(LocalStore(before), list(verify(LocalStore(before))), SilentDisplay())
    assert stored_bytes(before) == expected


def test_other_members_than_those_begun_are_refused_with_how_to_go_on(before):
    message = rf"output.members is None there and 'names' here. Choose another output.uri, or .*: passband run {before}"
    with pytest.raises(PassbandError, match=message) as error:
        generate(small_job(before, output={"members": "names"}))
    assert "\n" not in str(error.value)


def test_a_job_with_another_stage_does_not_go_on_by_its_place(before):
    views = ["clean", {"svd": {"rank": 2, "keep": "leading"}}, {"radial": {"high": 4}, "name": "low"}]
    with pytest.raises(PassbandError, match="holds a dataset of another job"):
        generate(small_job(before, views=views))


def test_a_dataset_of_before_is_found_in_the_cache(before, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    shutil.copytree(before, cache / f"small-{OLD_IDENTITY[:16]}")
    manifest, place = generate_cached(small_job(tmp_path / "unused"), cache, SilentDisplay())
    assert (manifest.identity, place) == (OLD_IDENTITY, str(cache / f"small-{OLD_IDENTITY[:16]}"))
    new, other = generate_cached(small_job(tmp_path / "unused", output={"cls": True}), cache, SilentDisplay())
    assert new.identity not in (OLD_IDENTITY, place)
    assert [view.field for view in new.views] == ["clean.png", "prime.png", "low.png"]

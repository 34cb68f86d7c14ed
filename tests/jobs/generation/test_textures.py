"""A folder of photographs for frost: in the identity by its contents, kept with the dataset, named where it fails."""

import shutil

import numpy as np
import pytest
from PIL import Image

from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.dataset.inputs import InputError
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes

NAMES = ("frost1.png", "frost2.jpg", "frost3.PNG")


def photographs(folder, names=NAMES, size=(120, 150)):
    folder.mkdir()
    (folder / "readme.txt").write_text("five photographs of windows")
    for seed, name in enumerate(names):
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def frosted(out, folder, **changes):
    options = {"types": ["frost"], "severity": 3, "frost_textures": str(folder)}
    return small_job(out, views=["clean", {"corrupt": options, "name": "frost"}], **changes)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return photographs(tmp_path_factory.mktemp("textures") / "windows")


@pytest.fixture(scope="module")
def made(tmp_path_factory, windows):
    out = tmp_path_factory.mktemp("frosted") / "out"
    return out, generate(frosted(out, windows))


def forget():
    """Let this process open the dataset anew, as another one would."""
    from passband.jobs.generation.workshop import own

    own.workshop.cache_clear()


def borrowed(windows, tmp_path):
    """Return the folder of photographs in another place, and a dataset that was made from it there."""
    folder = shutil.copytree(windows, tmp_path / "borrowed")
    generate(frosted(tmp_path / "out", folder))
    forget()
    return folder, LocalStore(tmp_path / "out")


def test_the_photographs_are_kept_and_recorded(made, windows):
    out, manifest = made
    assert [entry.reference for entry in manifest.inputs] == [str(windows / name) for name in NAMES]
    for entry in manifest.inputs:
        assert (out / entry.name).read_bytes() == (windows / entry.reference).read_bytes()
    assert list(verify(LocalStore(out))) == []


def test_the_bytes_are_not_those_of_drawn_ice(made, tmp_path):
    out, manifest = made
    drawn = generate(small_job(tmp_path, views=["clean", {"corrupt": {"types": ["frost"], "severity": 3}}]))
    assert drawn.identity != manifest.identity
    assert [shard.tar.sha256 for shard in drawn.shards] != [shard.tar.sha256 for shard in manifest.shards]


def test_the_identity_is_of_the_contents_in_order(made, windows, tmp_path):
    out, manifest = made
    moved = shutil.copytree(windows, tmp_path / "moved")
    same = generate(frosted(tmp_path / "a", moved, compute={"batch_size": 7}))
    assert same.identity == manifest.identity
    assert stored_bytes(tmp_path / "a") == stored_bytes(out)
    (moved / NAMES[0]).rename(moved / "z.png")  # the last of them now
    assert generate(frosted(tmp_path / "b", moved)).identity != manifest.identity
    (moved / "z.png").unlink()
    assert generate(frosted(tmp_path / "c", moved)).identity not in (manifest.identity, same)


def test_a_dataset_is_gone_on_with_when_its_photographs_are_gone(windows, tmp_path, made):
    folder = shutil.copytree(windows, tmp_path / "borrowed")
    job = frosted(tmp_path / "out", folder)
    with pytest.raises(PassbandError, match="1 of 8 shards failed"):
        generate(job, faults={4: ("raise",) * 3})
    shutil.rmtree(folder)
    forget()
    manifest = generate(job)
    assert manifest.identity == made[1].identity
    assert stored_bytes(tmp_path / "out") == stored_bytes(made[0])
    assert list(verify(LocalStore(tmp_path / "out"))) == []


def test_a_damaged_shard_is_repaired_without_the_photographs(windows, tmp_path, made):
    folder, store = borrowed(windows, tmp_path)
    shutil.rmtree(folder)
    shard = next((tmp_path / "out" / "shards").iterdir())
    shard.write_bytes(b"damaged")
    assert repaired(store, list(verify(store)), SilentDisplay())
    assert list(verify(store)) == []
    assert stored_bytes(tmp_path / "out") == stored_bytes(made[0])


def test_a_damaged_copy_is_made_again_from_the_folder(windows, tmp_path):
    folder, store = borrowed(windows, tmp_path)
    kept = tmp_path / "out" / read_manifest(store).inputs[1].name
    kept.write_bytes(b"damaged")
    assert [problem.name for problem in verify(store)] == [kept.relative_to(tmp_path / "out").as_posix()]
    repaired(store, list(verify(store)), SilentDisplay())
    assert list(verify(store)) == []
    assert kept.read_bytes() == (folder / NAMES[1]).read_bytes()


def test_a_run_does_not_call_a_dataset_finished_whose_copy_is_damaged(windows, tmp_path):
    folder, store = borrowed(windows, tmp_path)
    kept = tmp_path / "out" / read_manifest(store).inputs[1].name
    content = kept.read_bytes()
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    job = frosted(tmp_path / "out", folder)
    with pytest.raises(IntegrityError, match=rf"{kept.name}: sha256 is .*; verify --repair makes it again"):
        generate(job)
    generate(job, trust=True)
    repaired(store, list(verify(store)), SilentDisplay())
    generate(job)
    assert kept.read_bytes() == content


def test_or_the_photograph_that_is_missing_is_named(windows, tmp_path):
    folder, store = borrowed(windows, tmp_path)
    shutil.rmtree(folder)
    (tmp_path / "out" / read_manifest(store).inputs[1].name).write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"cannot read .*{NAMES[1]}.*No such file"):
        repaired(store, list(verify(store)), SilentDisplay())


def test_other_photographs_are_refused_in_the_same_place(windows, tmp_path):
    folder, _ = borrowed(windows, tmp_path)
    Image.new("RGB", (120, 150)).save(folder / NAMES[0])
    with pytest.raises(PassbandError, match=r"holds a dataset of another job: .*frost_textures\[0\] is 'sha256:"):
        generate(frosted(tmp_path / "out", folder))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=f"cannot read the folder {tmp_path}/none, .*No such file"):
        generate(frosted(tmp_path / "out", tmp_path / "none"))
    assert not (tmp_path / "out" / "job.yaml").exists()


def test_a_folder_without_an_image_is_named(tmp_path):
    folder = photographs(tmp_path / "empty", names=())
    with pytest.raises(InputError, match=f"{folder}: has no image.*png"):
        generate(frosted(tmp_path / "out", folder))


def test_what_is_hidden_and_folders_are_no_photographs(windows, tmp_path, made):
    folder = shutil.copytree(windows, tmp_path / "windows")
    for name in ("._frost1.png", ".frost2.jpg"):
        (folder / name).write_bytes(b"resource fork")
    (folder / "more.png").mkdir()
    (folder / "__MACOSX").mkdir()
    assert generate(frosted(tmp_path / "out", folder)).identity == made[1].identity


def test_photographs_that_are_too_small_are_named(tmp_path):
    folder = photographs(tmp_path / "small", names=("a.png", "b.png"), size=(70, 90))
    with pytest.raises(InputError, match="frost: corrupt: frost_textures: a.png is 14x18, b.png is 14x18 once scaled"):
        generate(frosted(tmp_path / "out", folder))


def test_what_is_no_image_is_named(tmp_path):
    folder = photographs(tmp_path / "broken", names=("a.png",))
    (folder / "b.png").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"frost: corrupt: frost_textures: b.png: "):
        generate(frosted(tmp_path / "out", folder))


def test_a_relative_folder_and_one_with_a_slash_are_the_same(windows, tmp_path, made, monkeypatch):
    monkeypatch.chdir(windows.parent)
    assert generate(frosted(tmp_path, f"{windows.name}/")).identity == made[1].identity


def test_a_plan_reads_them_too(windows, tmp_path, passband):
    import yaml

    job = frosted(tmp_path / "out", f"{windows}/").resolved()
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    status, said, errors = passband("plan", tmp_path / "job.yaml")
    assert status == 0, errors
    assert "355 x 2 views" in said


def test_an_analysis_of_frosted_images_reads_them_too(windows, tmp_path, monkeypatch):
    monkeypatch.chdir(windows.parent)
    base = [{"corrupt": {"types": ["frost"], "severity": 3, "frost_textures": windows.name}}]
    given = {
        "kind": "analyze",
        "name": "frosted",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 16},
        "output": {"uri": str(tmp_path / "frosted")},
        "compute": {"executor": "inline"},
    }
    found = [analyze(parse_analyze_job(given | {"output": {"uri": str(tmp_path / name)}, "base": stages}), "amplitude")
             for name, stages in (("plain", []), ("frosted", base))]  # fmt: skip
    assert found[0] != found[1]

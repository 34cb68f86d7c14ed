"""Files that stages read: in the identity by their content, kept with the dataset, refused where they do not fit."""

import hashlib
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from passband.jobs.common.jobfile import JobError
from passband.jobs.common.overwrite import claimed
from passband.jobs.dataset.inputs import InputError, computed_maps, read_files
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.cache import generate_cached
from passband.jobs.generation.probe import estimate_maps
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.errors import PassbandError
from passband.pipeline.hashed import put_hashed
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes
from tests.jobs.generation.test_textures import photographs

DIGITS = [str(digit) for digit in range(10)]


def checkpoint(folder, *, seed=0, kind="lenet", classes=DIGITS, side=16):
    folder.mkdir(exist_ok=True)
    spec = NetworkSpec(kind=kind, shape=[3, side, side], classes=classes, mean=[0.5] * 3, std=[0.25] * 3)
    (folder / "model.pt").write_bytes(network_bytes(build_network(spec, seed)))
    return folder


def attacked(out, surrogate, changes=None, sha256=None, **sada):
    told = {} if sha256 is None else {"sha256": sha256}
    options = {
        "surrogate": {"network": "lenet", "checkpoint": str(surrogate), "batch": 16} | told,
        "sensitivity": {"subset": 10},
        "steps": 2,
    } | sada
    return small_job(out, views=["clean", {"sada": options, "copies": 2, "name": "sada"}], **(changes or {}))


STRIDES = ({}, {"stride": 1}, {"stride": 4})


@pytest.fixture(scope="module")
def surrogate(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("surrogate"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, surrogate):
    out = tmp_path_factory.mktemp("attacked") / "out"
    return out, generate(attacked(out, surrogate))


def test_checkpoint_and_map_are_kept_and_recorded(made, surrogate):
    out, manifest = made
    model, computed = manifest.inputs
    assert model.reference == str(surrogate)
    assert (out / model.name).read_bytes() == (surrogate / "model.pt").read_bytes()
    assert computed.reference.startswith("enhanced map ")
    with np.load(out / computed.name) as maps:
        assert list(maps) == ["enhanced"]
        assert maps["enhanced"].shape == (16, 16)
    assert list(verify(LocalStore(out))) == []


def test_what_the_attack_did_is_recorded(made):
    out, manifest = made
    rows = pq.read_table(out / manifest.shards[0].provenance.name)
    for view in ("view1", "view2"):
        recorded = {key: rows[f"{view}.0.sada.{key}"].to_numpy() for key in
                    ("steps", "changed", "loss_before", "loss_after", "distance")}  # fmt: skip
        assert set(recorded["steps"]) <= {0, 1, 2}
        assert (recorded["loss_before"] > 0).all()
        assert (recorded["distance"] > 0).all()


def test_batches_change_no_byte(made, surrogate, tmp_path, monkeypatch):
    monkeypatch.setattr("passband.jobs.dataset.memory.LARGEST_GAINED", 3 * 3 * 16 * 16)  # 3 images at a time
    out, _ = made
    generate(attacked(tmp_path, surrogate, {"compute": {"batch_size": 2, "threads": 1}}))
    assert stored_bytes(tmp_path) == stored_bytes(out)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_workers_change_no_byte(made, surrogate, tmp_path):
    out, _ = made
    generate(attacked(tmp_path, surrogate, {"compute": {"executor": "ray", "workers": 2}}))
    assert stored_bytes(tmp_path) == stored_bytes(out)


def test_worker_threads_that_share_a_frozen_model_change_no_byte(made, surrogate, tmp_path):
    out, _ = made
    generate(attacked(tmp_path, surrogate, {"compute": {"executor": "threads", "workers": 4, "batch_size": 7}}))
    assert stored_bytes(tmp_path) == stored_bytes(out)


def test_a_view_does_not_depend_on_its_shard(made, surrogate, tmp_path):
    out, manifest = made
    other = generate(attacked(tmp_path, surrogate, {"output": {"samples_per_shard": 35}}))
    views = [read_views(folder, found) for folder, found in ((out, manifest), (tmp_path, other))]
    assert views[0] == views[1]


def read_views(out, manifest):
    import tarfile

    found = {}
    for shard in manifest.shards:
        with tarfile.open(out / shard.tar.name) as tar:
            found |= {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.name.endswith(".png")}
    return found


def test_the_identity_is_of_the_content_not_of_the_place(made, surrogate, tmp_path):
    _, manifest = made
    moved = shutil.copytree(surrogate, tmp_path / "moved")
    assert generate(attacked(tmp_path / "a", moved)).identity == manifest.identity
    other = checkpoint(tmp_path / "other", seed=1)
    assert generate(attacked(tmp_path / "b", other)).identity != manifest.identity


def test_a_dataset_outlives_its_checkpoint(surrogate, tmp_path):
    borrowed = shutil.copytree(surrogate, tmp_path / "borrowed")
    job = attacked(tmp_path / "out", borrowed)
    with pytest.raises(PassbandError, match="1 of 8 shards failed"):
        generate(job, faults={4: ("raise",) * 3})
    shutil.rmtree(borrowed)
    manifest = generate(job)
    assert list(verify(LocalStore(tmp_path / "out"))) == []
    assert manifest.samples == 355


def test_a_checkpoint_that_was_renamed_is_the_same(surrogate, tmp_path):
    for name in ("net.pt", "net.pth"):
        (tmp_path / name).write_bytes((surrogate / "model.pt").read_bytes())
    with pytest.raises(PassbandError, match="1 of 8 shards failed"):
        generate(attacked(tmp_path / "out", tmp_path / "net.pt", map="none"), faults={4: ("raise",) * 3})
    (tmp_path / "net.pt").unlink()
    forget()
    manifest = generate(attacked(tmp_path / "out", tmp_path / "net.pth", map="none"))
    assert [entry.reference for entry in manifest.inputs] == [str(tmp_path / "net.pth")]
    assert list(verify(LocalStore(tmp_path / "out"))) == []


def forget():
    """Let this process open the dataset anew, as another one would."""
    from passband.jobs.generation.workshop import own

    own.workshop.cache_clear()


def test_a_map_that_equals_a_file_stays_a_map(made, surrogate, tmp_path):
    """One view has its map computed, another one a copy of it: resuming must keep both."""
    out, manifest = made
    copied = tmp_path / "copy.npz"
    copied.write_bytes((out / manifest.inputs[1].name).read_bytes())
    options = {"surrogate": {"network": "lenet", "checkpoint": str(surrogate), "batch": 16},
               "sensitivity": {"subset": 10}, "steps": 2}  # fmt: skip
    views = ["clean", {"sada": options}, {"sada": options | {"map": str(copied)}}]
    whole = generate(small_job(tmp_path / "whole", views=views))
    with pytest.raises(PassbandError, match="1 of 8 shards failed"):
        generate(small_job(tmp_path / "part", views=views), faults={4: ("raise",) * 3})
    forget()
    resumed = generate(small_job(tmp_path / "part", views=views, bad_images=1))
    assert len(resumed.inputs) == len(whole.inputs) == 3
    assert stored_bytes(tmp_path / "part") == stored_bytes(tmp_path / "whole")


class Stop(Exception):
    """What a signal is turned into."""


def test_a_run_that_was_stopped_in_the_map_goes_on(made, surrogate, tmp_path):
    out, _ = made
    calls = []

    def checkpoint():
        calls.append(None)
        raise Stop

    with pytest.raises(Stop):
        generate(attacked(tmp_path, surrogate), checkpoint=checkpoint)
    assert len(calls) == 1
    assert not (tmp_path / "job.yaml").exists()
    assert list((tmp_path / "inputs").glob("enhanced-map-*/blocks/*.json"))
    generate(attacked(tmp_path, surrogate))
    assert stored_bytes(tmp_path) == stored_bytes(out)


def test_an_image_that_cannot_be_read_is_left_out_of_the_map_too(surrogate, tmp_path):
    pixels = np.random.default_rng(0)
    for digit in range(10):
        folder = tmp_path / "images" / str(digit)
        folder.mkdir(parents=True)
        for number in range(3):
            Image.fromarray(pixels.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")
    (tmp_path / "images" / "3" / "1.png").write_bytes(b"junk")
    given = attacked(tmp_path / "out", surrogate).resolved()
    given["source"] = {"kind": "imagefolder", "path": str(tmp_path / "images")}
    manifest = generate(parse_job(given | {"bad_images": 1}))
    assert (manifest.samples, len(manifest.bad)) == (29, 1)
    assert len(manifest.inputs) == 2
    with pytest.raises(PassbandError, match="3/1.png"):
        generate(parse_job(given | {"output": given["output"] | {"uri": str(tmp_path / "none")}}))


def test_a_plan_tells_what_the_map_costs(surrogate, tmp_path):
    job = attacked(tmp_path / "out", surrogate, sensitivity={"subset": 20})
    found = estimate_maps(job, read_files(job))
    assert found["enhanced map"].samples == 20
    assert (found["enhanced map"].items, found["enhanced map"].noun) == (130, "frequencies")
    assert found["enhanced map"].seconds > 0
    coarse = attacked(tmp_path / "out", surrogate, sensitivity={"subset": 20, "stride": 4})
    assert estimate_maps(coarse, read_files(coarse))["enhanced map"].items == 10
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="sensitivity.subset is 400; allowed: up to the 355 images"):
        generate(attacked(tmp_path / "out", surrogate, sensitivity={"subset": 400}))
    with pytest.raises(InputError, match=r"sensitivity.stride: got 9; allowed: 1 to 8, half of 16 x 16"):
        generate(attacked(tmp_path / "out", surrogate, sensitivity={"subset": 20, "stride": 9}))


def test_a_map_of_a_coarser_grid_is_another_map(surrogate, tmp_path):
    """A stride of 1 is the map that it was without one."""
    jobs = [attacked(tmp_path / "out", surrogate, sensitivity={"subset": 20} | more) for more in STRIDES]
    whole, same, coarse = (next(iter(computed_maps(job, read_files(job)))) for job in jobs)
    assert whole == same != coarse
    assert jobs[0].resolved() == jobs[1].resolved() != jobs[2].resolved()
    (job,) = jobs[2:]
    manifest = generate(job)
    (folder,) = {entry.name for entry in manifest.inputs if entry.reference == coarse}
    with np.load(tmp_path / "out" / folder, allow_pickle=False) as arrays:
        assert len(np.unique(arrays["enhanced"])) <= 10


def test_a_checkpoint_that_changed_is_another_job(surrogate, tmp_path):
    borrowed = shutil.copytree(surrogate, tmp_path / "borrowed")
    job = attacked(tmp_path / "out", borrowed, map="none")
    generate(job)
    checkpoint(borrowed, seed=7)
    with pytest.raises(PassbandError, match=r"checkpoint is 'sha256:\w+\.\.\. there and 'sha256:"):
        generate(job)


class Told(SilentDisplay):
    """Keeps what is said when a run begins."""

    def __init__(self):
        self.warnings = []

    def started(self, ledger):
        self.warnings = list(ledger.warnings)


def test_a_surrogate_is_held_to_the_hash_beside_it(surrogate, tmp_path):
    borrowed = LocalStore(tmp_path / "borrowed")
    put_hashed(borrowed, "model.pt", (surrogate / "model.pt").read_bytes())
    told = Told()
    manifest = generate(attacked(tmp_path / "one", borrowed.root, map="none"), display=told)
    assert told.warnings == []
    content = bytearray(borrowed.read("model.pt"))
    content[len(content) // 2] ^= 1
    (borrowed.root / "model.pt").write_bytes(content)
    with pytest.raises(PassbandError, match=r"model.pt: has sha256 \w+, model.pt.sha256 says"):
        generate(attacked(tmp_path / "two", borrowed.root, map="none"))
    (borrowed.root / "model.pt.sha256").unlink()
    with pytest.raises(PassbandError, match="is damaged: .* has another check sum"):
        generate(attacked(tmp_path / "two", borrowed.root, map="none"))
    assert not (tmp_path / "two" / "job.yaml").exists()
    assert generate(attacked(tmp_path / "three", surrogate, map="none"), display=told).identity == manifest.identity
    assert told.warnings == [
        f"{surrogate}/model.pt: no model.pt.sha256 lies beside it, so only its structure was checked"
    ]


def test_a_hash_in_the_job_is_a_check_and_no_other_dataset(surrogate, tmp_path):
    sha256 = hashlib.sha256((surrogate / "model.pt").read_bytes()).hexdigest()
    told, other = Told(), "0" * 64
    plain = generate(attacked(tmp_path / "plain", surrogate))
    given = attacked(tmp_path / "given", surrogate, sha256=sha256)
    assert generate(given, display=told).identity == plain.identity
    assert told.warnings == []
    assert generate(attacked(tmp_path / "given", surrogate)).identity == plain.identity  # it goes on without, too
    with pytest.raises(InputError, match=f"has sha256 {sha256}, the job says {other}"):
        generate(attacked(tmp_path / "wrong", surrogate, sha256=other))


def test_a_cached_dataset_is_found_by_its_surrogate(surrogate, tmp_path):
    job = attacked("elsewhere", surrogate, map="none")
    first, folder = generate_cached(job, tmp_path, SilentDisplay())
    again, found = generate_cached(job, tmp_path, SilentDisplay())
    assert (again, found) == (first, folder)


@pytest.mark.parametrize("which", [0, 1], ids=["checkpoint", "map"])
def test_damage_is_found_and_mended(surrogate, tmp_path, which):
    out = tmp_path / "out"
    manifest = generate(attacked(out, surrogate))
    damaged = out / manifest.inputs[which].name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    store = LocalStore(out)
    problems = list(verify(store))
    assert [problem.name for problem in problems] == [manifest.inputs[which].name]
    repaired(store, problems, SilentDisplay())
    assert list(verify(store)) == []
    (out / "inputs" / "stray.bin").write_bytes(b"")
    assert [problem.name for problem in verify(store)] == ["inputs/stray.bin"]


def test_a_map_is_mended_without_the_first_checkpoint(surrogate, tmp_path):
    borrowed = shutil.copytree(surrogate, tmp_path / "borrowed")
    manifest = generate(attacked(tmp_path / "out", borrowed))
    shutil.rmtree(borrowed)
    (tmp_path / "out" / manifest.inputs[1].name).write_bytes(b"")
    store = LocalStore(tmp_path / "out")
    repaired(store, list(verify(store)), SilentDisplay())
    assert list(verify(store)) == []


def test_a_map_of_frosted_images_is_mended_without_the_photographs(surrogate, tmp_path):
    folder, out = photographs(tmp_path / "windows"), tmp_path / "out"
    frost = {"corrupt": {"types": ["frost"], "severity": 3, "frost_textures": str(folder)}}
    manifest = generate(attacked(out, surrogate, {"base": [frost]}))
    (damaged,) = (out / entry.name for entry in manifest.inputs if entry.reference.startswith("enhanced map "))
    whole = damaged.read_bytes()
    shutil.rmtree(folder)
    shutil.rmtree(damaged.parent)
    forget()
    store = LocalStore(out)
    repaired(store, list(verify(store)), SilentDisplay())
    assert damaged.read_bytes() == whole
    assert list(verify(store)) == []


def test_all_of_a_dataset_with_a_map_can_be_overwritten(made):
    assert any(name.startswith("inputs/") and name.endswith("/maps.npz") for name, _ in claimed(made[0]).files)


def test_a_map_from_a_file(made, surrogate, tmp_path):
    out, manifest = made
    computed = tmp_path / "maps.npz"
    computed.write_bytes((out / manifest.inputs[1].name).read_bytes())
    other = generate(attacked(tmp_path / "out", surrogate, map=str(computed)))
    assert read_views(tmp_path / "out", other) == read_views(out, manifest)
    assert {entry.reference for entry in other.inputs} == {str(surrogate), str(computed)}
    recipe = json.dumps(other.views[1].recipe)
    assert "maps.npz" in recipe


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "convnet"}, "holds a convnet, surrogate.network is lenet"),
        ({"classes": DIGITS[:9]}, r"tells 9 classes \(0, 1, 2, 3, 4, ...\) apart, the data has 10 classes"),
        ({"side": 20}, r"takes images of shape \[3, 20, 20\], the data has \[3, 16, 16\]"),
    ],
)
def test_a_surrogate_that_does_not_fit_is_refused_by_name(tmp_path, given, message):
    wrong = checkpoint(tmp_path / "wrong", **given)
    with pytest.raises(InputError, match=f"sada-1: sada: {wrong}.*{message}"):
        generate(attacked(tmp_path / "out", wrong))
    assert not (tmp_path / "out" / "job.yaml").exists()


def test_files_that_are_none_are_refused(surrogate, tmp_path):
    with pytest.raises(InputError, match="cannot read .*nowhere.*No such file"):
        generate(attacked(tmp_path / "a", tmp_path / "nowhere"))
    text = tmp_path / "map.npz"
    for content in (b"no map", b"PK\x03\x04 nothing"):
        text.write_bytes(content)
        with pytest.raises(InputError, match="map .*map.npz: is not a .npz file of arrays"):
            generate(attacked(tmp_path / "b", surrogate, map=str(text)))
    np.savez(text, enhanced=np.full((16, 16), 1j))
    with pytest.raises(InputError, match="enhanced holds complex128, not real numbers"):
        generate(attacked(tmp_path / "g", surrogate, map=str(text)))
    np.savez(text, enhanced=np.zeros((8, 8)))
    with pytest.raises(InputError, match=r"enhanced is of \(8, 8\), images are 16 x 16"):
        generate(attacked(tmp_path / "c", surrogate, map=str(text)))
    np.savez(text, enhanced=np.full((16, 16), 2.0))
    with pytest.raises(InputError, match=r"leaves \[0, 1\]"):
        generate(attacked(tmp_path / "d", surrogate, map=str(text)))
    np.savez(text, enhanced=np.random.default_rng(0).random((16, 16)))
    with pytest.raises(InputError, match="differs between a frequency and its mirror image"):
        generate(attacked(tmp_path / "f", surrogate, map=str(text)))
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "model.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(InputError, match="is not a checkpoint that can be read safely"):
        generate(attacked(tmp_path / "e", junk))


def test_sada_in_base_is_refused(surrogate, tmp_path):
    entry = {"sada": {"surrogate": {"network": "lenet", "checkpoint": str(surrogate)}}}
    with pytest.raises(JobError, match="base: sada makes views of a sample"):
        small_job(tmp_path, base=[entry])

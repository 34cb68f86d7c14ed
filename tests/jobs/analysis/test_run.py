import json
from typing import ClassVar

import boto3
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from passband.jobs.analysis.counting import count_wrong
from passband.jobs.analysis.display import SilentDisplay
from passband.jobs.analysis.envelope import read_envelope
from passband.jobs.analysis.inputs import read_inputs
from passband.jobs.analysis.ledger import BlocksFailedError
from passband.jobs.analysis.mapping import told_maps
from passband.jobs.analysis.results import read_results
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.sensitivity import compute_sensitivity
from passband.jobs.analysis.spec import load_analyze_job
from passband.jobs.common.jobfile import JobError
from passband.jobs.common.overwrite import claimed
from passband.jobs.comparison.status import read_run, spell_run
from passband.jobs.executors.base import ExecutorError
from passband.jobs.executors.choice import EXECUTORS
from passband.jobs.generation.run import generate
from passband.kernels.cpu.pixels import to_float
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.hashed import put_hashed
from passband.pipeline.networks.network import NetworkError, build_network, load_network
from passband.pipeline.seals import unsealed
from passband.pipeline.store import LocalStore, open_store
from tests.jobs.analysis.conftest import job_of, only, stored
from tests.jobs.evaluation.conftest import DIGITS, spec_of
from tests.jobs.executors.test_toy import TOY
from tests.jobs.generation.made import small_job


def maps_in(out):
    with np.load(out / "maps.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


class Stopped(Exception):
    """Ends a run after some blocks."""


def stop_after(blocks):
    done = []

    def checkpoint():
        done.append(1)
        if len(done) == blocks:
            raise Stopped

    return checkpoint


@pytest.fixture(scope="module")
def finished(tmp_path_factory, checkpoint):
    """The folder of an analysis that ran through at once."""
    out = tmp_path_factory.mktemp("analysis") / "out"
    analyze(job_of(out, checkpoint))
    return out


def test_the_folder_keeps_its_contract(finished, make_job, digits, checkpoint):
    results = json.loads((finished / "results.json").read_text())
    assert results | {"format": 1, "kind": "analyze", "what": "sensitivity", "name": "small"} == results
    assert (results["samples"], results["of"], results["shape"]) == (40, 355, [3, 16, 16])
    assert results["surrogate"]["network"] == "lenet"
    assert len(results["surrogate"]["sha256"]) == len(results["identity"]) == 64
    assert 0 < results["model_share"] <= 1
    assert results["evaluations"] == 2 * 130 * 40
    maps = maps_in(finished)
    assert [summary["name"] for summary in results["maps"]] == list(maps) == ["original", "enhanced"]
    for summary in results["maps"]:
        values = maps[summary["name"]]
        assert (values.shape, values.dtype) == ((16, 16), np.float64)
        assert summary["mean"] == summary["mean_l1"] == pytest.approx(values.mean())
        assert summary["largest"] == values.max()
        assert 0 < summary["standard_error"] < 0.1
        with Image.open(finished / f"{summary['name']}.png") as picture:
            assert picture.width > 200
    assert len(list((finished / "blocks").iterdir())) == 6  # records alone, of 2 maps x 3 blocks
    assert yaml.safe_load((finished / "job.yaml").read_text())["identity"] == results["identity"]


def test_all_of_its_folder_can_be_overwritten(finished):
    found = claimed(finished)
    assert (found.kind, "maps.npz" in dict(found.files)) == ("analysis", True)


def test_the_maps_are_those_of_the_python_call(finished, make_job, digits, checkpoint):
    job = make_job()
    pixels, labels, indices, key = digits
    found = compute_sensitivity(
        pixels,
        labels,
        indices,
        checkpoint.read_bytes(),
        key=key,
        classes=DIGITS,
        surrogate=job.surrogate,
        options=job.options(),
        maps=job.maps,
    )
    for name, values in maps_in(finished).items():
        np.testing.assert_array_equal(values, found[name])


@pytest.mark.parametrize("compute", [{"block": 1}, {"block": 7, "threads": 1}, {"block": None, "threads": 2}], ids=str)
def test_the_division_of_the_work_changes_no_byte(finished, make_job, tmp_path, compute):
    analyze(make_job(compute=compute, subset=40))
    for name in ("maps.npz", "original.png", "enhanced.png"):
        assert (tmp_path / "out" / name).read_bytes() == (finished / name).read_bytes()


def test_a_backend_that_an_analysis_does_not_have_is_refused(make_job):
    assert make_job(compute={"backend": "cpu"}).compute.backend == "cpu"
    with pytest.raises(JobError, match="compute.backend: got 'cuda'; allowed: auto, cpu"):
        make_job(compute={"backend": "cuda"})


@pytest.mark.slow
def test_ray_workers_make_the_same_maps(finished, make_job, tmp_path, ray_session):
    analyze(make_job(compute={"executor": "ray", "workers": 2}))
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()
    records = [json.loads(path.read_text()) for path in (tmp_path / "out" / "blocks").iterdir()]
    assert len(records) == 6


def test_worker_threads_make_the_same_maps(finished, make_job, tmp_path):
    analyze(make_job(compute={"executor": "threads", "workers": 3}))
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()
    records = [json.loads(path.read_text()) for path in (tmp_path / "out" / "blocks").iterdir()]
    assert {record["worker"].rpartition("/")[2] for record in records} <= {"0", "1", "2"}


def test_what_someones_own_executor_made_is_read_without_it(finished, make_job, tmp_path, monkeypatch):
    monkeypatch.setitem(EXECUTORS, "toy", TOY)
    job = make_job(compute={"executor": "toy", "workers": 2})
    analyze(job)
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()
    for name in ("results.json", "maps.npz", "blocks/original-000001.json"):
        (tmp_path / "out" / name).unlink()
    monkeypatch.delitem(EXECUTORS, "toy")
    again = load_analyze_job(tmp_path / "out" / "job.yaml")
    assert (job.compute.executor, again.compute.executor) == ("toy", "auto")
    analyze(again.with_compute(executor="inline", workers=1))
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()


@pytest.mark.slow
def test_threads_of_a_job_reach_what_its_workers_reserve(make_job, ray_session):
    with pytest.raises(ExecutorError, match="it needs {'CPU': 4, 'GPU': 0}"):  # more than the session has
        analyze(make_job(compute={"executor": "ray", "workers": 1, "threads": 4}))


def test_a_run_that_was_stopped_is_gone_on_with(finished, make_job, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(2))
    assert not (out / "results.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / "blocks").glob("original-*.json")}
    assert len(kept) == 2
    told = read_run(LocalStore(out))
    assert (told["state"], told["done"], told["blocks"], told["maps"]) == ("unfinished", 2, 6, ["original", "enhanced"])
    assert "blocks   2 of 6 done" in spell_run(told).splitlines()
    (out / "blocks" / ".passband-crashed-original-000002.json").write_text("half a rec")
    made = []
    analyze(make_job(compute={"block": 3}), checkpoint=lambda: made.append(1))  # the division that it began with stays
    assert len(made) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert (out / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()
    assert not list((out / "blocks").glob(".passband-*"))
    told = read_run(LocalStore(out))
    assert (told["state"], told["done"], told["what"]) == ("finished", 6, "sensitivity")


def test_blocks_that_are_gone_or_damaged_are_made_again(finished, make_job, tmp_path):
    out = tmp_path / "out"
    analyze(make_job())
    (out / "results.json").unlink()
    (out / "maps.npz").unlink()
    (out / "blocks" / "original-000001.json").unlink()
    (out / "blocks" / "enhanced-000002.json").write_text("{}")
    foreign = json.loads((out / "blocks" / "enhanced-000000.json").read_text()) | {"identity": "another"}
    (out / "blocks" / "enhanced-000000.json").write_text(json.dumps(foreign))
    made = []
    analyze(make_job(), checkpoint=lambda: made.append(1))
    assert len(made) == 3
    assert (out / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()


@pytest.mark.parametrize(("failures", "made"), [(1, 6), (3, 5)])
def test_a_block_that_fails_is_tried_again_and_named_at_last(finished, make_job, tmp_path, monkeypatch, failures, made):
    left = [RuntimeError("broken")] * failures

    def flaky(subject, name, norms, start, stop):
        if (name, start) == ("original", 50) and left:
            raise left.pop()
        return count_wrong(subject, name, norms, start, stop)

    monkeypatch.setattr("passband.jobs.analysis.studies.sensitivity.count_wrong", flaky)
    if failures == 3:
        with pytest.raises(BlocksFailedError, match="1 block failed.*\n  block original-000001: RuntimeError: broken"):
            analyze(make_job())
    else:
        analyze(make_job())
    assert len(list((tmp_path / "out" / "blocks").glob("*.json"))) == made
    analyze(make_job())
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (finished / "maps.npz").read_bytes()


def test_the_failure_budget_ends_a_run(make_job, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr("passband.jobs.analysis.studies.sensitivity.count_wrong", broken)
    with pytest.raises(BlocksFailedError, match="^2 blocks failed"):
        analyze(make_job(compute={"failure_budget": 1, "max_attempts": 1}))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_an_object_store_gets_the_same_maps(finished, make_job, s3_server):
    boto3.client("s3").create_bucket(Bucket="analysis")
    with pytest.raises(Stopped):
        analyze(make_job(output={"uri": "s3://analysis/out"}), checkpoint=stop_after(4))
    analyze(make_job(output={"uri": "s3://analysis/out"}))
    store = open_store("s3://analysis/out")
    assert store.read("maps.npz") == (finished / "maps.npz").read_bytes()
    assert len(store.names("blocks")) == 6


def test_what_is_done_is_not_done_again(make_job, finished, checkpoint):
    before = (finished / "results.json").read_bytes()
    found = analyze(job_of(finished, checkpoint), checkpoint=lambda: pytest.fail("a block was evaluated"))
    assert found.model_dump() == unsealed(json.loads(before))
    assert (finished / "results.json").read_bytes() == before


def test_the_seed_and_the_subset_decide(finished, make_job, tmp_path):
    one, two = (analyze(make_job(seed=1, maps=["enhanced"], output={"uri": str(tmp_path / name)})) for name in "ab")
    assert one.maps == two.maps
    assert not np.array_equal(maps_in(tmp_path / "a")["enhanced"], maps_in(finished)["enhanced"])


def test_all_images_cost_no_standard_error(make_job):
    found = analyze(make_job(subset=None, maps=["enhanced"], surrogate={"batch": 256}, compute={"block": None}))
    assert found.samples == found.of == 355
    assert [summary.standard_error for summary in found.maps] == [0]


def test_amplitude_is_the_scaled_mean_spectrum(make_job, tmp_path, digits):
    found = analyze(make_job(scale=10.0, surrogate=None), "amplitude")
    values = maps_in(tmp_path / "out")["amplitude"]
    spectrum = np.abs(np.fft.fft2(digits[0] / 255, axes=(1, 2))).mean((0, 3))
    np.testing.assert_allclose(values, 10 * np.fft.fftshift(spectrum), rtol=1e-5)
    assert (found.what, found.samples, found.of, found.surrogate) == ("amplitude", 355, 355, None)
    assert found.maps[0].largest == values[8, 8]
    assert (tmp_path / "out" / "amplitude.png").exists()


def test_stages_in_base_change_the_images(make_job, tmp_path):
    flat = {"radial": {"high": 1.0}}  # the mean of each image is left
    analyze(make_job(base=[flat], surrogate=None), "amplitude")
    values = maps_in(tmp_path / "out")["amplitude"]
    assert values[8, 8] > 10
    values[8, 8] = 0
    assert values.max() < 1e-4  # 1 / 255 would show: what is looked at is rounded to uint8, as a dataset's clean view


def test_a_folder_of_another_job_is_refused(make_job, tmp_path, fitted):
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(1))
    for changes, named in (
        ({"norm": 3.0}, "norm is 2.0 there and 3.0 here"),
        ({"subset": None}, "subset is 40 there and None here"),
        ({"seed": 5}, "seed is 0 there and 5 here"),
        ({"surrogate": {"batch": 16}}, "surrogate.batch is 32 there and 16 here"),
        ({"surrogate": {"checkpoint": str(stored(only(2), tmp_path / "other.pt"))}}, "sha256 of the checkpoint is"),
    ):
        with pytest.raises(PassbandError, match=f"holds an analysis of another job: .*{named}"):
            analyze(make_job(**changes))
    with pytest.raises(PassbandError, match="what is sensitivity there and amplitude here"):
        analyze(make_job(), "amplitude")


def test_other_folders_are_refused(make_job, tmp_path):
    generate(small_job(tmp_path / "dataset", views=["clean"]))
    with pytest.raises(PassbandError, match="of a dataset or a training; choose another folder"):
        analyze(make_job(output={"uri": str(tmp_path / "dataset")}))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine")
    with pytest.raises(PassbandError, match=r"holds thesis.txt but no job.yaml"):
        analyze(make_job(output={"uri": str(tmp_path / "own")}))


def test_another_environment_is_refused(make_job, monkeypatch):
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(1))
    monkeypatch.setattr("passband.jobs.analysis.envelope.processor", lambda: "abacus")
    with pytest.raises(PassbandError, match=r"was begun with processor .* \(here abacus\)"):
        analyze(make_job())


def test_damaged_inputs_are_refused(make_job, tmp_path):
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(1))
    envelope = read_envelope(LocalStore(tmp_path / "out"))
    assert envelope.inputs is not None
    (tmp_path / "out" / "blocks" / "images.npz").write_bytes(b"other")
    with pytest.raises(IntegrityError, match="has sha256"):
        read_inputs(LocalStore(tmp_path / "out"), envelope.inputs)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"surrogate": {"network": "convnet"}}, NetworkError, "holds a lenet, surrogate.network is convnet"),
        ({"image": {"size": 20}}, NetworkError, r"takes images of shape \[3, 16, 16\], the data has \[3, 20, 20\]"),
        ({"surrogate": {"checkpoint": "nowhere.pt"}}, NetworkError, "nowhere.pt: there is no checkpoint"),
        ({"subset": 400}, JobError, "subset is 400: the source has 355 images"),
        ({"subset": 9}, JobError, "subset is 9: the source has 10 classes"),
        ({"surrogate": None}, JobError, "surrogate: is needed for sensitivity"),
        ({"what": "amplitude"}, JobError, "what: got 'amplitude', the command is analyze sensitivity"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_before_anything_is_written(make_job, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        analyze(make_job(**changes))
    assert not (tmp_path / "out" / "job.yaml").exists()


def test_other_classes_are_refused(make_job, tmp_path):
    path = stored(build_network(spec_of("lenet", ["a", "b"]), seed=0), tmp_path / "two.pt")
    with pytest.raises(NetworkError, match="tells 2 classes .* apart, the data has 10 classes"):
        analyze(make_job(surrogate={"checkpoint": str(path)}))


def test_with_own_labels_an_error_is_a_changed_prediction(make_job, tmp_path, fitted, digits):
    """Of a network that tells other classes apart; the job of a network of these classes has another identity."""
    path = stored(build_network(spec_of("lenet", ["a", "b", "c"]), seed=0), tmp_path / "three.pt")
    own = {"surrogate": {"checkpoint": str(path), "labels": "own"}}
    found = analyze(make_job(**own, norm=0.0, maps=["original"], output={"uri": str(tmp_path / "zero")}))
    assert not maps_in(tmp_path / "zero")["original"].any()  # no noise changes no prediction
    analyze(make_job(**own, maps=["original"]))
    predictions = torch.no_grad()(load_network(path))(torch.from_numpy(to_float(digits[0]))).argmax(1).numpy()
    job = make_job(surrogate={"checkpoint": str(path)}, subset=None)
    assert job.resolved()["surrogate"].get("labels") is None
    whole = analyze(make_job(**own, subset=None, maps=["original"], output={"uri": str(tmp_path / "whole")}))
    wanted = compute_sensitivity(
        digits[0],
        predictions,
        digits[2],
        path.read_bytes(),
        key=digits[3],
        classes=["a", "b", "c"],
        surrogate=job.surrogate,
        options=job.options(),
        maps=["original"],
    )
    np.testing.assert_array_equal(maps_in(tmp_path / "whole")["original"], wanted["original"])
    assert wanted["original"].any()
    assert len({found.identity, whole.identity}) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maps": ["original", "original"]}, "names one more than once"),
        ({"maps": ["enhancd"]}, "maps\\[0\\]: got 'enhancd'"),
        ({"norm": -1.0}, "norm: got -1.0"),
        ({"subset": 0}, "subset: got 0"),
        ({"scal": 1.0}, "unknown key 'scal'"),
        ({"surrogate": {"network": "lenett"}}, "network is 'lenett'; allowed: convnet"),
        ({"source": [{"kind": "digits"}, {"kind": "digits"}]}, "several sources need a domain each"),
        ({"kind": "generate"}, "is a job of kind generate where analyze is needed; passband run runs it"),
    ],
    ids=str,
)
def test_a_job_file_is_checked(make_job, changes, message):
    with pytest.raises(JobError, match=message):
        make_job(**changes)


def test_the_surrogate_is_held_to_its_hash_beside_it_or_in_the_job(make_job, checkpoint, finished, tmp_path):
    content = checkpoint.read_bytes()
    sha256 = put_hashed(LocalStore(tmp_path), "net.pt", content)
    net = {"checkpoint": str(tmp_path / "net.pt")}
    found = analyze(make_job(surrogate=net | {"sha256": sha256}))
    assert found.identity == read_envelope(LocalStore(finished)).identity  # a check is no other analysis
    with pytest.raises(IntegrityError, match=f"has sha256 {sha256}, the job says {'0' * 64}"):
        analyze(make_job(surrogate=net | {"sha256": "0" * 64}))
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    (tmp_path / "net.pt").write_bytes(damaged)
    with pytest.raises(IntegrityError, match=r"net.pt: has sha256 \w+, net.pt.sha256 says"):
        analyze(make_job(surrogate=net, output={"uri": str(tmp_path / "other")}))
    (tmp_path / "net.pt.sha256").unlink()
    with pytest.raises(NetworkError, match="net.pt: is damaged: .* has another check sum"):
        analyze(make_job(surrogate=net, output={"uri": str(tmp_path / "other")}))
    assert not (tmp_path / "other" / "job.yaml").exists()


def test_a_surrogate_without_a_hash_is_told(make_job, checkpoint):
    class Told(SilentDisplay):
        notes: ClassVar[list[str]] = []

        def note(self, message: str) -> None:
            self.notes.append(message)

    analyze(make_job(), display=Told())
    assert Told.notes == [f"{checkpoint}: no model.pt.sha256 lies beside it, so only its structure was checked"]


def test_a_coarser_grid_says_how_many_frequencies_it_took(tmp_path, checkpoint, finished):
    job = job_of(tmp_path / "out", checkpoint, stride=4)
    analyze(job)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [summary["frequencies"] for summary in results["maps"]] == [10, 10]
    assert results["evaluations"] == 2 * 10 * 40
    assert results["job"]["stride"] == 4
    whole, coarse = maps_in(finished), maps_in(tmp_path / "out")
    for summary in results["maps"]:
        name = summary["name"]
        np.testing.assert_array_equal(coarse[name][::4, ::4], whole[name][::4, ::4])
        assert summary["mean"] == pytest.approx(coarse[name].mean())
        assert 0 < summary["standard_error"] < 0.2
    assert told_maps(read_results(LocalStore(tmp_path / "out")))[-1] == "frequencies 10 of 130, the rest as the nearest"


def test_a_stride_of_1_counts_as_none(tmp_path, checkpoint, finished):
    job = job_of(tmp_path / "out", checkpoint, stride=1)
    analyze(job)
    ours, theirs = (json.loads((folder / "results.json").read_text()) for folder in (tmp_path / "out", finished))
    assert "stride" not in ours["job"]
    for key in ("identity", "maps", "maps_sha256"):
        assert ours[key] == theirs[key]
    assert "frequencies" not in ours["maps"][0]


def test_a_stride_that_leaves_zero_frequency_alone_is_refused(tmp_path, checkpoint):
    with pytest.raises(JobError, match="small: stride: got 9; allowed: 1 to 8, half of 16 x 16 pixels"):
        analyze(job_of(tmp_path / "out", checkpoint, stride=9))
    with pytest.raises(JobError, match="stride"):
        job_of(tmp_path / "out", checkpoint, stride=0)

"""Spectra as a study: of basis images, noise, flat and filtered images, and against a plain loop over a dataset."""

from dataclasses import replace

import numpy as np
import pytest
import scipy

from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies.spectrum import STUDY, SpectrumRecord, dataset_job, without_mean
from passband.jobs.analysis.study import Looked, Material
from passband.jobs.common.jobfile import JobError
from passband.jobs.generation.run import generate
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.jobs.analysis.made import job_with, material

SHAPE = (3, 16, 20)


def given_for(views, pixels=None, count=4, **options):
    """Return images without a model: random ones, or (n, H, W, C) uint8."""
    job = job_with(spectrum={"views": views, "block": 4, "step": 4, **options}, surrogate=None)
    given = material(job, np.zeros((2, int(np.prod(SHAPE)))), count if pixels is None else len(pixels), SHAPE)
    inputs = given.inputs if pixels is None else replace(given.inputs, pixels=pixels)
    return Material(job, given.key, given.classes, inputs, None)


def measured(given, part, *spans):
    evaluate = STUDY.open(given)
    parts = [evaluate(part, *span) for span in spans]
    return {key: [row for found in parts for row in found[key]] for key in ("own", "added")}


def concluded(given, **copies):
    told = {"identity": "x", "block": 0, "start": 0, "attempts": 1, "seconds": 1.0, "threads": 1, "worker": "w"}
    records = {}
    for part, number in copies.items():
        stop = number * len(given.images)
        records[part] = [SpectrumRecord(**told, part=part, stop=stop, **measured(given, part, (0, stop)))]
    return STUDY.conclude(given, records)


def basis_pixels(*frequencies):
    """Return images whose channels are a basis function of the DCT of 16 x 20 pixels, around mid gray."""
    rows, columns = (scipy.fft.dct(np.eye(side), norm="ortho", axis=0) for side in SHAPE[1:])
    functions = np.stack([np.outer(rows[u], columns[v]) for u, v in frequencies])
    scaled = functions / np.abs(functions).max((1, 2), keepdims=True)
    return np.repeat(np.rint(127.5 + 127 * scaled).astype(np.uint8)[..., None], SHAPE[0], axis=3)


def test_a_basis_image_has_all_its_energy_in_the_blocks_that_hold_it():
    pixels = basis_pixels((1, 2), (5, 6), (15, 12), (1, 9))
    found = measured(given_for(["clean"], pixels), "clean", (0, 4))
    np.testing.assert_allclose(found["own"], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], atol=1e-4)
    assert found["added"] == [None] * 4
    overlapping = measured(given_for(["clean"], pixels, step=2), "clean", (1, 2))
    np.testing.assert_allclose(overlapping["own"][0], [0, 0, 1, 0, 0, 0, 0], atol=1e-4)  # 4 to 7, the third of 7


def test_white_noise_has_the_share_of_the_functions_of_a_block():
    noise = np.random.default_rng(5).normal(128, 30, (60, *SHAPE[1:], 3)).clip(0, 255).astype(np.uint8)
    removed, kept = (
        np.array(measured(given_for(["clean"], noise, mean=mean), "clean", (0, 60))["own"])
        for mean in ("removed", "kept")
    )
    np.testing.assert_allclose(removed.mean(0), [15 / 319, *[16 / 319] * 3], rtol=0.08)
    assert np.all(kept[:, 0] > 0.9)  # the gray is nearly all there is


@pytest.mark.parametrize(
    ("stage", "above", "at_most"),
    [
        ({"dct": {"size": 8, "keep": "low"}}, 2, 1e-3),  # views are stored in 8 bits
        ({"radial": {"high": 4}}, 3, 1e-2),  # and a wave of the FFT is none of the DCT
    ],
    ids=["dct", "radial"],
)
def test_filtered_views_have_no_energy_above_the_cut(stage, above, at_most):
    given = given_for([{**stage, "name": "low"}])
    found = measured(given, "low", (0, 4))
    own, added, clean = (np.array(rows) for rows in (found["own"], found["added"], clean_shares(given)))
    assert np.all(own[:, above:] < at_most)
    assert np.all(clean[:, above:] > 0.02)
    assert np.all(added[:, above:] > clean[:, above:])  # there it takes away all, elsewhere it leaves some


def clean_shares(given):
    return measured(given_for(["clean"], given.inputs.pixels), "clean", (0, len(given.images)))["own"]


def test_what_is_flat_has_no_energy_unless_the_mean_counts():
    pixels = np.full((3, *SHAPE[1:], SHAPE[0]), [37, 201, 90], np.uint8)
    assert measured(given_for(["clean"], pixels), "clean", (0, 3))["own"] == [None] * 3
    kept = measured(given_for(["clean"], pixels, mean="kept"), "clean", (0, 3))["own"]
    np.testing.assert_allclose(kept, [[1, 0, 0, 0]] * 3, atol=1e-9)
    (row, *_) = concluded(given_for(["clean"], pixels), clean=1).numbers["table"]
    assert (row["images"], row["without"], row["low"], row["median"], row["high"]) == (3, 3, None, None, None)
    assert np.all(without_mean(np.full((1, 3, 7), 0.1)) == 0)


def test_neither_blocks_nor_other_recipes_matter():
    prime = {"prime": {}, "copies": 3, "name": "prime"}
    given = given_for(["clean", prime, "augmix"])
    whole = measured(given, "prime", (0, 12))
    assert measured(given, "prime", (0, 1), (1, 6), (6, 12)) == whole
    assert measured(given_for([prime]), "prime", (0, 12)) == whole
    assert len({tuple(row) for row in whole["own"]}) == 12  # each copy draws for itself


def test_rows_are_percentiles_of_the_arrays():
    given = given_for(["clean", {"prime": {}, "copies": 2, "name": "prime"}])
    found = concluded(given, clean=1, prime=2)
    assert {name: array.shape for name, array in found.arrays.items() if name not in ("index", "label")} == {
        "clean-own": (1, 4, 4),
        "prime-own": (2, 4, 4),
        "prime-added": (2, 4, 4),
    }
    assert len(found.numbers["table"]) == 3 * 4
    for row in found.numbers["table"]:
        shares = found.arrays[f"{row['views']}-{row['energy']}"][..., row["subspace"]]
        assert [row["low"], row["median"], row["high"]] == np.percentile(shares, [5, 50, 95]).tolist()
        assert (row["frequency"], row["images"], row["without"]) == (4 * row["subspace"], shares.size, 0)


def test_it_agrees_with_a_plain_loop_over_a_stored_dataset(make_job, tmp_path):
    views = [{"corrupt": {"types": ["gaussian_noise"], "severity": 3}, "name": "noise"}]
    job = make_job(subset=12, surrogate=None, spectrum={"views": views, "block": 5, "step": 3})
    analyze(job, "spectrum")
    with np.load(tmp_path / "out" / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    generate(dataset_job(job.for_command("spectrum"), "noise").with_output(str(tmp_path / "set")))
    pixels = {}
    for batch in open_stream(tmp_path / "set", batch_size=64, seed=0, drop_last=False):
        for at, index in enumerate(batch.indices.tolist()):
            pixels[index] = [batch.images[view][at].numpy().astype(float) / 255 for view in ("clean", "noise")]
    for row, index in enumerate(arrays["index"].tolist()):
        clean, noise = pixels[index]
        for name, image in (("noise-own", noise), ("noise-added", noise - clean)):
            np.testing.assert_allclose(arrays[name][0, row], plain_shares(image), atol=1e-6)


def test_views_that_a_dataset_stores_are_those_that_are_made(make_job, tmp_path):
    views = [{"corrupt": {"types": ["gaussian_noise"], "severity": 3}, "name": "noise"}]
    section = {"block": 5, "step": 3}
    made = make_job(subset=12, surrogate=None, spectrum={"views": views, **section})
    generate(dataset_job(made.for_command("spectrum"), "noise").with_output(str(tmp_path / "set")))
    stored = {"path": str(tmp_path / "set"), "views": ["noise"]}
    read = make_job(subset=12, surrogate=None, spectrum={"views": ["clean"], "stored": stored, **section})
    found = {}
    for name, job in (("made", made), ("read", read)):
        table = analyze(job.with_output(str(tmp_path / name)), "spectrum").table
        found[name] = [row for row in table if row["views"] == "noise"]
    assert len(found["read"]) == 2 * 4
    assert found["read"] == found["made"]
    other = make_job(subset=12, surrogate=None, seed=5, base=["dct_flip"], spectrum={"stored": stored, **section})
    with pytest.raises(JobError, match="spectrum.stored.path: clean images of .* are not those of the job"):
        analyze(other.with_output(str(tmp_path / "other")), "spectrum")
    for changed, message in (
        ({"views": ["nose"]}, "spectrum.stored.views: got 'nose'; allowed.*: views of pixels, clean, noise"),
        ({"path": str(tmp_path / "made")}, "no manifest"),
    ):
        with pytest.raises(PassbandError, match=message):
            analyze(make_job(surrogate=None, spectrum={"stored": stored | changed}), "spectrum")


def plain_shares(image):
    """Shares in the blocks at 0, 3, 6 and 9 of 5 frequencies, without the mean."""
    energy = scipy.fft.dctn(image, norm="ortho", axes=(1, 2)) ** 2
    energy[:, 0, 0] = 0
    return [energy[:, at : at + 5, at : at + 5].sum() / energy.sum() for at in (0, 3, 6, 9)]


@pytest.mark.parametrize(("side", "spacing"), [(28, (8, 2)), (64, (8, 2)), (65, (16, 16)), (224, (16, 16))])
def test_blocks_go_by_the_size_of_the_images(side, spacing):
    assert job_with(spectrum={}).spectrum.spacing(side, side + 9) == spacing
    assert job_with(spectrum={"block": 3}).spectrum.spacing(side, side) == (3, spacing[1])


def test_a_job_without_the_section_has_no_such_key_and_takes_the_defaults(make_job):
    job = make_job(surrogate=None)
    assert "spectrum" not in job.resolved()
    views = job.for_command("spectrum").resolved()["spectrum"]["views"]
    assert views[0] == "clean"
    assert [view["name"] for view in views[1:]] == ["augmix", "prime"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": ["prime", "prime"]}, "prime, prime names one more than once"),
        ({"block": 0}, "spectrum.block"),
        ({"stored": {"path": "x", "views": ["clean", "prime"]}}, "name clean, prime more than once"),
        ({"mean": "half"}, "got 'half'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(JobError, match=message):
        job_with(spectrum=options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": 17}, "spectrum: block 17 and step 2; allowed for 16 x 20 pixels: block 1 to 16"),
        ({"views": [{"radial": {"high": 3, "range": "float"}}]}, "spectrum.views: radial: radial: range float"),
    ],
    ids=["block", "float"],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(JobError, match=message):
        STUDY.lay_out(job_with(spectrum=options), Looked(3, SHAPE, ("0", "1")))

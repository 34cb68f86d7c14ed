"""Coverage as a study: against a plain loop over stored views, by known distances, and however it is divided."""

import numpy as np
import pytest
from torch import nn

from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies.coverage import (
    PART,
    STUDY,
    CoverageRecord,
    cosine_distances,
    dataset_job,
    levels_of,
)
from passband.jobs.analysis.study import Looked, Material
from passband.jobs.common.jobfile import JobError
from passband.jobs.generation.run import generate
from passband.kernels import cpu
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import NetworkError
from passband.pipeline.surrogate.loading import load_surrogate
from passband.pipeline.surrogate.model import Surrogate
from tests.jobs.analysis.made import OPTIONS, job_with, material

SHAPE = (3, 8, 9)
GRID = {"types": ["contrast", "gaussian_noise"], "severities": [1, 4]}
VIEWS = ["clean", {"prime": {}, "copies": 5, "name": "prime"}, {"augmix": {"mix": False}, "copies": 3}]


class Seen(nn.Module):
    """Embeds an image as the pixels of it."""

    def __init__(self, classes=2):
        super().__init__()
        self.last = nn.Linear(int(np.prod(SHAPE)), classes)

    def forward(self, images):
        return self.last(images.flatten(1))


def given_for(views, corruptions=GRID, count=3):
    job = job_with(coverage={"views": views, "corruptions": corruptions}, image={"size": list(SHAPE[1:])})
    given = material(job, np.zeros((2, int(np.prod(SHAPE)))), count, SHAPE)
    return Material(job, given.key, given.classes, given.inputs, Surrogate(Seen(), OPTIONS, SHAPE, cpu))


def measured(given, *spans):
    evaluate = STUDY.open(given)
    parts = [evaluate(PART, *span) for span in spans or [(0, len(given.images))]]
    return {key: [image for part in parts for image in part[key]] for key in parts[0]}


def concluded(given):
    told = {"identity": "x", "part": PART, "block": 0, "start": 0, "stop": len(given.images), "attempts": 1}
    record = CoverageRecord(**told, seconds=1.0, threads=1, worker="w", **measured(given))
    return STUDY.conclude(given, {PART: [record]})


def test_it_agrees_with_a_plain_loop_over_a_stored_dataset(make_job, checkpoint, tmp_path):
    job = make_job(subset=12, coverage={"views": VIEWS, "corruptions": GRID})
    found = analyze(job, "coverage")
    with np.load(tmp_path / "out" / "arrays.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    network = load_surrogate(checkpoint.read_bytes(), job.surrogate, classes=list("0123456789"), shape=(3, 16, 16))
    for row, name in zip(found.table, ("clean", "prime", "augmix"), strict=True):
        dataset = dataset_job(job.for_command("coverage"), name).with_output(str(tmp_path / name))
        generate(dataset)
        pixels = {}
        for batch in open_stream(tmp_path / name, batch_size=64, seed=0, drop_last=False):
            for at, index in enumerate(batch.indices.tolist()):
                pixels[index] = {view: images[at].numpy() for view, images in batch.images.items()}
        expected = np.array([plain_distances(network, pixels[index]) for index in arrays["index"].tolist()])
        np.testing.assert_allclose(arrays[f"{name}-distances"], expected.min(1), atol=1e-6)
        assert row["views"] == name
        assert row["mean"] == pytest.approx(expected.min(1).mean(), abs=1e-6)
        assert row["median"] == pytest.approx(np.median(expected.min(1)), abs=1e-6)
        assert row["corruptions"]["contrast-4"] == pytest.approx(expected.min(1)[:, 1].mean(), abs=1e-6)
    assert [row["copies"] for row in found.table] == [1, 5, 3]


def plain_distances(network, views):
    """1 - cosine of every view, clean where there is no other, and every corruption: (t, c)."""
    images = {name: image[None].astype(np.float32) / np.float32(255) for name, image in views.items()}
    features = {name: network.embed(image)[0].astype(float) for name, image in images.items()}
    corrupted = [f"{kind}-{severity}" for kind in GRID["types"] for severity in GRID["severities"]]
    others = [name for name in features if name not in (*corrupted, "clean")] or ["clean"]
    return [
        [1 - features[a] @ features[b] / np.linalg.norm(features[a]) / np.linalg.norm(features[b]) for b in corrupted]
        for a in others
    ]


def test_a_view_that_is_the_corruption_has_distance_zero():
    contrast = {"corrupt": {"types": ["contrast"], "severity": 4}, "name": "same"}
    found = measured(given_for(["clean", contrast]))
    clean, same = np.array(found["distances"]).transpose(1, 0, 2)
    np.testing.assert_allclose(same[:, 1], 0, atol=1e-12)
    assert (same[:, [0, 2, 3]] > 1e-4).all()
    assert (clean > 1e-6).all()


def test_more_views_never_raise_a_distance():
    few, more = (measured(given_for([{"prime": {}, "copies": copies}])) for copies in (3, 9))
    assert (np.array(more["distances"]) <= np.array(few["distances"])).all()
    assert (np.array(more["distances"]) < np.array(few["distances"])).any()
    growing = np.array(more["growing"])[:, 0]  # of 1, 2, 4, 8 and 9 views
    assert (np.diff(growing, axis=1) <= 0).all()
    np.testing.assert_allclose(growing[:, -1], np.array(more["distances"]).mean((1, 2)))


def test_the_nearest_is_the_view_of_the_distance():
    given = given_for([{"prime": {}, "copies": 6}])
    found, arrays = measured(given), concluded(given).arrays
    alone = [measured(given_for([{"prime": {}, "copies": copies}])) for copies in range(1, 7)]
    running = np.array([each["distances"] for each in alone])[:, :, 0]  # of the first 1, 2, ... views
    np.testing.assert_array_equal(running.argmin(0), np.array(found["nearest"])[:, 0])
    assert arrays["examples"].shape == (3, 3, 8, 9, 3)
    np.testing.assert_array_equal(arrays["examples"][:, 0], given.inputs.pixels)


def test_neither_blocks_nor_other_recipes_nor_their_order_matter():
    given = given_for(VIEWS, count=5)
    whole = measured(given)
    assert measured(given, (0, 1), (1, 4), (4, 5)) == whole
    other = measured(given_for(VIEWS[::-1], count=5))
    assert [image[::-1] for image in other["distances"]] == whole["distances"]
    alone = measured(given_for(VIEWS[1:2], count=5))
    assert [image[0] for image in alone["distances"]] == [image[1] for image in whole["distances"]]


def test_views_and_corruptions_share_no_draws():
    noise = {"corrupt": {"types": ["gaussian_noise"], "severity": 4}, "copies": 4, "name": "noise"}
    found = measured(given_for([noise], {"types": ["gaussian_noise"], "severities": [4]}))
    assert (np.array(found["distances"]) > 1e-4).all()


def test_cosines_worked_by_hand():
    views = np.array([[[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0], [0.0, 0.0]]])
    corrupted = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    np.testing.assert_allclose(cosine_distances(views, corrupted), [[[1, 0], [0.2, 0.4], [1, 2], [1, 1]]])


@pytest.mark.parametrize(("copies", "levels"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (5, [1, 2, 4, 5])])
def test_levels_are_powers_of_two_and_all(copies, levels):
    assert levels_of(copies) == levels


def test_recipes_are_spelled_out_and_read_back():
    job = job_with(coverage={"views": VIEWS, "corruptions": {}})
    views = job.resolved()["coverage"]["views"]
    assert views[0] == "clean"
    assert (views[2]["name"], views[2]["copies"], list(views[2]["chain"][0])) == ("augmix", 3, ["augmix"])
    assert job_with(**job.resolved()).resolved() == job.resolved()
    assert len(job.coverage.corruptions.types) == 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": []}, "coverage.views"),
        ({"views": ["prime", {"prime": {"width": 1}}]}, "prime, prime names one more than once"),
        ({"views": ["blur"]}, "blur"),
        ({"corruptions": {"types": ["snow", "snow"]}}, "types: snow, snow names one more than once"),
        ({"corruptions": {"severities": [0]}}, "severities"),
        ({"corruptions": {"table": "large"}}, "got 'large'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(JobError, match=message):
        job_with(coverage=options)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"sada": {"surrogate": OPTIONS.model_dump()}}, "sada reads files or attacks a model"),
        ({"radial": {"high": 3, "range": "float"}}, "radial: range float makes no pixels"),
        ({"prime": {}, "name": "contrast-1"}, "contrast-1"),
    ],
    ids=["files", "float", "name"],
)
def test_what_cannot_be_compared_is_refused(view, message):
    job = job_with(coverage={"views": [view], "corruptions": GRID})
    with pytest.raises(JobError, match=message):
        STUDY.lay_out(job, Looked(3, SHAPE, ("0", "1")))


def test_a_network_that_ends_in_no_linear_layer_has_no_embedding():
    given = material(job_with(coverage={"views": ["clean"]}), np.zeros((2, 216)), 2, SHAPE)
    with pytest.raises(NetworkError, match="does not end in a linear layer"):
        given.surrogate.embed(given.images)


def test_the_embedding_is_what_the_last_layer_is_given():
    given = given_for(["clean"])
    np.testing.assert_array_equal(given.surrogate.embed(given.images), given.images.reshape(3, -1))

"""Attacks as a study: what is counted, what is drawn, and what is refused."""

import numpy as np
import pytest

from passband.jobs.analysis.noise_pixels import median_elements, with_random_elements
from passband.jobs.analysis.prepare import draw_up
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies.attack import STUDY, AttackRecord
from passband.jobs.common.jobfile import JobError
from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.sparsefool import SparseFool
from tests.jobs.analysis.made import OPTIONS, job_with, material


def weights(seed=0, classes=3, size=84):
    return np.random.default_rng(seed).normal(size=(classes, size))


def recorded(part, columns, seconds=1.0):
    count = len(columns["own"])
    return AttackRecord(
        identity="x", part=part, block=0, start=0, stop=count, seconds=seconds, threads=1, attempts=1, worker="w",
        **columns,
    )  # fmt: skip


def concluded(given):
    evaluate = STUDY.open(given)
    found = {part: evaluate(part, 0, len(given.images)) for part in ("deepfool", "sparsefool")}
    return found, STUDY.conclude(given, {part: [recorded(part, columns)] for part, columns in found.items()})


def test_deepfool_of_a_linear_model_is_its_distance():
    given = material(job_with(attack={"classes": 2, "overshoot": 0.0}), weights(classes=2))
    columns = STUDY.open(given)("deepfool", 1, 4)
    flat, weight = given.images[1:4].reshape(3, -1).astype(float), weights(classes=2).astype(np.float32)
    distances = abs(flat @ (weight[0] - weight[1]) + 0.1) / np.linalg.norm(weight[0] - weight[1])
    np.testing.assert_allclose(columns["distance"], distances, rtol=0.01)
    assert columns["pixels"] == [42] * 3
    assert columns["elements"] == [[42, 42]] * 3


def test_sparsefool_is_called_with_the_jobs_options():
    options = {"classes": 3, "steps": 7, "overshoot": 0.03, "lam": 1.5, "rounds": 4, "alpha": 0.6}
    given = material(job_with(attack=options), weights())
    columns = STUDY.open(given)("sparsefool", 0, 5)
    attack = SparseFool(DeepFool(given.surrogate, cpu, 3, 7, 0.03), 1.5, 4, 0.03)
    images, alpha = given.images, np.float32(0.6)
    found = attack.run(images, np.maximum(images - alpha, 0), np.minimum(images + alpha, 1))
    differ = found.images != images
    assert columns["pixels"] == differ.any(1).sum((1, 2)).tolist()
    assert columns["elements"] == differ.sum((2, 3)).tolist()
    assert (columns["rounds"], columns["steps"]) == (found.rounds.tolist(), found.steps.tolist())
    assert (columns["own"], columns["reached"]) == (found.own.tolist(), found.reached.tolist())
    assert abs(found.images - images).max() <= 0.6 + 1e-6


def test_medians_are_of_the_images_that_were_fooled():
    given = material(job_with(attack={"methods": ["deepfool", "sparsefool"]}), weights())
    found, _ = concluded(given)
    columns = found["sparsefool"] | {"reached": [True, True, True, False, False], "pixels": [1, 2, 9, 40, 40]}
    summary = STUDY.conclude(given, {"sparsefool": [recorded("sparsefool", columns, 10.0)]}).numbers["table"][0]
    assert (summary["fooled"], summary["pixels"], summary["seconds"]) == (0.6, 2 / 42, 2.0)
    none = columns | {"reached": [False] * 5}
    summary = STUDY.conclude(given, {"sparsefool": [recorded("sparsefool", none)]}).numbers["table"][0]
    assert (summary["fooled"], summary["pixels"], summary["distance"]) == (0, None, None)


def test_random_changes_as_many_elements_as_sparsefools_median():
    given = material(job_with(), weights())
    found, results = concluded(given)
    assert [row["method"] for row in results.numbers["table"]] == ["deepfool", "sparsefool", "random"]
    wanted = median_elements(np.array(found["sparsefool"]["elements"]))
    noisy = with_random_elements(given.images, wanted, given.key, given.inputs.indices)
    np.testing.assert_array_equal(results.arrays["random-elements"], (noisy != given.images).sum((2, 3)))
    predictions = np.concatenate([given.surrogate.predict(images) for images in (noisy[:4], noisy[4:])])
    np.testing.assert_array_equal(results.arrays["random-predictions"], predictions)


def test_random_elements_are_black_or_white_and_drawn_by_key_and_image_alone():
    images = np.full((400, 2, 5, 7), 0.5, np.float32)
    indices, counts = np.arange(400, dtype=np.uint32), np.array([3, 0])
    noisy = with_random_elements(images, counts, 77, indices)
    changed = noisy[noisy != images]
    assert set(changed) == {0, 1}
    assert 0.45 < changed.mean() < 0.55
    assert ((noisy != images).sum((2, 3)) == [3, 0]).all()
    share = (noisy[:, 0] != 0.5).mean(0)
    assert share.min() > 0.3 * 3 / 35  # everywhere
    np.testing.assert_array_equal(with_random_elements(images[:9], counts, 77, indices[40:49]), noisy[40:49])
    assert (with_random_elements(images, counts, 78, indices) != noisy).any()


def test_medians_of_elements_are_rounded_half_up():
    assert median_elements(np.array([[1, 0], [2, 0], [4, 1], [3, 1]])).tolist() == [3, 1]


def test_a_target_is_a_class():
    given = material(job_with(attack={"target": "2", "lam": 1.0}), weights())
    found, results = concluded(given)
    for columns in found.values():
        reached = np.array(columns["reached"])
        assert reached.any()
        assert (np.array(columns["predictions"])[reached] == 2).all()
    random = results.arrays
    np.testing.assert_array_equal(random["random-reached"], random["random-predictions"] == 2)


def test_images_before_and_after_are_kept():
    results = concluded(material(job_with(), weights()))[1]
    rows = results.arrays["sparsefool-examples"]
    before, after = results.arrays["sparsefool-before"], results.arrays["sparsefool-after"]
    assert before.shape == after.shape == (len(rows), 6, 7, 2)
    assert (before.dtype, after.dtype) == (np.uint8, np.uint8)
    assert ((before != after).any(-1).sum((1, 2)) > 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["deepfool", "deepfool"]}, "methods: deepfool, deepfool names one more than once"),
        ({"methods": ["random"]}, "random changes as many values as sparsefool does"),
        ({"methods": []}, "attack.methods"),
        ({"methods": ["fgsm"]}, "got 'fgsm'"),
        ({"lam": 0.5}, "attack.lam: got 0.5"),
        ({"alpha": 0.0}, "attack.alpha: got 0.0"),
        ({"lambda": 3.0}, "unknown key 'lambda'"),
        ({"classes": 1}, "attack.classes: got 1"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(options, message):
    with pytest.raises(JobError, match=message):
        job_with(attack=options)


def test_a_target_that_is_no_class_is_refused_before_anything_is_written(make_job, tmp_path):
    job = make_job(attack={"target": "1o"})
    with pytest.raises(JobError, match=r"attack.target: got '1o'; allowed: a class.*: 0, 1, 2"):
        analyze(job, "attack")
    assert not (tmp_path / "out" / "job.yaml").exists()


def test_a_network_of_other_classes_has_no_target(make_job):
    with pytest.raises(JobError, match=r"attack.target: a surrogate with labels: own tells classes of its own apart"):
        analyze(make_job(attack={"target": "1"}, surrogate={"labels": "own"}), "attack")


def test_options_decide_and_are_left_out_of_jobs_that_have_none(make_job):
    def identity(what="attack", **changes):
        job = make_job(surrogate=OPTIONS.model_dump() | {"checkpoint": make_job().surrogate.checkpoint}, **changes)
        return draw_up(job.for_command(what), what, lambda samples: None).envelope.identity

    assert identity() == identity(attack={}) == identity(margins={}) == identity(norm=3.0)
    assert identity() != identity(attack={"lam": 1.0})
    assert identity("sensitivity") == identity("sensitivity", attack={"lam": 1.0})
    resolved = make_job().for_command("sensitivity").resolved()
    assert not {"attack", "margins"} & set(resolved)
    assert make_job().for_command("attack").resolved()["attack"]["lam"] == 3.0

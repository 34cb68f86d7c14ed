import numpy as np
import pytest
import torch

from passband.jobs.analysis.counting import MAPS, Subject, count_wrong
from passband.jobs.analysis.frequencies import distinct_frequencies
from passband.jobs.analysis.sensitivity import compute_sensitivity
from passband.kernels import cpu, philox
from passband.pipeline.networks.network import NetworkError, network_bytes
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions
from tests.jobs.analysis.conftest import only, spec_of
from tests.jobs.evaluation.conftest import DIGITS

LENET = SurrogateOptions(network="lenet", checkpoint="given", batch=32)


def maps_of(digits, network, surrogate=LENET, classes=DIGITS, **options):
    given = {key: options.pop(key) for key in ("maps", "threads", "progress") if key in options}
    pixels, labels, indices, key = digits
    content = network_bytes(network)
    return compute_sensitivity(
        pixels,
        labels,
        indices,
        content,
        key=key,
        classes=classes,
        surrogate=surrogate,
        options=SensitivityOptions(**options),
        **given,
    )


def probe(height, width, count, batch):
    """A linear network with its images, and its weights in float64."""
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(3, 2 * height * width))
    linear = torch.nn.Linear(2 * height * width, 3, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weights))
    options = SurrogateOptions(network="lenet", checkpoint="none", batch=batch)
    network = Surrogate(torch.nn.Sequential(torch.nn.Flatten(), linear), options, (2, height, width), cpu)
    images = rng.random((count, 2, height, width), np.float32)
    labels = (images.reshape(count, -1) @ weights.T).argmax(1)
    labels[::5] = (labels[::5] + 1) % 3  # some are wrong from the start
    indices = rng.permutation(count).astype(np.uint32)
    return Subject(images, labels, indices, 2**63 + 11, network, 3), linear.weight.detach().double().numpy()


def wave(height, width, i, j):
    """U_ij by the inverse transform of its spectrum."""
    spectrum = np.zeros((height, width), complex)
    spectrum[i, j] = spectrum[-i % height, -j % width] = 1
    image = np.fft.ifft2(spectrum).real
    return image / np.linalg.norm(image)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 7)])
def test_errors_of_a_linear_probe_are_those_computed_apart(name, height, width):
    subject, weights = probe(height, width, count=31, batch=16)
    pairs = distinct_frequencies(height, width)
    norms = np.linspace(1.0, 6.0, len(pairs))
    found = count_wrong(subject, name, norms, 0, len(pairs))
    for row, (i, j) in enumerate(pairs.tolist()):
        stage = MAPS.index(name) << 26 | i * width + j
        words = philox.words(subject.key, subject.indices, 2**32 - 3, stage, 2)
        signs = np.where(words >> 31, -1.0, 1.0)
        noisy = subject.images + signs[:, :, None, None] * norms[row] * wave(height, width, i, j)
        wrong = (noisy.reshape(31, -1) @ weights.T).argmax(1) != subject.labels
        assert found.wrong[row].tolist() == np.bincount(subject.labels[wrong], minlength=3).tolist(), (i, j)
    assert 0 < found.wrong.sum() < 31 * len(pairs)


def test_counts_do_not_depend_on_blocks_or_threads(threads):
    subject, _ = probe(6, 6, count=31, batch=16)
    norms = np.linspace(1.0, 6.0, len(subject.frequencies))
    whole = count_wrong(subject, "enhanced", norms, 0, len(norms))
    for number in (1, 2):
        threads(number)
        for size in (1, 7):
            parts = [
                count_wrong(subject, "enhanced", norms, start, min(start + size, len(norms)))
                for start in range(0, len(norms), size)
            ]
            np.testing.assert_array_equal(np.concatenate([part.wrong for part in parts]), whole.wrong)
            np.testing.assert_array_equal(sum(part.by_image for part in parts), whole.by_image)


def test_no_two_signs_share_a_word(monkeypatch):
    subject, _ = probe(4, 6, count=5, batch=8)
    asked = []
    real = philox.words

    def spy(key, indices, view, stage, count, draw=0):
        asked.extend((index, view, stage, draw) for index in indices.tolist())
        return real(key, indices, view, stage, count, draw)

    monkeypatch.setattr("passband.jobs.analysis.counting.cpu.words", spy)
    norms = np.ones(len(subject.frequencies))
    for name in MAPS:
        count_wrong(subject, name, norms, 0, len(norms))
    assert len(set(asked)) == len(asked) == len(MAPS) * len(norms) * 5


def test_a_network_with_one_answer_has_a_constant_map(digits):
    found = maps_of(digits, only(3), maps=MAPS, subset=20)
    assert list(found) == list(MAPS)
    labels = digits[1]
    for values in found.values():
        assert values.shape == (16, 16)
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, 1 - (labels == 3).mean(), rtol=1e-12)


def test_noise_of_no_strength_gives_the_clean_error(digits, fitted):
    pixels, labels, indices, key = (part if isinstance(part, int) else part[:80] for part in digits)
    with torch.no_grad():
        images = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / np.float32(255))
        clean = (fitted(images).argmax(1).numpy() != labels).mean()
    assert 0 < clean < 0.3
    for name, none in (("original", {"norm": 0.0}), ("enhanced", {"scale": 0.0})):
        values = maps_of((pixels, labels, indices, key), fitted, maps=[name], **none)[name]
        np.testing.assert_allclose(values, clean, rtol=1e-12)


def test_a_map_is_symmetric_and_does_not_depend_on_threads(digits, fitted):
    one = maps_of(digits, fitted, subset=40, scale=1.0, threads=1)["enhanced"]
    two = maps_of(digits, fitted, subset=40, scale=1.0, threads=2)["enhanced"]
    np.testing.assert_array_equal(one, two)
    layout = np.fft.ifftshift(one)
    np.testing.assert_array_equal(layout, np.roll(layout[::-1, ::-1], (1, 1), (0, 1)))
    assert one[8, 8] > one[0, 0]  # the data, and so the noise, is strongest at zero frequency
    assert len(np.unique(one)) > 10


def test_a_coarser_grid_has_the_entries_of_the_whole_map(digits, fitted):
    found = {stride: maps_of(digits, fitted, subset=40, scale=1.0, stride=stride)["enhanced"] for stride in (1, 3)}
    whole, coarse = (np.fft.ifftshift(found[stride]) for stride in (1, 3))
    i, j = distinct_frequencies(16, 16, 3).T
    assert len(i) == 13  # of 5 x 5
    np.testing.assert_array_equal(coarse[i, j], whole[i, j])
    np.testing.assert_array_equal(coarse, np.roll(coarse[::-1, ::-1], (1, 1), (0, 1)))
    np.testing.assert_array_equal(coarse[:2, :2], whole[0, 0])  # between 0 and 3, nearer to 0
    assert len(np.unique(coarse)) > 3


@pytest.mark.parametrize("stride", [0, 9, 16])
def test_a_stride_beyond_half_of_the_image_is_refused(digits, stride):
    with pytest.raises(ValueError, match="stride"):
        maps_of(digits, only(0), subset=10, stride=stride)


def test_a_stride_of_1_is_left_out_of_what_is_written():
    assert "stride" not in SensitivityOptions(stride=1).model_dump()
    assert SensitivityOptions(stride=4).model_dump()["stride"] == 4


def test_progress_counts_frequencies_and_may_stop_it(digits):
    seen = []
    maps_of(digits, only(0), maps=MAPS, subset=100, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (260, 260)
    assert seen == sorted(seen)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maps_of(digits, only(0), subset=10, progress=stop)


def test_a_surrogate_that_does_not_fit_is_refused_by_name(digits, fitted):
    with pytest.raises(NetworkError, match="holds a lenet, surrogate.network is convnet"):
        maps_of(digits, fitted, SurrogateOptions(network="convnet", checkpoint="given"))
    with pytest.raises(NetworkError, match="10 classes .* apart, the data has 2 classes"):
        maps_of(digits, fitted, classes=["a", "b"])
    assert spec_of("lenet").shape == [3, 16, 16]
    small = (digits[0][:, :12], *digits[1:])
    with pytest.raises(NetworkError, match=r"takes images of shape \[3, 16, 16\], the data has \[3, 12, 16\]"):
        maps_of(small, fitted)

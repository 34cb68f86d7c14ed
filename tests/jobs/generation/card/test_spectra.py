import numpy as np
import pytest

from passband.jobs.generation.card.spectra import MeanSpectra, log_amplitude, radial_profile
from passband.kernels import reference

SIZES = [(1, 1), (1, 5), (8, 8), (9, 7), (12, 31)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_log_amplitude_is_that_of_a_float64_transform(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    expected = np.log1p(np.abs(np.fft.fft2(pixels / 255.0, axes=(0, 1)))).mean(axis=2)
    np.testing.assert_allclose(log_amplitude(pixels), expected, atol=2e-5)


def test_a_cosine_has_its_amplitude_at_its_two_frequencies():
    wave = np.cos(2 * np.pi * 3 * np.arange(16) / 16).astype(np.float16)
    view = np.broadcast_to(wave[None, :, None], (8, 16, 3))
    spectrum = log_amplitude(view)
    peaks = spectrum > 1
    assert np.argwhere(peaks).tolist() == [[0, 3], [0, 13]]
    np.testing.assert_allclose(spectrum[peaks], np.log1p(8 * 16 / 2), rtol=1e-3)


def test_uint8_and_the_same_float_image_count_alike():
    pixels = np.random.default_rng(1).integers(0, 2, (6, 6, 3), np.uint8) * 255
    np.testing.assert_allclose(log_amplitude(pixels), log_amplitude((pixels / 255).astype(np.float16)), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_mean_is_over_samples_and_centered(height, width):
    rng = np.random.default_rng(2)
    samples = [[rng.random((height, width, 3)).astype(np.float16) for _ in range(2)] for _ in range(3)]
    mean = MeanSpectra()
    for views in samples:
        mean.add(views)
    spectra = mean.mean()
    assert mean.samples == 3
    assert spectra.shape == (2, height, width)
    expected = np.mean([log_amplitude(views[1]) for views in samples], axis=0)
    assert spectra[1, height // 2, width // 2] == pytest.approx(expected[0, 0])
    np.testing.assert_allclose(np.fft.ifftshift(spectra[1]), expected)


def test_no_sample_has_no_mean():
    assert MeanSpectra().mean() is None


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_profile_of_a_function_of_the_ring_is_that_function(height, width):
    v, u = np.mgrid[:height, :width]
    ring = np.floor(np.hypot(v - height // 2, u - width // 2))
    profile = radial_profile((ring**2)[None])
    assert profile.shape == (1, int(ring.max()) + 1)
    found = ~np.isnan(profile[0])
    np.testing.assert_allclose(profile[0, found], np.arange(profile.shape[1])[found] ** 2)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (15, 18)])
@pytest.mark.parametrize("cutoff", [1, 4, 6])
def test_a_radial_filter_empties_whole_rings(height, width, cutoff):
    image = np.random.default_rng(3).random((1, 3, height, width))
    low = reference.radial_filter(image, 0, cutoff)[0].transpose(1, 2, 0)
    mean = MeanSpectra()
    mean.add([low, image[0].transpose(1, 2, 0)])
    filtered, full = radial_profile(mean.mean())
    np.testing.assert_allclose(filtered[:cutoff], full[:cutoff], rtol=1e-4)
    np.testing.assert_allclose(filtered[cutoff:], 0, atol=1e-4)

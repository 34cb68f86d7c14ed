"""Amplitude spectra: both backends against the full complex spectrum, and the identities that make SADA fast."""

import numpy as np
import pytest

from passband import kernels
from passband.kernels import reference
from tests.kernels.conftest import OnHost

SHAPES = [(2, 3, 32, 32), (3, 1, 7, 12), (1, 3, 9, 5), (2, 2, 12, 7), (1, 1, 1, 1), (0, 3, 8, 8)]

every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture(params=(*kernels.BACKENDS, "reference"))
def backend(request):
    if request.param == "cuda":
        request.getfixturevalue("device")
    return OnHost(kernels.backend(request.param))


def images_of(shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def words_of(shape, seed=1):
    return np.random.default_rng(seed).integers(0, 2**32, shape, np.uint32)


def half(full):
    return full[..., : full.shape[3] // 2 + 1]


def mirror(full):
    """Return what stands at (-u, -v) of a full grid."""
    rows, columns = (-np.arange(side) % side for side in full.shape[2:])
    return full[:, :, rows][..., columns]


@every_shape
def test_amplitude_and_phase_are_those_of_the_full_spectrum(backend, shape):
    images = images_of(shape)
    amplitude, phase = backend.amplitude_phase(images)
    full = half(np.fft.fft2(images.astype(np.float64)))
    np.testing.assert_allclose(amplitude, np.abs(full), atol=1e-4)
    np.testing.assert_allclose(amplitude * np.exp(1j * phase), full, atol=2e-4)
    assert (np.abs(phase) <= np.float32(np.pi)).all()


@every_shape
def test_there_and_back(backend, shape):
    images = images_of(shape)
    width = shape[3]
    np.testing.assert_allclose(backend.from_half_spectrum(backend.half_spectrum(images), width), images, atol=1e-6)
    np.testing.assert_allclose(backend.from_amplitude_phase(*backend.amplitude_phase(images), width), images, atol=1e-6)


@every_shape
def test_parseval(backend, shape):
    images = images_of(shape)
    spectra = np.abs(backend.half_spectrum(images).astype(np.complex128)) ** 2
    width = shape[3]
    twice = np.array([1 if v == 0 or 2 * v == width else 2 for v in range(width // 2 + 1)])
    energy = (spectra * twice).sum(axis=(1, 2, 3)) / (shape[2] * width)
    np.testing.assert_allclose(energy, (images.astype(np.float64) ** 2).sum(axis=(1, 2, 3)), rtol=1e-5)


def test_the_gradient_by_the_amplitude_is_that_of_autograd(backend):
    """METHODS 3.3 (b), on a loss that is not linear in the image and on the full grid of amplitudes."""
    import torch

    images = images_of((2, 3, 8, 7)).astype(np.float64)
    full = torch.from_numpy(np.fft.fft2(images))
    amplitude, phase = full.abs().requires_grad_(), full.angle()
    rebuilt = torch.fft.ifft2(torch.polar(amplitude, phase)).real
    loss = (rebuilt**3).sum()
    (expected,) = torch.autograd.grad(loss, amplitude)
    image_gradient = (3 * images**2).astype(np.float64 if backend.module is reference else np.float32)
    _, own_phase = backend.amplitude_phase(images.astype(image_gradient.dtype))
    found = backend.amplitude_gradient(image_gradient, own_phase)
    np.testing.assert_allclose(found, half(expected.numpy()), atol=2e-5)


@every_shape
def test_a_step_scales_amplitudes_by_their_sign_and_the_map(backend, shape):
    height, width = shape[2:]
    amplitude, _ = backend.amplitude_phase(images_of(shape))
    gradient = (np.random.default_rng(2).integers(-1, 2, amplitude.shape)).astype(np.float32)
    sensitivity = images_of((1, 1, height, width // 2 + 1), 3)[0, 0] * 20
    stepped = backend.amplitude_step(amplitude, gradient, sensitivity, 0.08)
    expected = np.maximum(0, amplitude * (1 + 0.08 * gradient * sensitivity.astype(np.float64)))
    np.testing.assert_allclose(stepped, expected, rtol=1e-5, atol=1e-5)
    assert (stepped >= 0).all()


@every_shape
def test_ascending_a_spectrum_is_the_step_on_its_amplitude(backend, shape):
    """No angle is taken, and the result is that of amplitudes and phases."""
    images, gradient = images_of(shape), images_of(shape, 5) - np.float32(0.5)
    height, width = shape[2:]
    sensitivity = images_of((1, 1, height, width // 2 + 1), 3)[0, 0]
    spectra = backend.half_spectrum(images)
    ascended = backend.ascend_spectrum(spectra, gradient, sensitivity, 0.3)
    amplitude, phase = reference.amplitude_phase(images)
    slope = reference.amplitude_gradient(gradient, phase)
    stepped = reference.amplitude_step(amplitude, slope, sensitivity, 0.3)
    clear = np.abs(slope) > 1e-6  # where rounding decides the sign, both answers are right
    np.testing.assert_allclose(np.abs(ascended)[clear], stepped[clear], rtol=1e-4, atol=1e-4)
    kept = clear & (stepped > 1e-3)
    np.testing.assert_allclose((ascended / spectra).imag[kept], 0, atol=1e-4)


def test_a_factor_below_zero_counts_as_zero(backend):
    spectra = backend.half_spectrum(images_of((1, 1, 4, 4)))
    scaled = backend.scale_spectrum(spectra, np.full(spectra.shape, -2, np.float32))
    assert (scaled == 0).all()
    np.testing.assert_array_equal(backend.scale_spectrum(spectra, np.ones(spectra.shape, np.float32)), spectra)


@every_shape
def test_symmetric_noise_is_what_a_full_grid_does_to_an_image(backend, shape):
    """METHODS 3.3 (a): the real part of the inverse of A (1 + U), U on the full grid, asymmetric."""
    images, words = images_of(shape), words_of(shape)
    noise = backend.symmetric_noise(words, 0.2)
    full = 0.2 * (2 * (words + 0.5) / 2**32 - 1)
    np.testing.assert_allclose(noise, half((full + mirror(full)) / 2), atol=1e-7)
    expected = np.fft.ifft2(np.fft.fft2(images.astype(np.float64)) * (1 + full)).real
    spectra = backend.scale_spectrum(backend.half_spectrum(images), 1 + noise)
    np.testing.assert_allclose(backend.from_half_spectrum(spectra, shape[3]), expected, atol=1e-6)


@every_shape
def test_signs_agree_with_their_mirror_images(backend, shape):
    height, width = shape[2:]
    words = words_of((*shape[:2], height, width // 2 + 1))
    signs = backend.symmetric_signs(words, width)
    assert set(np.unique(signs)) <= {-1, 1}
    kept = backend.scale_spectrum(backend.half_spectrum(images_of(shape)), 1 + np.float32(0.5) * signs)
    rebuilt = backend.half_spectrum(backend.from_half_spectrum(kept, width))
    np.testing.assert_allclose(rebuilt, kept, atol=1e-3)  # symmetric factors lose nothing in the inverse
    inner = slice(1, (width + 1) // 2)
    np.testing.assert_array_equal(signs[..., inner], np.where(words >> 31 == 1, -1, 1)[..., inner])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (5, 6), (7, 3), (32, 32)])
def test_a_basis_image_has_one_frequency_and_norm_one(backend, height, width):
    for i in range(0, height, 1 + height // 16):
        for j in range(0, width, 1 + width // 16):
            image = np.asarray(backend.fourier_basis(height, width, i, j), np.float64)
            assert np.sum(image**2) == pytest.approx(1, abs=1e-6)
            spectrum = np.abs(np.fft.fft2(image))
            there = {(i, j), (-i % height, -j % width)}
            others = [spectrum[u, v] for u in range(height) for v in range(width) if (u, v) not in there]
            assert max(others, default=0) < 1e-5
            mirrored = backend.fourier_basis(height, width, -i % height, -j % width)
            np.testing.assert_allclose(image, mirrored, atol=1e-7)


@pytest.mark.parametrize(("i", "j"), [(-1, 0), (4, 0), (0, 6)])
def test_a_frequency_that_is_none_is_refused(backend, i, j):
    with pytest.raises(ValueError, match=r"a 4 x 6 image has \(0..3, 0..5\)"):
        backend.fourier_basis(4, 6, i, j)


def test_arguments_that_do_not_fit_are_refused_alike(backend):
    spectra = backend.half_spectrum(images_of((1, 1, 4, 6)))
    with pytest.raises(ValueError, match="width 5: its half spectrum has 3 columns, got 4"):
        backend.from_half_spectrum(spectra, 5)
    with pytest.raises(ValueError, match="sensitivity: needs shape"):
        backend.ascend_spectrum(spectra, images_of((1, 1, 4, 6)), np.ones((4, 3), np.float32), 0.1)
    with pytest.raises(ValueError, match="words: needs uint32"):
        backend.symmetric_noise(np.zeros((1, 1, 4, 4), np.int64), 0.1)
    with pytest.raises(ValueError, match="images"):
        backend.amplitude_phase(np.zeros((4, 4), np.float32))


@pytest.mark.parametrize("name", ["amplitude_phase", "half_spectrum", "symmetric_noise", "ascend_spectrum"])
def test_a_row_is_a_function_of_itself(backend, name):
    on_cuda = backend.module.__name__ == "passband.kernels.cuda"  # cuFFT may take another algorithm for another batch
    shape = (9, 3, 16, 16) if on_cuda else (9, 3, 12, 10)
    height, columns = shape[2], shape[3] // 2 + 1
    images = images_of(shape)
    arguments = {
        "symmetric_noise": lambda rows: (words_of(shape)[rows], 0.2),
        "ascend_spectrum": lambda rows: (
            backend.half_spectrum(images)[rows],
            (images_of(shape, 4) - np.float32(0.5))[rows],
            np.ones((height, columns), np.float32),
            0.1,
        ),
    }.get(name, lambda rows: (images[rows],))
    whole = getattr(backend, name)(*arguments(slice(None)))
    for rows in (slice(2, 3), slice(0, 8), slice(None, None, -1)):
        part = getattr(backend, name)(*arguments(rows))
        pairs = zip(part, whole, strict=True) if isinstance(whole, tuple) else [(part, whole)]
        for found, expected in pairs:
            np.testing.assert_array_equal(found, expected[rows])

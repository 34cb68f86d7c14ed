"""Pixels between the host, where they are read and encoded, and where the kernels work.

A backend on a device works on its own: what is started here comes back later, and the next batch is handed over before
the last one is asked for.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType
from typing import Any, Protocol

from numpy.typing import NDArray

from passband.kernels.family_checks import check_finite

Later = Callable[[], NDArray[Any]]
"""Gives an array of the host, once it is there."""


class Transfer(Protocol):
    """How the batches of one worker travel.

    Attributes
    ----------
    device : str or None
        Name of the device; None for the host.
    in_flight : int
        Batches that are begun before the first of them is asked for.
    """

    device: str | None
    in_flight: int

    @property
    def out_of_memory(self) -> tuple[type[Exception], ...]:
        """Exceptions raised where memory does not suffice; less may do."""

    def working(self) -> AbstractContextManager[Any]:
        """Surround whatever calls kernels."""

    def upload(self, pixels: NDArray[Any]) -> Any:
        """Return pixels where the kernels work."""

    def download(self, array: Any) -> Later:
        """Begin to bring an array back."""

    def round(self, images: Any) -> tuple[Any, Later]:
        """Round images to pixels; return these where the kernels work, and begin to bring them back.

        What comes later raises ValueError for a sample that is not finite.
        """

    def bring(self, pixels: Any, first_bad: Any) -> Later:
        """Begin to bring back pixels that were rounded where the kernels work, as `round` does.

        Parameters
        ----------
        first_bad : (1,) int32, row of the first sample that is not finite
        """

    def finished(self) -> None:
        """Let go what the oldest batch held."""

    def abandon(self) -> None:
        """Let go what was begun and is not asked for any more, once nothing works on it."""

    def free(self) -> None:
        """Give back memory that nothing holds."""


class HostTransfer:
    """No way at all: the kernels work on the host."""

    device: str | None = None
    in_flight = 1
    out_of_memory: tuple[type[Exception], ...] = (MemoryError,)

    def __init__(self, kernels: ModuleType) -> None:
        self._kernels = kernels

    def working(self) -> AbstractContextManager[Any]:
        """Surround nothing."""
        return nullcontext()

    def upload(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels."""
        return pixels

    def download(self, array: NDArray[Any]) -> Later:
        """Return the array when asked."""
        return lambda: array

    def round(self, images: NDArray[Any]) -> tuple[NDArray[Any], Later]:
        """Round at once; an image that is not finite raises here."""
        pixels = self._kernels.to_uint8(images)
        return pixels, lambda: pixels

    def bring(self, pixels: NDArray[Any], first_bad: NDArray[Any]) -> Later:
        """Look at them at once."""
        check_finite(int(first_bad[0]), len(pixels))
        return lambda: pixels

    def finished(self) -> None:
        """Hold nothing."""

    def abandon(self) -> None:
        """Hold nothing."""

    def free(self) -> None:
        """Hold nothing."""


class DeviceTransfer:
    """By page-locked memory, beside the kernels (`kernels.cuda.staging`); two batches are in flight."""

    in_flight = 2

    def __init__(self) -> None:
        from passband.kernels.cuda.device import current
        from passband.kernels.cuda.staging import Staging

        self._device, self._staging = current(), Staging()
        self.device: str | None = self._device.name

    @property
    def out_of_memory(self) -> tuple[type[Exception], ...]:
        """Return those of the device, which grow with what is imported."""
        return self._device.out_of_memory

    def working(self) -> AbstractContextManager[Any]:
        """Send kernels to the stream that computes."""
        return self._staging.computing()

    def upload(self, pixels: NDArray[Any]) -> Any:
        """Begin to copy; kernels that follow wait for it."""
        return self._staging.upload(pixels)

    def download(self, array: Any) -> Later:
        """Begin to copy what the kernels so far make of an array."""
        return self._staging.download(array).result

    def round(self, images: Any) -> tuple[Any, Later]:
        """Round on the device."""
        from passband.kernels.cuda.pixels import round_pixels

        pixels, first_bad = round_pixels(images)
        return pixels, self.bring(pixels, first_bad)

    def bring(self, pixels: Any, first_bad: Any) -> Later:
        """Begin to copy; whether all was finite is looked at when the pixels are asked for."""
        copies = self._staging.download(first_bad), self._staging.download(pixels)

        def later() -> NDArray[Any]:
            row, host = (copy.result() for copy in copies)
            check_finite(int(row[0]), len(host))
            return host

        return later

    def finished(self) -> None:
        """Let go the oldest upload."""
        self._staging.forget(1)

    def abandon(self) -> None:
        """Wait for copies and kernels, and let go what they work on."""
        self._staging.abandon()

    def free(self) -> None:
        """Give the pools' free blocks back to the device."""
        self._device.free_memory()


def open_transfer(backend: str, kernels: ModuleType) -> Transfer:
    """Return the way of a backend's batches."""
    return HostTransfer(kernels) if backend == "cpu" else DeviceTransfer()

"""Call a kernel of a library that `build` made as CuPy calls its own: (grid, block, arguments)."""

import ctypes
from pathlib import Path

import numpy as np

from tests.cuda_host.array import HostArray


class _Launch(ctypes.Structure):
    _fields_ = [("dims", ctypes.c_uint * 6), ("shared", ctypes.c_size_t), ("seed", ctypes.c_uint64)]


class HostKernel:
    """One kernel; calls refuse what a GPU would misread.

    Attributes
    ----------
    sizes : list of int
        Of each parameter in bytes, negative for a pointer.
    ranges : place of an argument -> (address, bytes) in the last launch
    """

    def __init__(self, library: Path, name: str) -> None:
        self.path, self.name = library, name
        self.library = ctypes.CDLL(str(library))
        self.library.simt_error.restype = ctypes.c_char_p
        self._run = getattr(self.library, f"simt_run_{name}")
        sizes = (ctypes.c_int * 64)()
        count = getattr(self.library, f"simt_sig_{name}")(sizes)
        self.sizes = list(sizes)[:count]
        self.ranges: dict[int, tuple[int, int]] = {}

    def __call__(self, grid, block, args, *, shared_mem=0, seed=2):
        """Run the kernel.

        Parameters
        ----------
        grid, block : tuple of 1 to 3 int
        args : HostArray for pointers, NumPy scalars of the parameter's own size
        shared_mem : int, bytes
        seed : int
            Order in which threads run between barriers: 0 ascending, 1 descending, else shuffled.

        Raises
        ------
        TypeError
            For an argument that would reach the kernel in another width or layout.
        RuntimeError
            For a launch that a GPU could not start, and for barriers that do not fit each other.
        """
        if len(args) != len(self.sizes):
            raise TypeError(f"{self.name} takes {len(self.sizes)} arguments, got {len(args)}")
        values = [self._value(place, argument) for place, argument in enumerate(args)]
        self.ranges = {i: (a.ctypes.data, a.nbytes) for i, a in enumerate(args) if isinstance(a, np.ndarray)}
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(value) for value in values])
        dims = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3])
        if self._run(ctypes.byref(_Launch(dims, shared_mem, seed)), pointers):
            raise RuntimeError(f"{self.name}: {self.library.simt_error().decode()}")

    def _value(self, place, argument):
        size = self.sizes[place]
        if isinstance(argument, HostArray) and size < 0:
            if not argument.flags.c_contiguous:
                raise TypeError(f"{self.name}, argument {place}: a kernel sees no strides, and this is not contiguous")
            return ctypes.c_void_p(argument.ctypes.data)
        if isinstance(argument, np.generic) and size == argument.nbytes:
            return ctypes.create_string_buffer(argument.tobytes(), argument.nbytes)
        # CuPy would pass a Python float as a double and an int as a long long, whatever the kernel takes.
        kind = getattr(argument, "dtype", type(argument).__name__)
        raise TypeError(f"{self.name}, argument {place}: {type(argument).__name__} ({kind}) for {abs(size)} bytes")

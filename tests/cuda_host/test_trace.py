"""Each byte that a kernel is given is read once, each that it returns is written once: but for what is said here."""

import pytest

from passband.kernels.cuda import plane
from tests.cuda_host.calls import LARGE, SMALL, SQUARES, Call, calls
from tests.cuda_host.marks import needs_compiler
from tests.cuda_host.trace import SHARED, TracingDevice, costs, touched

pytestmark = needs_compiler

READ_MORE_THAN_ONCE = {
    "one value for many pixels (of an image, channel, row or column): their threads read it, from the cache": {
        "add_basis": "images rows basis frequencies amplitudes",
        "amplitude_step": "sizes",
        "ascend_spectrum": "sizes",
        "color_steps": "steps coefficients",
        "mix": "weights",
        "mix_chain": "steps weights",
        "plasma_fractal": "amplitudes",
        "prime_views": "steps weights",
        "prime_rounded": "steps weights",
        "random_filter": "rows weights",
        "smooth_color": "coefficients first",
        "spread_means": "row column means",
        "block_means": "top left",
        "warp": "rows",
        "draw_colors": "steps",
        "draw_filters": "steps",
        "draw_modes": "steps",
        "noise_steps": "steps",
        "sum_columns": "reach",
        "sum_rows": "reach",
        "words": "indices",
        "normals": "indices",
        "tap_filter": "offsets weights row_index column_index",
        "resample": "rows columns down right",
    },
    "a table for the whole batch, which stays in the cache": {
        "half_spectrum": "roots",
        "ascend_spectrum": "roots",
        "from_half_spectrum": "roots",
        "radial": "roots",
        "radial_rounded": "roots",
        "phase_only": "roots",
        "shot_noise": "guide starts least steps",
    },
    "factors of a matrix product: a tile is read again for every tile of the other": {
        "multiply": "left right",
        "sum_columns": "basis_x",
        "sum_rows": "basis_y",
    },
    "neighbours need the same pixels: tiles overlap, or the cache serves": {
        "random_filter": "source",
        "resample": "images",
        "shuffle_pixels": "images words",
        "tap_filter": "images",
        "warp": "source",
        "warp_reflected": "images",
    },
    "two passes: what all pixels have together comes first": {
        "flatten_amplitude": "spectra",
        "scale_contrast": "images",
    },
    "a pixel's result depends on all its channels, and each has a thread": {"brighten": "images"},
    "a bin and its mirror image need each other": {
        "from_half_spectrum": "spectra",
        "symmetrize": "spectra",
        "symmetric_noise": "words",
        "symmetric_signs": "words",
    },
    "each chain begins with the clean image; all but the first read comes from the cache": {
        "prime_views": "images",
        "prime_rounded": "images",
    },
    "the grid of a fractal is made in place, step by step": {"plasma_fractal": "out"},
}
WRITTEN_MORE_THAN_ONCE = {
    "the grid of a fractal is made in place, step by step": {"plasma_fractal": "out"},
    "the middle row of an odd side is its own mirror image": {"sum_rows": "field"},
}
FUSED = ("plane_filter.cu", "plane_spectral.cu", "prime_fused.cu")


def pairs(table):
    return {(kernel, name) for rows in table.values() for kernel, names in rows.items() for name in names.split()}


def traces(made):
    for call in made:
        device = TracingDevice()
        call.run(device)
        yield from device.traces


def repeated(made):
    """Return (kernel, parameter) of what was read, and of what was written, more than once."""
    read, written = set(), set()
    for trace in traces(made):
        for name, found in touched(trace).items():
            if found.most_reads > 1:
                read.add((trace.launched.kernel, name))
            if found.most_writes > 1:
                written.add((trace.launched.kernel, name))
    return read, written


def whole_planes(shapes):
    return [call for call in calls(shapes) if call.number == 0 and any(word in call.name for word in FUSED_FUNCTIONS)]


FUSED_FUNCTIONS = ("radial", "phase_only", "spectrum", "prime")


@pytest.mark.parametrize(
    "shape",
    [
        SQUARES[0],
        *(pytest.param(shape, marks=[pytest.mark.cuda_full, pytest.mark.timeout(1200)]) for shape in SQUARES[1:]),
    ],
    ids=str,
)
def test_fused_kernels_read_each_byte_once_and_write_each_once(shape):
    seen = set()
    for trace in traces(whole_planes((shape,))):
        if trace.launched.source not in FUSED:
            continue
        for name, found in touched(trace).items():
            label = trace.launched.kernel, name, shape, found
            seen.add(trace.launched.kernel)
            if found.written_bytes:  # a result: all of it, once, and never read
                assert (found.written_bytes, found.most_writes, found.read_bytes) == (found.size, 1, 0), label
            elif label[:2] not in pairs(READ_MORE_THAN_ONCE):
                assert found.read_bytes in (found.size, 0), label
                assert found.most_reads <= 1, label
    assert {"radial", "phase_only", "half_spectrum", "from_half_spectrum", "ascend_spectrum"} < seen


@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
def test_only_what_is_listed_is_read_or_written_more_than_once():
    read, written = repeated(calls((*SMALL, *SQUARES[:2])))
    assert read == pairs(READ_MORE_THAN_ONCE)
    assert written == pairs(WRITTEN_MORE_THAN_ONCE)


@pytest.mark.parametrize(
    "shape", [SQUARES[0], *(pytest.param(s, marks=pytest.mark.cuda_full) for s in (*SQUARES[1:], *LARGE))], ids=str
)
def test_whole_planes_are_loaded_in_full_sectors_with_few_bank_conflicts(shape):
    """Shared memory in less than twice the wavefronts of no conflict at all, device memory as few sectors as can be."""
    (trace,) = traces([Call("radial_filter", 0, shape)])
    assert trace.launched.block[0] == plane.LAYOUTS[shape[2]].threads
    found = costs(trace)
    for direction in ("read", "write"):
        assert found[SHARED, direction].transfers < 2 * found[SHARED, direction].least
    for array in (("images", "read"), ("out", "write")):
        assert found[array].transfers <= 2 * found[array].least


def test_a_second_read_and_a_conflict_are_seen(tmp_path, monkeypatch):
    text = (
        '#include "common.cuh"\nextern "C" __global__ void square(const float* x, float* y) {\n'
        "  DYNAMIC_SHARED(float, s);\n  int t = threadIdx.x;\n  s[32 * t] = x[t];\n  __syncthreads();\n"
        "  y[t] = s[32 * (31 - t)] + *(volatile const float*)(x + t);\n}\n"
    )
    device = TracingDevice()
    device.read = lambda name: text.replace('#include "common.cuh"\n', "")
    x, y = (device.asarray(device.xp.zeros(32, "float32")) for _ in range(2))
    device.kernel("square.cu", "square")((1,), (32,), (x, y), shared_mem=4096)
    (trace,) = device.traces
    found = touched(trace)
    assert (found["x"].read_bytes, found["x"].most_reads, found["x"].most_writes) == (128, 2, 0)
    assert (found["y"].written_bytes, found["y"].most_writes, found["y"].read_bytes) == (128, 1, 0)
    assert costs(trace)[SHARED, "write"] == (1, 32, 1)
    assert costs(trace)["x", "read"] == (2, 8, 8)

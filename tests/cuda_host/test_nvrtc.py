"""Every launch compiles for real GPUs, spills nothing, and fits; and CuPy would compile it in the same way."""

import pytest

from passband.kernels.cuda import sources
from passband.kernels.cuda.device import OPTIONS
from tests.cuda_host.calls import LARGE, SMALL, SQUARES
from tests.cuda_host.cupy_path import cupy_compile
from tests.cuda_host.launches import by_call, every_launch
from tests.cuda_host.marks import needs_compiler, needs_cupy, needs_nvrtc
from tests.cuda_host.nvrtc import ARCHITECTURES, CUPY_OPTIONS, compiled, parse
from tests.cuda_host.occupancy import MULTIPROCESSORS, blocks_at_once, occupancy

KIBI = 1024
MOST_STACK = {"prime_views": 16, "prime_rounded": 16}
"""Bytes that a thread may have on its stack: the slots of an image with two channels, indexed by a loop's variable."""
MOST_SPILL = {("prime_views", "-DHEIGHT=33", 100): 8, ("prime_rounded", "-DHEIGHT=33", 100): 8}
"""Bytes that may be spilled, of one odd shape of the tests: four blocks leave 80 registers, and sm_100 needs more."""


def test_the_report_of_ptxas_is_read():
    log = (
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\n"
        "ptxas info    : Function properties for one\n"
        "    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 40 registers, used 1 barriers, 16 bytes cumulative stack size, 256 bytes smem\n"
        "ptxas info    : Compiling entry function 'two' for 'sm_90'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 255 registers\n"
    )
    assert {name: tuple(found) for name, found in parse(log).items()} == {
        "one": (40, 256, 16, 8, 12, 1),
        "two": (255, 0, 0, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("architecture", "threads", "registers", "shared", "blocks"),
    [  # by hand
        (80, 256, 32, 0, 8),
        (80, 256, 64, 0, 4),
        (90, 256, 33, 0, 6),  # 40 registers a thread are given
        (90, 256, 32, 48 * KIBI, 4),
        (80, 256, 32, 48 * KIBI, 3),
        (90, 32, 16, 0, 32),
        (90, 448, 94, 217 * KIBI, 1),
        (80, 448, 94, 217 * KIBI, 0),
        (90, 1024, 65, 0, 0),
    ],
)
def test_occupancy(architecture, threads, registers, shared, blocks):
    assert blocks_at_once(architecture, threads, registers, shared) == blocks
    warps = MULTIPROCESSORS[architecture].warps
    assert occupancy(architecture, threads, registers, shared) == blocks * -(-threads // 32) / warps


@needs_nvrtc
def test_a_spill_would_be_seen():
    text = (
        'extern "C" __global__ void __launch_bounds__(1024, 2) greedy(const float* x, float* y) {\n'
        "  float own[64];\n#pragma unroll\n  for (int i = 0; i < 64; ++i) own[i] = x[i * 32 + threadIdx.x];\n"
        "  for (int k = 0; k < 9; ++k)\n#pragma unroll\n"
        "    for (int i = 0; i < 64; ++i) own[i] += own[63 - i] * x[k];\n"
        "#pragma unroll\n  for (int i = 0; i < 64; ++i) y[i * 32 + threadIdx.x] = own[i];\n}\n"
    )
    greedy = compiled(text, 90, ())["greedy"]
    assert greedy.registers == 32
    assert min(greedy.stack_bytes, greedy.spill_store_bytes, greedy.spill_load_bytes) > 0


def assert_spills_nothing_and_fits(shapes, architectures, may_be_refused=False):
    launches = every_launch(by_call(shapes))
    for launch in launches:
        threads, bound = launch.block[0], launch.shared_bytes
        for architecture in architectures:
            found = compiled(sources.read(launch.source), architecture, launch.options)[launch.kernel]
            label = launch.source, launch.kernel, launch.options, architecture, found
            assert found.registers > 0, label
            spill = max((MOST_SPILL.get((launch.kernel, word, architecture), 0) for word in launch.options), default=0)
            assert found.spill_store_bytes <= spill, label
            assert found.spill_load_bytes <= 2 * spill, label
            assert found.stack_bytes <= MOST_STACK.get(launch.kernel, 0), label
            assert found.static_shared_bytes == 0, label  # the host's blocks would share it
            too_much = bound > MULTIPROCESSORS[architecture].block_shared_bytes
            assert blocks_at_once(architecture, threads, found.registers, bound) > 0 or (may_be_refused and too_much), (
                label
            )
    return launches


@needs_compiler
@needs_nvrtc
def test_every_source_compiles_spills_nothing_and_fits():
    launches = assert_spills_nothing_and_fits(SMALL[:1], [90])
    assert {launch.source for launch in launches} > {"color.cu", "stencil.cu", "prime_general.cu"}


@needs_compiler
@needs_nvrtc
@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_launch_compiles_spills_nothing_and_fits(architecture):
    launches = assert_spills_nothing_and_fits((*SMALL, *SQUARES), [architecture])
    names = {(launch.source, launch.kernel) for launch in launches}
    assert names == {(name, k) for name in sources.names() for k in sources.kernel_names(sources.read(name))}


@needs_compiler
@needs_nvrtc
@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_large_planes_compile_and_spill_nothing(architecture):
    """Their fused kernels need more shared memory than sm_80 has: there `plane.fused` does not take them."""
    assert_spills_nothing_and_fits(LARGE, [architecture], may_be_refused=True)


@needs_cupy
@needs_nvrtc
def test_cupy_compiles_with_the_options_that_are_checked_here():
    binary, seen = cupy_compile(sources.read("color.cu"), 90, (*OPTIONS, "-DSIDE=3"))
    assert binary.startswith(b"\x7fELF")
    assert set(seen[-1]) == {*OPTIONS, *CUPY_OPTIONS, "-DSIDE=3", "-arch=sm_90"}


@needs_cupy
@needs_nvrtc
@needs_compiler
@pytest.mark.cuda_full
def test_cupy_compiles_every_source():
    builds = {launch.build for launch in every_launch(by_call((SMALL[0], SQUARES[0])))}
    for source, options in sorted(builds):
        binary, _ = cupy_compile(sources.read(source), 90, (*OPTIONS, *options))
        for kernel in sources.kernel_names(sources.read(source)):
            assert kernel.encode() in binary, (source, kernel)

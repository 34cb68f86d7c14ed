"""How many warps of a kernel a multiprocessor holds at once: the rules of CUDA's occupancy calculator."""

from typing import NamedTuple

BLOCK_RESERVED_BYTES = 1024
"""Shared memory that the system takes of every block, from sm_80 on."""
REGISTER_UNIT, SHARED_UNIT, WARP_UNIT = 256, 128, 4
"""Registers are given to a warp, shared memory to a block, warps to a multiprocessor in such steps."""


class Multiprocessor(NamedTuple):
    """Limits of one multiprocessor: CUDA C++ programming guide, "Compute capabilities", technical specifications."""

    registers: int
    shared_bytes: int
    block_shared_bytes: int
    warps: int
    blocks: int


MULTIPROCESSORS = {
    80: Multiprocessor(65536, 167936, 166912, 64, 32),
    90: Multiprocessor(65536, 233472, 232448, 64, 32),
    100: Multiprocessor(65536, 233472, 232448, 64, 32),
}


def blocks_at_once(architecture: int, threads: int, registers: int, shared_bytes: int) -> int:
    """Return how many blocks fit a multiprocessor at once; 0 if not even one does."""
    have = MULTIPROCESSORS[architecture]
    if shared_bytes > have.block_shared_bytes or threads > 1024:
        return 0
    warps = -(-threads // 32)
    by_registers = have.registers // _up(32 * max(registers, 1), REGISTER_UNIT) // WARP_UNIT * WARP_UNIT // warps
    by_shared = have.shared_bytes // _up(shared_bytes + BLOCK_RESERVED_BYTES, SHARED_UNIT)
    return min(have.blocks, have.warps // warps, by_registers, by_shared)


def occupancy(architecture: int, threads: int, registers: int, shared_bytes: int) -> float:
    """Return the share of a multiprocessor's warps that blocks of this kind fill."""
    warps = -(-threads // 32)
    return blocks_at_once(architecture, threads, registers, shared_bytes) * warps / MULTIPROCESSORS[architecture].warps


def _up(count: int, unit: int) -> int:
    return -(-count // unit) * unit

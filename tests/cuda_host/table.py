"""The tables of ``kernels/cuda/README.md``: ``python -m tests.cuda_host.table`` writes them.

What each kernel takes of a GPU, by NVRTC's own ptxas, and the bytes that it moves at least, by the memory trace.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from passband.kernels.cuda import plane, sources
from tests.cuda_host.calls import calls
from tests.cuda_host.launches import Launched, by_call, every_launch
from tests.cuda_host.nvrtc import ARCHITECTURES, compiled, version
from tests.cuda_host.occupancy import occupancy
from tests.cuda_host.trace import TracingDevice, touched

README = Path(sources.__file__).with_name("README.md")
BEGIN, END = "<!-- written by make cuda-table -->", "<!-- end of what make cuda-table wrote -->"
CHANNELS = 3
BYTE_SIDES = (32, 96)
"""One whose planes and PRIME views are made by one kernel, and one whose are not."""
DRAM_BYTES_PER_S = 3.35e12
"""Of an H100 (SXM), by its data sheet."""


class Row(NamedTuple):
    """One kernel as compiled for one side, or for any; `percents` of the warps of a multiprocessor, 0: does not fit."""

    kernel: str
    made_for: str
    threads: int
    shared_bytes: int
    registers: tuple[int, ...]
    percents: tuple[int, ...]

    def line(self) -> str:
        each = self.kernel, self.made_for, self.threads, self.shared_bytes, *self.registers, *self.percents
        return "| " + " | ".join(map(str, each)) + " |"


def resource_rows(sides: Iterable[int] = (*plane.LAYOUTS, *BYTE_SIDES[1:])) -> list[Row]:
    """Return a row for every kernel of every build, with the most shared memory that a launch asks for."""
    found = by_call(tuple((1, CHANNELS, side, side) for side in sides))
    largest: dict[tuple, Launched] = {}
    for launch in sorted(every_launch(found), key=lambda launch: launch.shared_bytes):
        largest[launch.source, launch.kernel, launch.options] = launch
    return [_row(largest[key]) for key in sorted(largest, key=_in_order)]


def _in_order(key: tuple) -> tuple:
    source, kernel, options = key
    return source, kernel, [int(number) for option in options for number in re.findall(r"=(\d+)", option)]


def _row(launch: Launched) -> Row:
    threads, shared = launch.block[0], launch.shared_bytes
    text = sources.read(launch.source)
    registers = [compiled(text, arch, launch.options)[launch.kernel].registers for arch in ARCHITECTURES]
    shares = [occupancy(arch, threads, count, shared) for arch, count in zip(ARCHITECTURES, registers, strict=True)]
    kernel = f"{launch.source.removesuffix('.cu')}: {launch.kernel}"
    percents = tuple(int(100 * share) for share in shares)
    return Row(kernel, _made_for(launch.options), threads, shared, tuple(registers), percents)


def _made_for(options: tuple[str, ...]) -> str:
    values = dict(option.removeprefix("-D").split("=") for option in options)
    if "SIDE" in values:
        return f"{values['SIDE']}x{values['SIDE']}"
    if "HEIGHT" in values:
        return f"{values['HEIGHT']}x{values['WIDTH']}"
    return " ".join(f"{name}={value}" for name, value in values.items()) or "any"


def byte_rows() -> dict[str, list[int]]:
    """Return kernel -> bytes of device memory that one more image means at least, at each of `BYTE_SIDES`.

    Distinct bytes read and distinct bytes written, all launches of the first case that launches the kernel.
    """
    rows: dict[str, list[int]] = {}
    for column, side in enumerate(BYTE_SIDES):
        for kernel, count in _bytes_an_image(side).items():
            rows.setdefault(kernel, [0] * len(BYTE_SIDES))[column] = count
    return dict(sorted(rows.items()))


def _bytes_an_image(side: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for one, two in zip(*(calls(((count, CHANNELS, side, side),)) for count in (1, 2)), strict=True):
        if one.number:
            continue
        few, many = _moved(one), _moved(two)
        for kernel in many:
            found.setdefault(kernel, many[kernel] - few.get(kernel, 0))
    return found


def _moved(call) -> dict[str, int]:
    device = TracingDevice()
    call.run(device)
    total: dict[str, int] = {}
    for trace in device.traces:
        kernel = f"{trace.launched.source.removesuffix('.cu')}: {trace.launched.kernel}"
        moved = sum(array.read_bytes + array.written_bytes for array in touched(trace).values())
        total[kernel] = total.get(kernel, 0) + moved
    return total


def render(rows: list[Row], moved: dict[str, list[int]]) -> str:
    """Return both tables, with what they were made by."""
    kinds = [f"sm_{arch}" for arch in ARCHITECTURES]
    heads = [f"registers {kind}" for kind in kinds] + [f"occupancy {kind}, %" for kind in kinds]
    compiled_by = (
        f"Compiled by NVRTC {version()} with CuPy's options. Shared memory is that of a launch with "
        f"{CHANNELS} channels; occupancy is by the rules of CUDA's calculator, 0: a block does not fit this GPU."
    )
    return "\n".join(
        [compiled_by, "", *_table(["kernel", "made for", "threads", "shared bytes", *heads], [r.line() for r in rows])]
        + ["", *_byte_table(moved)]
    )


def _byte_table(moved: dict[str, list[int]]) -> list[str]:
    bound = "images/s by DRAM bandwidth at 3.35 TB/s (H100), a bound, not a measurement"
    heads = [f"{side}x{side}: {what}" for side in BYTE_SIDES for what in ("bytes an image, at least", bound)]
    lines = []
    for kernel, counts in moved.items():
        cells = [cell for count in counts for cell in (_count(count), _rate(count))]
        lines.append("| " + " | ".join([kernel, *cells]) + " |")
    return _table(["kernel", *heads], lines)


def _count(count: int) -> str:
    return str(count) if count > 0 else ""


def _rate(count: int) -> str:
    return f"{DRAM_BYTES_PER_S / count / 1e6:.3g} M" if count > 0 else ""


def _table(heads: list[str], lines: list[str]) -> list[str]:
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines]


def stated() -> tuple[list[Row], str]:
    """Return the rows that the README has, and all that lies between its marks."""
    text = README.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 + 2 * len(ARCHITECTURES) and cells[2].isdigit():
            figures = [int(cell) for cell in cells[2:]]
            registers, percents = figures[2 : 2 + len(ARCHITECTURES)], figures[2 + len(ARCHITECTURES) :]
            rows.append(Row(*cells[:2], *figures[:2], tuple(registers), tuple(percents)))
    return rows, text


def main() -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{render(resource_rows(), byte_rows())}\n{END}{after}")


if __name__ == "__main__":
    main()

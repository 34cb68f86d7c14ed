"""Tables as text of 60 columns and as Markdown."""

from collections.abc import Sequence
from textwrap import wrap

from passband.jobs.reproduce.rows import Block, Row, Unit


def note(unit: Unit, width: int = 60) -> str:
    """Return what the numbers of tables as text are, in lines of at most `width` characters."""
    said = f"{unit.what}: mean over the seeds, and below it their sample standard deviation (divisor n - 1)."
    return "\n".join([*wrap(said, width), *(["* is the highest mean of a column."] if unit.marks_best else [])])


def as_text(block: Block, width: int = 60) -> str:
    """Return a block as lines of at most `width` characters; columns that do not fit follow below.

    A method has two lines, means and deviations. The names of the methods are cut only where they must be.
    """
    headings = [f"{heading} " for _, heading in block.table.columns]
    means = {method: [_mean(block, rows, c) for c in range(len(headings))] for method, rows in block.methods.items()}
    stds = {method: [_std(row) for row in rows] for method, rows in block.methods.items()}
    cell = 1 + max(len(text) for texts in (headings, *means.values(), *stds.values()) for text in texts)
    name = min(max([6, *map(len, block.methods)]), max(8, width - cell))
    fitting = max(1, (width - name) // cell)
    lines = [block.table.title]
    for start in range(0, len(headings), fitting):
        part = slice(start, start + fitting)
        lines.append(_line("", headings[part], name, cell))
        for method in block.methods:
            lines.append(_line(method, means[method][part], name, cell))
            if any(stds[method][part]):
                lines.append(_line("", stds[method][part], name, cell))
    return "\n".join(lines)


def _line(label: str, texts: Sequence[str], name: int, cell: int) -> str:
    shown = label if len(label) <= name else label[: name - 1] + "\u2026"
    return (f"{shown:<{name}}" + "".join(f"{text:>{cell}}" for text in texts)).rstrip()


def as_markdown(block: Block) -> str:
    """Return a block as a Markdown table, the highest mean of each column in bold."""
    headings = [heading for _, heading in block.table.columns]
    lines = [
        f"### {block.table.title}",
        "",
        "| method | " + " | ".join(headings) + " |",
        "|---|" + "---:|" * len(headings),
    ]
    for method, rows in block.methods.items():
        cells = [_markdown_cell(block, rows, column) for column in range(len(headings))]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def is_best(block: Block, rows: Sequence[Row | None], column: int) -> bool:
    """Say whether a method has the highest mean of a column, to the digit that is shown; several may have it."""
    row = rows[column]
    if row is None or len(block.methods) < 2 or not row.unit.marks_best:
        return False
    return round(row.mean, row.unit.digits) == block.best(column)


def _markdown_cell(block: Block, rows: Sequence[Row | None], column: int) -> str:
    row = rows[column]
    if row is None:
        return "-"
    text = row.unit.spell(row.mean) + (f" ± {row.unit.spell(row.std)}" if row.std is not None else "")
    return f"**{text}**" if is_best(block, rows, column) else text


def _mean(block: Block, rows: Sequence[Row | None], column: int) -> str:
    row = rows[column]
    if row is None:
        return "- "
    return f"{row.unit.spell(row.mean)}{'*' if is_best(block, rows, column) else ' '}"


def _std(row: Row | None) -> str:
    return "" if row is None or row.std is None else f"\u00b1{row.unit.spell(row.std)} "

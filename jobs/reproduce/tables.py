"""Tables as text of 60 columns and as Markdown."""

from collections.abc import Sequence

from jobs.reproduce.rows import Block, Row

NOTE = (
    "Accuracy in percent: mean over the seeds, and below it their sample\n"
    "standard deviation (divisor n - 1). * is the highest mean."
)
_NARROWEST = 6


def as_text(block: Block, width: int = 60) -> str:
    """Return a block as lines of at most `width` characters; columns that do not fit follow below.

    A method has two lines, means and deviations. The names of the methods are cut only where they must be.
    """
    longest = max([6, *map(len, block.methods)])
    headings = [heading for _, heading in block.table.columns]
    cell = max([_NARROWEST, *(len(heading) + 1 for heading in headings)])
    name = min(longest, max(8, width - cell))
    fitting = max(1, (width - name) // cell)
    lines = [block.table.title]
    for start in range(0, len(headings), fitting):
        part = range(start, min(start + fitting, len(headings)))
        lines.append(" " * name + "".join(f"{headings[column]:>{cell}}" for column in part))
        for method, rows in block.methods.items():
            shown = method if len(method) <= name else method[: name - 1] + "\u2026"
            means = "".join(f"{_mean(block, rows, column, '*'):>{cell}}" for column in part)
            stds = "".join(f"{_std(rows[column]):>{cell}}" for column in part)
            lines.append(f"{shown:<{name}}{means}".rstrip())
            if stds.strip():
                lines.append(" " * name + stds)
    return "\n".join(lines)


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
    return row is not None and len(block.methods) > 1 and round(row.mean, 1) == block.best(column)


def _markdown_cell(block: Block, rows: Sequence[Row | None], column: int) -> str:
    row = rows[column]
    if row is None:
        return "-"
    text = f"{row.mean:.1f}" + (f" ± {row.std:.1f}" if row.std is not None else "")
    return f"**{text}**" if is_best(block, rows, column) else text


def _mean(block: Block, rows: Sequence[Row | None], column: int, mark: str) -> str:
    row = rows[column]
    if row is None:
        return "- "
    return f"{row.mean:.1f}{mark if is_best(block, rows, column) else ' '}"


def _std(row: Row | None) -> str:
    return "" if row is None or row.std is None else f"\u00b1{row.std:.1f} "

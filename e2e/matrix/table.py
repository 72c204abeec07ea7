"""The table: rows are engine, launch and scenario, columns are spans and metrics, with the reasons below."""

import dataclasses
import json
from pathlib import Path

from matrix.cell import Row, State

REASON_COLUMNS = 300
"""A reason is cut in the table; the JSON file has all of it."""


def columns(rows: list[Row]) -> list[str]:
    """All columns, in the order in which rows have them."""
    return list(dict.fromkeys(column for row in rows for column in row.cells))


def mark(row: Row, column: str) -> str:
    """A cell as one character; a column that the engine's line does not have is blank."""
    cell = row.cells.get(column)
    return cell.state.value if cell else " "


def terminal(rows: list[Row]) -> str:
    """For a terminal: one character for each cell, columns by number."""
    lines = []
    names = columns(rows)
    for engine in dict.fromkeys(row.engine for row in rows):
        own = [row for row in rows if row.engine == engine]
        here = [name for name in names if any(name in row.cells for row in own)]
        width = max(len(f"{row.launch} · {row.scenario}") for row in own)
        lines += ["", engine, *heading(width, len(here))]
        lines += [
            f"{f'{row.launch} · {row.scenario}':{width}}  {''.join(mark(row, name) for name in here)}" for row in own
        ]
        lines.append("")
        lines += [f"  {index:2} {name}" for index, name in enumerate(here, 1)]
    return "\n".join([*lines, "", *reasons(rows), "", total(rows)])


def heading(width: int, count: int) -> list[str]:
    """Numbers of columns, written downwards."""
    digits = [f"{index:2}" for index in range(1, count + 1)]
    return [f"{'':{width}}  {''.join(digit[place] for digit in digits)}" for place in (0, 1)]


def reasons(rows: list[Row]) -> list[str]:
    """Why a cell is wrong, each reason once with the cells that it is in."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for column, cell in row.cells.items():
            if cell.state is State.WRONG:
                for reason in cell.reasons:
                    what = reason if reason.startswith("did not start") else f"{column}: {reason}"
                    found.setdefault(what[:REASON_COLUMNS], []).append(f"{row.engine} · {row.launch} · {row.scenario}")
    found = {reason: list(dict.fromkeys(where)) for reason, where in found.items()}
    return [
        f"✗ {reason}\n    in {', '.join(where[:3])}{f' and {len(where) - 3} more' if len(where) > 3 else ''}"
        for reason, where in found.items()
    ]


def total(rows: list[Row]) -> str:
    """One line."""
    cells = [cell.state for row in rows for cell in row.cells.values()]
    counts = ", ".join(f"{cells.count(state)} {state.value}" for state in State)
    return f"{len(rows)} rows, {len(cells)} cells: {counts}"


def markdown(rows: list[Row]) -> str:
    """The same as a document: a table for each engine line."""
    lines = ["# Matrix", "", total(rows), ""]
    names = columns(rows)
    for engine in dict.fromkeys(row.engine for row in rows):
        own = [row for row in rows if row.engine == engine]
        here = [name for name in names if any(name in row.cells for row in own)]
        lines += [
            f"## {engine}",
            "",
            f"| launch | scenario | {' | '.join(str(index + 1) for index in range(len(here)))} |",
        ]
        lines.append("|---|---|" + "---|" * len(here))
        for row in own:
            lines.append(f"| {row.launch} | {row.scenario} | {' | '.join(mark(row, name) for name in here)} |")
        lines += ["", ", ".join(f"{index} `{name}`" for index, name in enumerate(here, 1)), ""]
    rules = dict.fromkeys(
        f"- {column}: {reason}"
        for row in rows
        for column, cell in row.cells.items()
        if cell.state is State.NOT_APPLICABLE
        for reason in cell.reasons
    )
    return "\n".join([*lines, "## What does not apply", "", *rules, "", "## What is wrong", "", *reasons(rows), ""])


def write(rows: list[Row], directory: Path) -> None:
    """matrix.md and matrix.json."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "matrix.md").write_text(markdown(rows))
    found = [dataclasses.asdict(row) for row in rows]
    (directory / "matrix.json").write_text(
        json.dumps(found, indent=1, default=lambda state: state.value, ensure_ascii=False)
    )

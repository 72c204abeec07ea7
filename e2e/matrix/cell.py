"""One cell of the matrix."""

import enum
from dataclasses import dataclass
from typing import Self


class State(enum.Enum):
    """What is known about a cell."""

    RIGHT = "✓"
    WRONG = "✗"
    NOT_APPLICABLE = "–"  # noqa: RUF001 (set apart from a minus on purpose)


@dataclass(frozen=True)
class Cell:
    """A span or a metric of one scenario: right, wrong with what is wrong, or not applicable with the rule."""

    state: State
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, faults: list[str]) -> Self:
        """Right if nothing is wrong."""
        return cls(State.WRONG if faults else State.RIGHT, tuple(dict.fromkeys(faults)))

    @classmethod
    def absent(cls, why: str, found: int) -> Self:
        """What cannot be there; something that is there all the same is wrong."""
        if found:
            return cls(State.WRONG, (f"{found} found, though not applicable: {why}",))
        return cls(State.NOT_APPLICABLE, (why,))


@dataclass(frozen=True)
class Row:
    """One scenario of one launch, with its cells by column."""

    engine: str
    launch: str
    scenario: str
    cells: dict[str, Cell]

    @property
    def is_right(self) -> bool:
        """Whether nothing in it is wrong."""
        return all(cell.state is not State.WRONG for cell in self.cells.values())

"""python -m matrix --agent DIR [--engine NAME]… [--launch NAME]… [--scenario NAME]… [--ci]

Starts engines one after another; exit code 1 if any cell is wrong.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

from engine.recipe import RECIPES
from matrix import table
from matrix.cell import Row, State
from matrix.launch import LAUNCHES, starts
from matrix.run import Bench, rows
from matrix.scenario import SCENARIOS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", type=Path, required=True, help="directory of the agent's programs")
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--engine", action="append", default=[], choices=RECIPES)
    parser.add_argument("--launch", action="append", default=[], choices=[launch.name for launch in LAUNCHES])
    parser.add_argument("--scenario", action="append", default=[], choices=SCENARIOS)
    parser.add_argument("--ci", action="store_true", help="one engine of each line, the default launch, core scenarios")
    args = parser.parse_args()
    # So that an engine never outlives a matrix that was told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = args.artifacts / "matrix"
    logs.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found: list[Row] = []
    for start in starts(args.engine, args.launch, args.scenario, args.ci):
        started = time.monotonic()
        for row in rows(start, Bench(args.agent, logs)):
            found.append(row)
            wrong = [column for column, cell in row.cells.items() if cell.state is State.WRONG]
            sign = State.WRONG if wrong else State.RIGHT
            print(f"{sign.value} {row.engine} · {row.launch} · {row.scenario} {' '.join(wrong[:6])}", flush=True)
        print(f"  {start.recipe.name} · {start.launch.name}: {time.monotonic() - started:.0f} s", flush=True)
        table.write(found, args.artifacts)
    print(table.terminal(found))
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(0 if found and all(row.is_right for row in found) else 1)


if __name__ == "__main__":
    main()

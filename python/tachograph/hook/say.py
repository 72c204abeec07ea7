"""The one line that an operator must see."""

import os
import sys


def say(line: str) -> None:
    """Write one line to stderr, where the engine's own log goes. Never raises: stderr may be closed."""
    try:
        sys.stderr.write(f"tachograph[{os.getpid()}]: {line}\n")
        sys.stderr.flush()
    except Exception:
        return

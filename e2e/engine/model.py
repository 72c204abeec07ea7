"""Tiny models, each made once by the libraries of its engine: an old one cannot read what a new one writes."""

import os
import subprocess
import sys
from pathlib import Path

from engine.recipe import HERE, Line, Recipe, cache, python

SCRIPT = HERE.parent / "tiny_model.py"


def directory(recipe: Recipe, kind: str) -> Path:
    """Where the model of that kind is, made or not."""
    return cache() / "models" / (recipe.base or recipe.name) / kind


def chat_kind(line: Line) -> str:
    """The kind of model that serves chats and completions."""
    return "qwen3" if line is Line.SGLANG else "chat"


def make(recipe: Recipe, kind: str) -> Path:
    """The model of that kind."""
    return make_with(python(recipe), directory(recipe, kind), kind)


def make_with(interpreter: Path, place: Path, kind: str) -> Path:
    """A model of that kind in `place`, by an interpreter that has the libraries."""
    stamp = place / "made-by.py"
    source = SCRIPT.read_bytes()
    if not stamp.is_file() or stamp.read_bytes() != source:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        command: list[str | Path] = [interpreter, SCRIPT, place, "--kind", kind]
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
        stamp.write_bytes(source)
    return place

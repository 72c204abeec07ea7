"""Finds classes and their methods in an engine's files without importing them: that would import torch."""

from __future__ import annotations

import ast
import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BASES_MAX = 64
"""Classes looked at for one method: far more than any engine inherits from; a circle ends here."""

SOURCE_MAX_BYTES = 8 * 1024 * 1024
"""Longest file that is parsed: twenty times an engine's longest."""


class Place(NamedTuple):
    """A class in a module."""

    module: str
    name: str


class Source:
    """Modules of packages that lie on a search path."""

    def __init__(self, path: Sequence[str]) -> None:
        self._path = tuple(path)

    def file(self, module: str) -> str:
        """The file of a module, which may be compiled; empty where there is none."""
        *parents, leaf = module.split(".")
        for place in self._path:
            folder = os.path.join(place, *parents)
            package = os.path.join(folder, leaf, "__init__.py")
            if os.path.isfile(package):
                return package
            plain = os.path.join(folder, f"{leaf}.py")
            if os.path.isfile(plain):
                return plain
            compiled = sorted(_entries(folder, f"{leaf}."))
            if compiled:
                return os.path.join(folder, compiled[0])
        return ""

    def defines(self, module: str, name: str) -> bool:
        """Whether a class is written in this module and not only another name in it."""
        return isinstance(self._names(module).get(name), ast.ClassDef)

    def has_method(self, module: str, owner: str, method: str) -> bool | None:
        """Whether a class has a method, its own or inherited; None where its file cannot be read as Python."""
        path = self.file(module)
        if not path:
            return False
        if not path.endswith(".py") or _parse(path) is None:
            return None
        todo = [Place(module, owner)]
        for place in todo:
            definition = self._class(place)
            if definition is None:
                continue
            if any(_binds(statement, method) for statement in definition[1].body):
                return True
            if len(todo) < BASES_MAX:
                todo += [base for base in self._bases(*definition) if base not in todo]
        return False

    def _class(self, place: Place) -> tuple[str, ast.ClassDef] | None:
        """Follow a name through imports and assignments to the class that it stands for."""
        for _ in range(BASES_MAX):
            found = self._names(place.module).get(place.name)
            if isinstance(found, ast.ClassDef):
                return place.module, found
            if not isinstance(found, Place):
                return None
            place = found
        return None

    def _bases(self, module: str, definition: ast.ClassDef) -> Iterator[Place]:
        for base in definition.bases:
            # Generic[T] and the like: the class is what is subscripted.
            expression = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(expression, ast.Name):
                yield Place(module, expression.id)
            elif isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
                prefix = self._names(module).get(expression.value.id)
                if isinstance(prefix, Place):
                    yield Place(f"{prefix.module}.{prefix.name}" if prefix.name else prefix.module, expression.attr)

    def _names(self, module: str) -> dict[str, ast.ClassDef | Place]:
        """What the names of a module stand for, as far as that is a class or comes from elsewhere."""
        path = self.file(module)
        tree = _parse(path) if path.endswith(".py") else None
        if tree is None:
            return {}
        package = module if os.path.basename(path) == "__init__.py" else module.rpartition(".")[0]
        names: dict[str, ast.ClassDef | Place] = {}
        for statement in _top_level(tree.body):
            if isinstance(statement, ast.ImportFrom):
                origin = _origin(statement, package)
                names.update({alias.asname or alias.name: Place(origin, alias.name) for alias in statement.names})
            elif isinstance(statement, ast.Import):
                names.update({alias.asname or alias.name: Place(alias.name, "") for alias in statement.names})
            elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
                aliased = Place(module, statement.value.id)
                names.update({target.id: aliased for target in statement.targets if isinstance(target, ast.Name)})
        # A class that a condition replaces at the end is what the module is for: vLLM 0.8 does so for V1.
        names.update({one.name: one for one in _top_level(tree.body) if isinstance(one, ast.ClassDef)})
        return names


def _entries(folder: str, prefix: str) -> list[str]:
    try:
        return [entry for entry in os.listdir(folder) if entry.startswith(prefix) and entry.endswith((".so", ".pyc"))]
    except OSError:
        return []


@lru_cache(maxsize=256)
def _parse(path: str) -> ast.Module | None:
    try:
        with open(path, "rb") as file:
            text = file.read(SOURCE_MAX_BYTES + 1)
        return ast.parse(text) if len(text) <= SOURCE_MAX_BYTES else None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under a condition too."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _top_level(statement.body)
            yield from _top_level(statement.orelse)
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                yield from _top_level(handler.body)


def _origin(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parts = package.split(".")
    parents = parts[: len(parts) - statement.level + 1]
    return ".".join([*parents, statement.module] if statement.module else parents)


def _binds(statement: ast.stmt, method: str) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement.name == method
    if isinstance(statement, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == method for target in statement.targets)
    if isinstance(statement, ast.If):
        return any(_binds(inner, method) for inner in (*statement.body, *statement.orelse))
    return False

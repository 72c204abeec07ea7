"""One function of the engine that we wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tachograph.hook.guard import Hook, guard, guard_result

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tachograph.hook.ring import Ring


class Point(NamedTuple):
    """Where a hook goes and what it calls; see `guard` and `guard_result` for the three callables."""

    module: str
    owner: str
    attribute: str
    lost: str
    """What nobody knows without this hook: the end of a sentence "not observed: …"."""
    before: Callable[..., Any] | None = None
    after: Callable[..., Any] | None = None
    around: Callable[[Hook, Any], Any] | None = None
    role: str = ""
    """Shared by alternatives: functions of which each version has one or some. Empty where there is no other."""

    @property
    def name(self) -> str:
        """The dotted name in probe and fault records."""
        return f"{self.module}.{self.owner}.{self.attribute}"

    def attach(self, module: ModuleType, ring: Ring) -> bool:
        """Wrap the function where it is; whether it is wrapped now.

        Notes its state too, but for an alternative that is not there: what that means depends on the others.
        """
        owner = getattr(module, self.owner, None)
        original = getattr(owner, self.attribute, None)
        if not isinstance(owner, type) or not callable(original) or not _is_method(owner, self.attribute):
            if not self.role:
                ring.point(self.name, "missing", self.lost)
            return False
        if hasattr(original, MARK):
            return True
        hook = Hook(self.name, self.lost, ring)
        if self.around is not None:
            wrapper = guard_result(hook, original, self.around)
        else:
            wrapper = guard(hook, original, self.before, self.after)
        setattr(wrapper, MARK, True)
        inherited = self.attribute not in vars(owner)
        try:
            setattr(owner, self.attribute, wrapper)
        except (AttributeError, TypeError) as error:  # a class that was compiled
            ring.point(self.name, "missing", f"it cannot be wrapped: {error}; {self.lost}")
            return False

        def restore() -> None:
            # Whoever wrapped it after us holds our wrapper, which lets every call through by now.
            if vars(owner).get(self.attribute) is not wrapper:
                return
            if inherited:
                delattr(owner, self.attribute)
            else:
                setattr(owner, self.attribute, original)

        hook.on_removal(restore)
        ring.point(self.name, "live", "")
        return True


MARK = "__tachograph__"
"""Attribute of our wrappers: a module that is imported twice must not be wrapped twice."""


def _is_method(owner: type, attribute: str) -> bool:
    for base in owner.__mro__:
        if attribute in vars(base):
            return not isinstance(vars(base)[attribute], (staticmethod, classmethod, property))
    return False

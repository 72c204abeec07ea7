"""Keeps our faults away from the engine, and takes out a hook that goes on failing."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from tachograph.hook.say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tachograph.hook.ring import Ring

FAULTS_MAX = 10
"""Faults after which a hook is taken out: enough to survive a rare bad value, few enough not to fill a log."""

FAULT_INJECTION = "TACHOGRAPH_TEST_FAULT"
"""Environment variable for tests: a hook's dotted name, or `all`. That hook's own code then always raises."""


class Hook:
    """One wrapped function of the engine: its name, what is lost without it, and how often our part failed."""

    __slots__ = ("_faults", "_restore", "_ring", "live", "lost", "name", "suppressed")

    def __init__(self, name: str, lost: str, ring: Ring) -> None:
        self.name = name
        self.lost = lost
        self.live = True
        self.suppressed = ring.probe.suppressed
        self._ring = ring
        self._faults = 0
        self._restore: Callable[[], None] | None = None

    def on_removal(self, restore: Callable[[], None]) -> None:
        """Say how to undo the wrapping."""
        self._restore = restore

    def fault(self, error: BaseException) -> None:
        """Take note of what our own code raised. Raises it again where it was meant for the engine.

        A signal handler of the engine can raise KeyboardInterrupt or SystemExit while our code runs. PyO3's
        PanicException is a BaseException too, but it is ours.
        """
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise error
        self._faults += 1
        try:
            self._ring.fault(self.name, _line(error))
            if self._faults == FAULTS_MAX:
                self._remove(error)
        except Exception:
            self.live = False

    def _remove(self, error: BaseException) -> None:
        self.live = False
        say(f"{self.name} failed {FAULTS_MAX} times and is no longer observed ({_line(error)}): {self.lost}")
        if self._restore is not None:
            self._restore()
        self._ring.point(self.name, "removed", self.lost)


def guard(
    hook: Hook,
    original: Callable[..., Any],
    before: Callable[..., Any] | None,
    after: Callable[..., Any] | None,
) -> Callable[..., Any]:
    """Wrap `original`: call `before(*args)`, the original once, then `after(note, result, *args)`.

    While recording is switched off the original alone is called, but for constructors: what their hooks keep is needed
    as soon as it is on again.

    `note` is what `before` returned. The caller sees the original's result and exceptions, and nothing of ours.
    """
    if injected(hook.name):
        before = after = _raise_injected

    constructs = hook.name.endswith(".__init__")
    suppressed = hook.suppressed

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not hook.live or (suppressed() and not constructs):
            return original(*args, **kwargs)
        note = None
        failed = False
        if before is not None:
            try:
                note = before(*args, **kwargs)
            except BaseException as error:
                hook.fault(error)
                failed = True
        result = original(*args, **kwargs)
        if after is not None and not failed:
            try:
                after(note, result, *args, **kwargs)
            except BaseException as error:
                hook.fault(error)
        return result

    return wrapper


def guard_result(hook: Hook, original: Callable[..., Any], around: Callable[[Hook, Any], Any]) -> Callable[..., Any]:
    """Wrap `original` so that its caller gets `around(hook, result)`, or the result itself where that fails."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if hook.live:
            try:
                return around(hook, result)
            except BaseException as error:
                hook.fault(error)
        return result

    return wrapper


def injected(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a test wants this hook to fail. Asked once, when the hook is made."""
    return environ.get(FAULT_INJECTION, "") in (name, "all")


def _raise_injected(*_args: Any, **_kwargs: Any) -> None:
    raise RuntimeError(f"fault injected by {FAULT_INJECTION}")


def _line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "no text"
    return f"{type(error).__name__}: {text}"[:LINE_MAX]


LINE_MAX = 500
"""Longest text of a fault, in characters: an exception may quote a whole request."""

"""What the environment says. The recorder and the supervisor read their own settings themselves."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RING_BYTES = 8 * 1024 * 1024
"""Capacity of a ring: minutes of steps at ordinary load, and small beside an engine's memory."""

RING_BYTES_MIN = 4 * 1024
RING_BYTES_MAX = 1024 * 1024 * 1024
"""Bounds of the capacity, itself a power of two, as the ring has them (crates/ring/src/lib.rs)."""

BODY_LIMIT_BYTES = 262_144
"""What is kept of a request's body, and of its response's: a base64 image must not fill the ring."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_CONTENT_ON = _TRUE | {"span_only", "span_and_event", "event_only"}
_CONTENT_OFF = _FALSE | {"no_content"}


def enabled(environ: Mapping[str, str]) -> bool:
    """Whether this process may be observed at all."""
    if not environ.get("TACHOGRAPH_RUNTIME_DIR"):
        return False
    if environ.get("TACHOGRAPH_ENABLED", "").strip().lower() in _FALSE:
        return False
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


class Setting:
    """The settings of one process. A value that cannot be used is replaced by its default and named in `complaints`."""

    __slots__ = ("complaints", "content", "ring_bytes", "runtime_dir")

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.complaints: list[str] = []
        self.runtime_dir = environ.get("TACHOGRAPH_RUNTIME_DIR", "")
        self.content = self._content(environ)
        self.ring_bytes = self._ring_bytes(environ)

    def _content(self, environ: Mapping[str, str]) -> bool:
        name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
        value = environ.get(name, "").strip()
        if not value or value.lower() in _CONTENT_ON:
            return True
        if value.lower() not in _CONTENT_OFF:
            # Whoever set it wanted something other than the default, and a leak cannot be taken back.
            self.complaints.append(f"content is not captured, use true or false for {name}: {value}")
        return False

    def _ring_bytes(self, environ: Mapping[str, str]) -> int:
        value = environ.get("TACHOGRAPH_RING_BYTES", "").strip()
        if not value:
            return RING_BYTES
        size = int(value) if value.isascii() and value.isdigit() else 0
        if RING_BYTES_MIN <= size <= RING_BYTES_MAX and size & (size - 1) == 0:
            return size
        self.complaints.append(
            f"the ring has {RING_BYTES} bytes, use a power of two from {RING_BYTES_MIN} to {RING_BYTES_MAX}"
            f" for TACHOGRAPH_RING_BYTES: {value}"
        )
        return RING_BYTES

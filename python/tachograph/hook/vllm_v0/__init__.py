"""Hooks for the V0 engine of vLLM: names as in 0.8.5; it is gone since 0.11."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachograph.hook.vllm_v0.core import core_points
from tachograph.hook.vllm_v0.front import Front, front_points

if TYPE_CHECKING:
    from tachograph.hook.point import Point
    from tachograph.hook.ring import Ring


def points(ring: Ring) -> tuple[Point, ...]:
    """Every function that is wrapped, in the API server and in the engine's process."""
    front = Front(ring)
    return (*front_points(front), *core_points(ring, front))

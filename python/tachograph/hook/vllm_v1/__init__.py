"""Hooks for the V1 engine of vLLM: names as in 0.32, most of them unchanged since 0.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachograph.hook.vllm_v1.core import core_points
from tachograph.hook.vllm_v1.front import front_points

if TYPE_CHECKING:
    from tachograph.hook.point import Point
    from tachograph.hook.ring import Ring


def points(ring: Ring) -> tuple[Point, ...]:
    """Every function that is wrapped, in the API server and in EngineCore."""
    return (*front_points(ring), *core_points(ring))

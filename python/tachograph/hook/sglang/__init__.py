"""Hooks for SGLang, chosen by what a version has: names as in 0.5.23, with those of 0.4.6 to 0.5.10 beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tachograph.hook.sglang.front import front_points
from tachograph.hook.sglang.scheduler import scheduler_points

if TYPE_CHECKING:
    from tachograph.hook.point import Point
    from tachograph.hook.ring import Ring


def points(ring: Ring) -> tuple[Point, ...]:
    """Every function that is wrapped, in the tokenizer manager and in the scheduler."""
    return (*front_points(ring), *scheduler_points(ring))

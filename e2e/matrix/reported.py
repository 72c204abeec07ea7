"""What the agent reported: its metrics at a moment, and what a scenario added to them."""

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from sink import attributes


@dataclass(frozen=True)
class Reported:
    """The newest report of every metric."""

    metrics: dict[str, Metric] = field(default_factory=dict)

    def total(self, name: str, **labels: str) -> float | None:
        """Sum over the points of that name that carry `labels`; None where it was not reported."""
        if name not in self.metrics:
            return None
        have = self.metrics[name]
        if have.HasField("histogram"):
            return sum(point.sum for point in have.histogram.data_points if carries(point, labels))
        return sum(value(point) for point in points(have) if carries(point, labels))

    def count(self, name: str, **labels: str) -> float | None:
        """Observations of a histogram."""
        if name not in self.metrics:
            return None
        return sum(point.count for point in self.metrics[name].histogram.data_points if carries(point, labels))


def points(metric: Metric) -> list[Any]:
    """The data points of a metric, whatever its type."""
    kind = metric.WhichOneof("data")
    return list(getattr(metric, kind).data_points) if kind else []


def value(point: Any) -> float:
    """The number of a point."""
    return float(point.as_double if point.HasField("as_double") else point.as_int)


def carries(point: Any, labels: dict[str, str]) -> bool:
    """Whether a point has these attributes."""
    return labels.items() <= attributes(point.attributes).items()

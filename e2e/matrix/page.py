"""An engine's own `/metrics`, read as numbers."""

import urllib.error
import urllib.request
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Page:
    """The samples of a page: for each name, labels and value."""

    samples: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)

    def total(self, name: str, **labels: str) -> float | None:
        """Sum of the samples of that name that carry `labels`, None where the engine does not have the metric."""
        if name not in self.samples:
            return None
        return sum(value for have, value in self.samples[name] if labels.items() <= have.items())


def read(port: int) -> Page:
    """The page of the engine that serves on `port`; empty where it has none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
            return parse(response.read().decode())
    except urllib.error.HTTPError:
        return Page()


def parse(text: str) -> Page:
    """A page in Prometheus' text format."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    return Page(samples)

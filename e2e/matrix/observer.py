"""The sink of a launch, read as what was reported since when."""

import time

from client import Sent
from matrix.reported import Reported
from process import free_port
from sink import Sink

EXPORT_MS = 500
"""Between two reports of the metrics."""
REPORTS_TO_SETTLE = 3
"""Reports after the last span: one may have been on its way, and one more must say the same."""
SETTLE_S = 15.0
"""How long the spans of a scenario may be on their way."""
QUIET_S = 4.0
"""Without a span, an engine that has just started has finished with itself."""
REST_S = 1.0
"""An engine goes on for a moment with what a client does not wait for any more."""


class Observer:
    """A sink of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.sink = Sink(self.port)

    @property
    def exports(self) -> int:
        """Exports of metrics so far."""
        with self.sink.lock:
            return len(self.sink.metrics)

    def reported(self, start: int, end: int) -> Reported:
        """The newest report of each metric among some exports."""
        with self.sink.lock:
            requests = self.sink.metrics[start:end]
        found = {}
        for request in requests:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    found.update({metric.name: metric for metric in scope.metrics})
        return Reported(found)

    def rest(self) -> None:
        """Wait until an engine that answers has done with what it asks itself: SGLang's workers each do so."""
        until = time.monotonic() + SETTLE_S
        seen, since = -1, time.monotonic()
        while time.monotonic() < until and time.monotonic() - since < QUIET_S:
            if (now := sum(1 for _ in self.sink.spans())) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.2)
        self.settle([])

    def settle(self, sent: list[Sent]) -> None:
        """Wait until the spans of `sent` are there, and metrics that know of them."""
        until = time.monotonic() + SETTLE_S
        wanted = {one.trace_id for one in sent}
        while time.monotonic() < until and not wanted <= {span.trace_id.hex() for _, _, span in self.sink.spans()}:
            time.sleep(0.1)
        time.sleep(REST_S)
        target = self.exports + REPORTS_TO_SETTLE
        while time.monotonic() < until and self.exports < target:
            time.sleep(0.05)

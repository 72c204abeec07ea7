"""All that is known about one scenario of one launch: what was sent, what was told, what was reported."""

from dataclasses import dataclass, field

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from client import Sent
from engine.recipe import Recipe
from matrix.launch import Launch
from matrix.page import Page
from matrix.reported import Reported
from matrix.scenario import Scenario
from matrix.told import Told
from sink import attributes


@dataclass(frozen=True)
class Exchange:
    """A request, its answer, and the spans of its trace."""

    sent: Sent
    told: Told
    spans: list[Span]

    def named(self, name: str) -> list[Span]:
        """Its spans of that name."""
        return [span for span in self.spans if span.name == name]

    @property
    def https(self) -> list[Span]:
        """Spans of the HTTP server."""
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    @property
    def operations(self) -> list[Span]:
        """`chat {model}` and its like: known by what they say they are."""
        return [span for span in self.spans if "gen_ai.operation.name" in attributes(span.attributes)]

    @property
    def requests(self) -> list[Span]:
        """`llm_request` spans."""
        return self.named("llm_request")

    @property
    def is_whole(self) -> bool:
        """Whether it was answered to its end."""
        return self.sent.status == 200 and not self.sent.aborted

    def under(self, parent: Span, name: str) -> list[Span]:
        """The spans of that name under `parent`."""
        return [span for span in self.named(name) if span.parent_span_id == parent.span_id]


@dataclass(frozen=True)
class Case:
    """One row before it is judged."""

    recipe: Recipe
    launch: Launch
    scenario: Scenario
    exchanges: list[Exchange]
    before: Reported = field(default_factory=Reported)
    after: Reported = field(default_factory=Reported)
    during: list[Reported] = field(default_factory=list)
    page_before: Page = field(default_factory=Page)
    page_after: Page = field(default_factory=Page)

    @property
    def sequences(self) -> int:
        """Sequences that the engine had to make."""
        return sum(exchange.told.sequences for exchange in self.exchanges)

    @property
    def llm_requests(self) -> list[Span]:
        """Every `llm_request` span."""
        return [span for exchange in self.exchanges for span in exchange.requests]

    @property
    def client_s(self) -> float:
        """The most that all sequences together can have taken: the clients' own times, and what an engine worked on for
        those that were gone."""
        waited = sum(exchange.sent.seconds * exchange.told.sequences for exchange in self.exchanges)
        return waited + sum(self.worked_on_s(exchange) for exchange in self.exchanges)

    def worked_on_s(self, exchange: Exchange) -> float:
        """Seconds that the engine may work on after the client left."""
        return self.recipe.abort_s if exchange.sent.aborted else 0.0

    @property
    def aborted(self) -> int:
        """Requests whose client went away."""
        return sum(exchange.sent.aborted for exchange in self.exchanges)

"""The ASGI edge: the outermost layer of the engine's HTTP server, the same for every engine on FastAPI.

Bodies go to the ring as they are. Nothing is parsed here, nothing is changed but one response header.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from tachograph.hook import engine
from tachograph.hook.guard import injected
from tachograph.hook.point import Point

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from tachograph._probe import HttpRequest
    from tachograph.hook.guard import Hook
    from tachograph.hook.ring import Ring

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

HTTP_ID: ContextVar[int] = ContextVar("tachograph_http_id", default=0)
"""The request that the running task serves; 0 outside any."""

GENERATION_ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v2/embed",
    "/v1/rerank",
    "/v2/rerank",
    "/rerank",
    "/v1/score",
    "/score",
    "/pooling",
    "/classify",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/encode",
    "/generate",
)
"""Ends of the paths that are observed: an engine may be served under a prefix."""

_MARK = "tachograph.http_id"


def edge(ring: Ring) -> Point:
    """Where the edge goes: around whatever application FastAPI builds in an engine's process."""

    def around(hook: Hook, app: App) -> App:
        if not engine.detect().name:
            return app
        ring.open("api_server")
        return Edge(hook, ring, app)

    return Point(
        "fastapi.applications",
        "FastAPI",
        "build_middleware_stack",
        "HTTP requests, their bodies, responses, trace context and disconnects",
        around=around,
    )


class Edge:
    """The engine's ASGI application with us in front of it."""

    def __init__(self, hook: Hook, ring: Ring, app: App) -> None:
        self._hook = hook
        self._ring = ring
        self._app = app
        self._fail = injected(hook.name)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection. What is not observed meets no code of ours after this call."""
        request: HttpRequest | None = None
        if self._hook.live:
            try:
                request = self._start(scope)
            except BaseException as error:
                self._hook.fault(error)
        if request is None:
            return self._app(scope, receive, send)
        return self._observe(request, scope, receive, send)

    def _start(self, scope: Scope) -> HttpRequest | None:
        # An application mounted in another one has its own edge; the outer one has seen the request.
        if scope["type"] != "http" or _MARK in scope or not scope["path"].endswith(GENERATION_ROUTES):
            return None
        # SGLang's native routes take PUT, too.
        if scope["method"] not in ("POST", "PUT"):
            return None
        if self._fail:
            raise RuntimeError("fault injected")
        self._ring.open("api_server")
        request: HttpRequest | None = self._ring.probe.http_start(scope)
        if request is not None:
            scope[_MARK] = request.id
        return request

    async def _observe(self, request: HttpRequest, scope: Scope, receive: Receive, send: Send) -> None:
        error = ""
        token = HTTP_ID.set(scope[_MARK])
        try:
            await self._app(scope, self._receive(request, receive), self._send(request, send))
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            try:
                request.end(error)
                HTTP_ID.reset(token)
            except BaseException as fault:
                self._hook.fault(fault)

    def _receive(self, request: HttpRequest, receive: Receive) -> Receive:
        async def observed() -> Any:
            message = await receive()
            try:
                request.receive(message)
            except BaseException as error:
                self._hook.fault(error)
            return message

        return observed

    def _send(self, request: HttpRequest, send: Send) -> Send:
        try:
            return request.wrap_send(send)
        except BaseException as error:
            self._hook.fault(error)
            return send

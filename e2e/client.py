"""A client as users' clients are: one HTTP/1.1 request to an OpenAI-compatible server, its answer and its times."""

import http.client
import json
import random
import secrets
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

WORDS = [
    "kato",
    "miren",
    "solver",
    "ingal",
    "estpro",
    "conder",
    "lyment",
    "tion",
    "render",
    "solka",
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
]
TIMEOUT_S = 120

# Sixteen threads that parse streams keep each other from the interpreter for 5 ms a turn: clients would read late,
# go away late, and a test would kill late.
sys.setswitchinterval(0.0002)


@dataclass
class Sent:
    """One request that was sent, and what came back."""

    kind: str
    trace_id: str
    path: str
    body: dict[str, Any]
    status: int = 0
    response_id: str = ""
    texts: list[str] = field(default_factory=list)
    reasoning: str = ""
    """Reasoning of all choices, under whichever name the engine sends it."""
    finish_reasons: list[str] = field(default_factory=list)
    usage: dict[str, Any] | None = None
    chunks: int = 0
    aborted: bool = False
    error: str = ""
    seconds: float = 0.0
    first_chunk_s: float | None = None
    """When the first chunk of a stream was there, since the request was sent."""
    started_unix_ns: int = 0
    span_id: str = ""
    """Of the caller's span, the parent of the engine's."""
    raw: str = ""

    @property
    def choices(self) -> int:
        """Sequences that the engine had to make."""
        return int(self.body.get("n", 1))


def prompt(rng: random.Random, words: int) -> str:
    """A prompt of made-up words."""
    return " ".join(rng.choices(WORDS, k=words))


def send(host: str, port: int, kind: str, path: str, body: dict[str, Any], abort_after: int | None = None) -> Sent:
    """Send one request and read its answer; with `abort_after`, go away after that many chunks."""
    sent = Sent(kind, secrets.token_hex(16), path, body, span_id=secrets.token_hex(8))
    headers = {
        "Content-Type": "application/json",
        "traceparent": f"00-{sent.trace_id}-{sent.span_id}-01",
    }
    sent.started_unix_ns = time.time_ns()
    started = time.perf_counter()
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        sent.status = response.status
        if body.get("stream") and response.status == 200:
            _read_stream(response, sent, started, abort_after)
            if sent.aborted and connection.sock:
                connection.sock.shutdown(socket.SHUT_RDWR)
        else:
            sent.raw = response.read().decode()
            _read_answer(sent)
    except (OSError, http.client.HTTPException) as error:
        sent.error = repr(error)
    finally:
        connection.close()
        sent.seconds = time.perf_counter() - started
    return sent


def _read_answer(sent: Sent) -> None:
    if sent.status != 200:
        return
    answer = json.loads(sent.raw)
    if "choices" not in answer:
        return  # Neither a chat nor a completion: who sent it knows how to read it.
    sent.response_id = answer["id"]
    sent.usage = answer["usage"]
    for choice in answer["choices"]:
        message = choice.get("message")
        sent.texts.append(message["content"] or "" if message else choice["text"])
        sent.reasoning += _reasoning(message or {})
        sent.finish_reasons.append(choice["finish_reason"])


def _reasoning(message: dict[str, Any]) -> str:
    return message.get("reasoning_content") or message.get("reasoning") or ""


def _read_stream(response: http.client.HTTPResponse, sent: Sent, started: float, abort_after: int | None) -> None:
    texts: dict[int, str] = {}
    reasons: dict[int, str] = {}
    lines: list[str] = []
    while line := response.readline():
        text = line.decode().strip()
        if not text.startswith("data: "):
            continue
        if sent.first_chunk_s is None:
            sent.first_chunk_s = time.perf_counter() - started
        lines.append(text)
        if text == "data: [DONE]":
            break
        event = json.loads(text[6:])
        # SGLang gives each of several choices an id of its own; the first one stands for the answer.
        sent.response_id = sent.response_id or event.get("id", "")
        sent.usage = event.get("usage") or sent.usage
        for choice in event.get("choices", []):
            index = choice["index"]
            piece = choice["delta"].get("content") if "delta" in choice else choice["text"]
            texts[index] = texts.get(index, "") + (piece or "")
            sent.reasoning += _reasoning(choice.get("delta", {}))
            if choice.get("finish_reason"):
                reasons[index] = choice["finish_reason"]
        sent.chunks += 1
        if abort_after is not None and sent.chunks >= abort_after:
            sent.aborted = True
            return
    sent.raw = "\n".join(lines)
    sent.texts = [texts[index] for index in sorted(texts)]
    sent.finish_reasons = [reasons[index] for index in sorted(reasons)]

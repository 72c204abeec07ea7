//! One request with everything that was joined to it. Times are monotonic nanoseconds.

use tachograph_ring::record::{FinishReason, HttpOutcome, HttpStart, SequenceKind};

use crate::body::answer::Answer;
use crate::body::asked::Asked;
use crate::clock::Clock;
use crate::sequence::{End, Sequence};

/// Where a request stands in the caller's trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Trace id.
    pub trace_id: [u8; 16],
    /// Span id of the http span, or what stands for it.
    pub span_id: [u8; 8],
    /// The caller's span.
    pub parent: Option<[u8; 8]>,
    /// Trace flags.
    pub flags: u8,
    /// The caller's tracestate.
    pub state: String,
}

impl From<&HttpStart<'_>> for Trace {
    fn from(start: &HttpStart<'_>) -> Self {
        Self {
            trace_id: start.trace_id,
            span_id: start.span_id,
            parent: (start.parent_span_id != [0; 8]).then_some(start.parent_span_id),
            flags: start.trace_flags,
            state: start.tracestate.to_owned(),
        }
    }
}

/// The request at the ASGI edge, as far as it was seen.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// How it came; none where it came another way, or where its start was lost.
    pub start: Option<EdgeStart>,
    /// Status, once the response began.
    pub status: Option<u16>,
    /// Length of the request's body, once it was read.
    pub request_bytes: Option<u64>,
    /// Bytes of it that were captured.
    pub request_kept: u64,
    /// Length of the response's body so far.
    pub response_bytes: u64,
    /// Bytes of it that were captured.
    pub response_kept: u64,
    /// First chunk of the response's body.
    pub first_chunk_ns: Option<u64>,
    /// How it ended.
    pub outcome: Option<HttpOutcome>,
    /// Class of the exception that the application raised.
    pub error: String,
}

impl Edge {
    /// True length of the request's body, where only its beginning was captured.
    #[must_use]
    pub fn request_cut(&self) -> Option<u64> {
        self.request_bytes.filter(|&all| (1..all).contains(&self.request_kept))
    }

    /// True length of the response's body, where only its beginning was captured.
    #[must_use]
    pub fn response_cut(&self) -> Option<u64> {
        Some(self.response_bytes).filter(|&all| (1..all).contains(&self.response_kept))
    }
}

/// How a request came.
#[derive(Clone, Debug, Default)]
pub struct EdgeStart {
    /// Method.
    pub method: String,
    /// Scheme.
    pub scheme: String,
    /// Path.
    pub path: String,
    /// Query.
    pub query: String,
    /// HTTP version.
    pub http_version: String,
    /// Peer.
    pub client: String,
    /// Its port.
    pub client_port: u16,
    /// Host asked.
    pub server: String,
    /// Its port.
    pub server_port: u16,
    /// User-Agent.
    pub user_agent: String,
}

impl From<&HttpStart<'_>> for EdgeStart {
    fn from(start: &HttpStart<'_>) -> Self {
        Self {
            method: start.method.to_owned(),
            scheme: start.scheme.to_owned(),
            path: start.path.to_owned(),
            query: start.query.to_owned(),
            http_version: start.http_version.to_owned(),
            client: start.client.to_owned(),
            client_port: start.client_port,
            server: start.server.to_owned(),
            server_port: start.server_port,
            user_agent: start.user_agent.to_owned(),
        }
    }
}

/// What a request wants of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Chat messages in, a message out.
    Chat,
    /// A prompt in, text out.
    TextCompletion,
    /// Vectors or classes.
    Embeddings,
    /// Scores of pairs.
    Rerank,
}

/// Routes by the end of their path, so that a root path in front makes no difference.
const ROUTES: &[(&str, Operation)] = &[
    ("/chat/completions", Operation::Chat),
    ("/v1/responses", Operation::Chat),
    ("/v1/messages", Operation::Chat),
    ("/completions", Operation::TextCompletion),
    ("/generate", Operation::TextCompletion),
    ("/audio/transcriptions", Operation::TextCompletion),
    ("/audio/translations", Operation::TextCompletion),
    ("/embeddings", Operation::Embeddings),
    ("/embed", Operation::Embeddings),
    ("/encode", Operation::Embeddings),
    ("/pooling", Operation::Embeddings),
    ("/classify", Operation::Embeddings),
    ("/rerank", Operation::Rerank),
    ("/score", Operation::Rerank),
];

impl Operation {
    /// The operation of a route; none for health checks, metrics and the like.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        ROUTES.iter().find(|(end, _)| path.ends_with(end)).map(|&(_, operation)| operation)
    }

    /// `gen_ai.operation.name`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::TextCompletion => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
        }
    }

    /// `gen_ai.span.kind`.
    #[must_use]
    pub fn span_kind(self) -> &'static str {
        match self {
            Self::Chat | Self::TextCompletion => "LLM",
            Self::Embeddings => "EMBEDDING",
            Self::Rerank => "RERANKER",
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// The client went away or asked for the end.
    Aborted,
    /// Refused (4xx).
    Refused,
    /// Failed (5xx, an exception, an engine error).
    Failed,
    /// The engine died while it was open.
    EngineDied,
    /// Still open when its observation ended.
    Unknown,
}

impl Outcome {
    /// `tachograph.outcome`; none where it is not known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Ok => Some("ok"),
            Self::Aborted => Some("aborted"),
            Self::Refused => Some("refused"),
            Self::Failed => Some("failed"),
            Self::EngineDied => Some("engine_died"),
            Self::Unknown => None,
        }
    }
}

/// Why a request was closed before its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// A process of the engine died, or ended, under it.
    EngineDied,
    /// The recorder stopped, or made room, while the engine went on.
    Unobserved,
}

/// A request, joined.
#[derive(Clone, Debug)]
pub struct Request {
    /// Anchor of the process that received it.
    pub clock: Clock,
    /// Its place in a trace.
    pub trace: Trace,
    /// The edge.
    pub edge: Edge,
    /// What its body asked.
    pub asked: Asked,
    /// What was answered.
    pub answer: Answer,
    /// Its sequences, in the order in which they were added.
    pub sequences: Vec<Sequence>,
    /// When it began.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Why it was closed from outside.
    pub closed: Option<Closed>,
    /// Records were lost.
    pub incomplete: bool,
}

impl Request {
    /// What it wants of the model; none where it is no business of a model.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        let routed = self.edge.start.as_ref().and_then(|start| Operation::of_path(&start.path));
        routed.or_else(|| {
            self.sequences.first().map(|s| match s.kind {
                SequenceKind::Generate if self.asked.is_chat => Operation::Chat,
                SequenceKind::Generate => Operation::TextCompletion,
                SequenceKind::Pool => Operation::Embeddings,
            })
        })
    }

    /// How it ended, and the class of the error where it did not end well.
    #[must_use]
    pub fn outcome(&self) -> (Outcome, Option<String>) {
        let ended = |end: End| self.sequences.iter().any(|s| s.end == Some(end));
        if self.closed == Some(Closed::EngineDied) || ended(End::Died) {
            return (Outcome::EngineDied, Some("engine_died".into()));
        }
        if self.closed == Some(Closed::Unobserved) {
            return (Outcome::Unknown, Some("unobserved".into()));
        }
        if self.edge.outcome == Some(HttpOutcome::Disconnected) {
            return (Outcome::Aborted, Some("client_disconnected".into()));
        }
        // A handler of any exception answers, and Starlette raises it again: a refusal all the same (vLLM 0.18).
        let is_refused = matches!(self.edge.status, Some(400..500));
        if self.edge.outcome == Some(HttpOutcome::Raised) && !is_refused {
            let class = if self.edge.error.is_empty() { "exception" } else { &self.edge.error };
            return (Outcome::Failed, Some(class.into()));
        }
        match self.edge.status {
            Some(status @ 500..) => return (Outcome::Failed, Some(status.to_string())),
            Some(status @ 400..) => return (Outcome::Refused, Some(status.to_string())),
            _ => {}
        }
        if ended(End::Reason(FinishReason::Error)) {
            return (Outcome::Failed, Some("engine_error".into()));
        }
        if let Some(class) = &self.answer.error {
            return (Outcome::Failed, Some(class.clone()));
        }
        if ended(End::Reason(FinishReason::Abort)) {
            return (Outcome::Aborted, Some("aborted".into()));
        }
        (Outcome::Ok, None)
    }

    /// Model that was asked for, or else the one that served.
    #[must_use]
    pub fn request_model(&self) -> Option<&str> {
        let served = || self.sequences.first().map(|s| s.model.as_str());
        self.asked.model.as_deref().or_else(served).filter(|m| !m.is_empty())
    }

    /// Model that answered.
    #[must_use]
    pub fn response_model(&self) -> Option<&str> {
        let served = || self.sequences.first().map(|s| s.model.as_str());
        self.answer.model.as_deref().or_else(served).filter(|m| !m.is_empty())
    }

    /// Choices asked for.
    #[must_use]
    pub fn choices(&self) -> i64 {
        self.asked.n.or_else(|| self.sequences.first().map(|s| s.params.n.into())).filter(|&n| n > 0).unwrap_or(1)
    }
}

/// `stop`, `length`, `abort`, `error`, `repetition`.
#[must_use]
pub fn finish_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Abort => "abort",
        FinishReason::Error => "error",
        FinishReason::Repetition => "repetition",
    }
}

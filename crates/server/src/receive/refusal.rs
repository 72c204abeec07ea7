//! Why an export, or a row of one, is not taken, and how a sender is told.

use http::StatusCode;
use prost::Message;
use tachograph_store::{DecodeError, StoreError};
use tonic::Code;

use super::MAX_EXPORT_BYTES;

/// Seconds after which a sender should try again when the server is busy or failing.
pub(super) const RETRY_AFTER_S: u32 = 1;

/// Why something was refused; the name under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// An export that is not OTLP.
    Malformed,
    /// An export that is too large.
    TooLarge,
    /// An export of a content type that OTLP does not have.
    ContentType,
    /// An export in an encoding that is not known.
    ContentEncoding,
    /// An export that came while there was no room.
    Busy,
    /// An export that could not be stored.
    Unavailable,
    /// A span whose trace id or span id is not 16 or 8 bytes with one that is not zero.
    SpanId,
    /// A span that ends before it starts.
    SpanEnd,
}

impl Reason {
    pub(crate) const ALL: [Self; 8] = [
        Self::Malformed,
        Self::TooLarge,
        Self::ContentType,
        Self::ContentEncoding,
        Self::Busy,
        Self::Unavailable,
        Self::SpanId,
        Self::SpanEnd,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::ContentType => "content_type",
            Self::ContentEncoding => "content_encoding",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::SpanId => "span_invalid_id",
            Self::SpanEnd => "span_ends_before_start",
        }
    }
}

/// Why an export is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("malformed export; check the exporter's protocol setting: {0}")]
    Malformed(String),
    #[error("export too large; send smaller batches, the limit in bytes is: {MAX_EXPORT_BYTES}")]
    TooLarge,
    #[error("content type not supported; send application/x-protobuf or application/json: {0}")]
    ContentType(String),
    #[error("content encoding not supported; send gzip, zstd or identity: {0}")]
    Encoding(String),
    #[error("server busy; try again after seconds: {RETRY_AFTER_S}")]
    Busy,
    #[error("cannot store at the moment; try again, and see the server's log: {0}")]
    Unavailable(String),
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy { .. } => Self::Busy,
            StoreError::FrameTooLarge { .. } => Self::TooLarge,
            error => {
                tracing::error!(%error, "cannot store");
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl Refusal {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Malformed(_) => Reason::Malformed,
            Self::TooLarge => Reason::TooLarge,
            Self::ContentType(_) => Reason::ContentType,
            Self::Encoding(_) => Reason::ContentEncoding,
            Self::Busy => Reason::Busy,
            Self::Unavailable(_) => Reason::Unavailable,
        }
    }

    /// HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType(_) | Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// gRPC status code.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Busy | Self::TooLarge => Code::ResourceExhausted,
            Self::Unavailable(_) => Code::Unavailable,
            Self::Malformed(_) | Self::ContentType(_) | Self::Encoding(_) => Code::InvalidArgument,
        }
    }

    /// Whether the same export may be taken later.
    pub(super) fn retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_))
    }

    /// What goes over the wire in both protocols. RESOURCE_EXHAUSTED may be retried only where there is RetryInfo
    /// (<https://opentelemetry.io/docs/specs/otlp/#failures>).
    pub(super) fn rpc_status(&self) -> RpcStatus {
        let details = if self.retryable() { vec![RetryInfo::seconds(RETRY_AFTER_S).to_any()] } else { Vec::new() };
        RpcStatus { code: self.code() as i32, message: self.to_string(), details }
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

impl RetryInfo {
    fn seconds(seconds: u32) -> Self {
        Self { retry_delay: Some(Delay { seconds: seconds.into() }) }
    }

    fn to_any(&self) -> Any {
        Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value: self.encode_to_vec() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use super::*;

    #[test]
    fn a_busy_server_says_when_to_come_back_in_the_bytes_that_grpc_knows() {
        let status = Refusal::Busy.rpc_status();
        assert_eq!(status.code, 8);
        let any = &status.details[0];
        assert_eq!(any.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        // field 1, length 2, field 1 of Duration, 1 second
        assert_eq!(any.value, [0x0a, 0x02, 0x08, 0x01]);
    }

    #[test]
    fn what_would_fail_again_carries_no_invitation_to_retry() {
        for refusal in [Refusal::Malformed("x".into()), Refusal::TooLarge, Refusal::Encoding("br".into())] {
            assert!(refusal.rpc_status().details.is_empty(), "{refusal}");
        }
    }

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let mut names = Reason::ALL.map(Reason::name).to_vec();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}

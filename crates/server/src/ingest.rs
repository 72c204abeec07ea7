//! OTLP to Arrow: one frame in, the rows of its tables out. A pure function of the frame, so that a replay of the
//! log after a crash gives the same rows again.

mod builder;
mod content;
mod log;
mod point;
mod promoted;
#[cfg(test)]
mod property;
mod resource;
mod span;

use std::fmt;

use bytes::Bytes;
use datafusion::arrow::error::ArrowError;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tachograph_store::{Decode, DecodeError, Frame, Signal, Tables};

use crate::receive::Reason;

/// The rows of one frame.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// By table.
    pub(crate) tables: Tables,
    /// Spans, points or log records among them.
    pub(crate) rows: u64,
    /// Those that were left out.
    pub(crate) rejected: Rejected,
}

/// Rows of a frame that were left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejected {
    ids: u64,
    ends: u64,
}

impl Rejected {
    pub(crate) fn total(self) -> u64 {
        self.ids + self.ends
    }

    /// Reasons that occurred, with their number.
    pub(crate) fn counts(self) -> impl Iterator<Item = (Reason, u64)> {
        [(Reason::SpanId, self.ids), (Reason::SpanEnd, self.ends)].into_iter().filter(|(_, n)| *n > 0)
    }

    fn add(&mut self, reason: span::Invalid) {
        match reason {
            span::Invalid::Id => self.ids += 1,
            span::Invalid::End => self.ends += 1,
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = "trace id, span id or parent not 16, 8 or 8 bytes or all zero";
        let mut parts = [(self.ids, ids), (self.ends, "end before start")].into_iter().filter(|(n, _)| *n > 0);
        if let Some((n, why)) = parts.next() {
            write!(f, "{n} refused: {why}")?;
        }
        parts.try_for_each(|(n, why)| write!(f, "; {n} refused: {why}"))
    }
}

/// The rows of a frame.
///
/// # Errors
/// The payload is not the protobuf message of its signal.
pub(crate) fn decode(frame: &Frame) -> Result<Decoded, DecodeError> {
    let decoded = match frame.signal {
        Signal::Traces => span::decode(&parse::<ExportTraceServiceRequest>(&frame.payload)?),
        Signal::Metrics => point::decode(&parse::<ExportMetricsServiceRequest>(&frame.payload)?),
        Signal::Logs => log::decode(&parse::<ExportLogsServiceRequest>(&frame.payload)?, frame.received_ns),
    };
    decoded.map_err(|e: ArrowError| DecodeError(e.to_string()))
}

fn parse<M: Message + Default>(payload: &Bytes) -> Result<M, DecodeError> {
    M::decode(payload.as_ref()).map_err(|e| DecodeError(format!("not OTLP protobuf: {e}")))
}

/// Turns the log's frames back into rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OtlpDecoder;

impl Decode for OtlpDecoder {
    fn decode(&self, frame: &Frame) -> Result<Tables, DecodeError> {
        decode(frame).map(|d| d.tables)
    }
}

/// Nanoseconds as the store has them; OTLP's run until 2554, the store's until 2262.
fn nanos(unix_ns: u64) -> i64 {
    i64::try_from(unix_ns).unwrap_or(i64::MAX)
}

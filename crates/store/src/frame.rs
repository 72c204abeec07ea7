//! What a writer hands in: the raw request and the rows decoded from it.

use bytes::Bytes;
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::StoreError;
use crate::table::Table;

/// OTLP signal of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportMetricsServiceRequest`.
    Metrics,
    /// `ExportLogsServiceRequest`.
    Logs,
}

/// One export as it was received. The write-ahead log keeps it until its rows are in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the payload holds.
    pub signal: Signal,
    /// Time of receipt, Unix nanoseconds.
    pub received_ns: u64,
    /// The protobuf request.
    pub payload: Bytes,
}

/// The rows of one frame, by table. A batch has exactly the table's schema ([`Table::schema`]).
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Rows for [`Table::Spans`].
    pub spans: Option<RecordBatch>,
    /// Rows for [`Table::Content`].
    pub content: Option<RecordBatch>,
    /// Rows for [`Table::Points`].
    pub points: Option<RecordBatch>,
    /// Rows for [`Table::Logs`].
    pub logs: Option<RecordBatch>,
}

impl Tables {
    /// The batches that are there.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &RecordBatch)> {
        [
            (Table::Spans, &self.spans),
            (Table::Content, &self.content),
            (Table::Points, &self.points),
            (Table::Logs, &self.logs),
        ]
        .into_iter()
        .filter_map(|(table, batch)| batch.as_ref().map(|b| (table, b)))
    }

    /// Bytes of Arrow.
    pub(crate) fn bytes(&self) -> u64 {
        self.iter().map(|(_, batch)| batch.get_array_memory_size() as u64).sum()
    }

    /// Whether every batch has the schema of its table.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let wrong = self.iter().find(|(table, batch)| batch.schema_ref() != table.schema());
        wrong.map_or(Ok(()), |(table, _)| Err(StoreError::Schema(table)))
    }
}

/// Turns frames back into rows after a restart. The result must depend on nothing but the frame.
pub trait Decode: Send + Sync {
    /// The rows of `frame`.
    ///
    /// # Errors
    /// The payload is not what its signal says.
    fn decode(&self, frame: &Frame) -> Result<Tables, DecodeError>;
}

/// A payload that cannot be decoded, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

//! Message content of spans to rows of `content`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, TimestampNanosecondBuilder};
use datafusion::arrow::array::{ArrayRef, FixedSizeBinaryBuilder, RecordBatch, StringBuilder};
use datafusion::arrow::error::ArrowError;
use tachograph_schema::attribute;
use tachograph_store::table::{CONTENT, SPAN_ID_BYTES, TRACE_ID_BYTES};

use super::builder::{ids, times};
use super::nanos;
use super::span::{Row, content_text};

/// The columns of `content` under construction: a row for each span that has any.
pub(super) struct ContentColumns {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    start: TimestampNanosecondBuilder,
    texts: [StringBuilder; 4],
}

impl Default for ContentColumns {
    fn default() -> Self {
        Self {
            trace_id: ids(0, TRACE_ID_BYTES),
            span_id: ids(0, SPAN_ID_BYTES),
            start: times(0),
            texts: Default::default(),
        }
    }
}

impl ContentColumns {
    pub(super) fn append(&mut self, row: &Row<'_>) -> Result<(), ArrowError> {
        let texts = [
            attribute::INPUT_MESSAGES,
            attribute::OUTPUT_MESSAGES,
            attribute::SYSTEM_INSTRUCTIONS,
            attribute::TOOL_DEFINITIONS,
        ]
        .map(|key| content_text(row.span, key));
        if texts.iter().all(Option::is_none) {
            return Ok(());
        }
        self.trace_id.append_value(row.trace_id)?;
        self.span_id.append_value(row.span_id)?;
        self.start.append_value(nanos(row.span.start_time_unix_nano));
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
        Ok(())
    }

    /// The batch, none where no span had content.
    pub(super) fn finish(mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let trace_id = self.trace_id.finish();
        if trace_id.is_empty() {
            return Ok(None);
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(trace_id), Arc::new(self.span_id.finish()), Arc::new(self.start.finish())];
        columns.extend(self.texts.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef));
        RecordBatch::try_new(CONTENT.clone(), columns).map(Some)
    }
}

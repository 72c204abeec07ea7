//! Rows that are in the log and not in a segment yet.

use std::time::Instant;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::record_batch::RecordBatch;

use crate::embedded::by_table::ByTable;
use crate::frame::Tables;
use crate::table::Table;

/// Batches are not merged beyond this many rows, the size that queries work in.
const MERGED_ROWS: usize = 8192;
/// Batches are not merged beyond this many bytes: copying long prompts again and again costs more than it saves.
const MERGED_BYTES: usize = 4 << 20;

/// Hot rows of all tables.
#[derive(Debug, Default)]
pub(crate) struct Hot {
    batches: ByTable<Vec<Part>>,
    bytes: u64,
    since: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Part {
    batch: RecordBatch,
    bytes: usize,
}

impl Hot {
    /// Adds the rows of one frame. Their schemas were checked.
    pub(crate) fn push(&mut self, tables: &Tables) {
        for (table, batch) in tables.iter().filter(|(_, batch)| batch.num_rows() > 0) {
            self.since.get_or_insert_with(Instant::now);
            let parts = &mut self.batches[table];
            let before: usize = parts.iter().map(|part| part.bytes).sum();
            parts.push(Part { batch: batch.clone(), bytes: batch.get_array_memory_size() });
            merge_tail(parts);
            let after: usize = parts.iter().map(|part| part.bytes).sum();
            self.bytes = (self.bytes + after as u64).saturating_sub(before as u64);
        }
    }

    /// Bytes of Arrow.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the first row came.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// The batches of a table.
    pub(crate) fn batches(&self, table: Table) -> impl Iterator<Item = &RecordBatch> {
        self.batches[table].iter().map(|part| &part.batch)
    }

    /// Rows of a table.
    pub(crate) fn rows(&self, table: Table) -> u64 {
        self.batches(table).map(|batch| batch.num_rows() as u64).sum()
    }
}

/// Keeps the number of batches small: two neighbours of like size become one, so each row is copied a logarithmic
/// number of times, and what builders allocated too much is given back.
fn merge_tail(parts: &mut Vec<Part>) {
    while let [.., left, right] = parts.as_slice() {
        let rows = left.batch.num_rows() + right.batch.num_rows();
        let alike = left.batch.num_rows() <= 2 * right.batch.num_rows();
        if !alike || rows > MERGED_ROWS || left.bytes + right.bytes > MERGED_BYTES {
            return;
        }
        let Ok(batch) = concat_batches(left.batch.schema_ref(), [&left.batch, &right.batch]) else { return };
        let bytes = batch.get_array_memory_size();
        parts.truncate(parts.len() - 2);
        parts.push(Part { batch, bytes });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn part(rows: i64) -> Part {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let batch = RecordBatch::try_from_iter([("value", values)]).unwrap();
        Part { bytes: batch.get_array_memory_size(), batch }
    }

    #[test]
    fn many_small_batches_become_few_and_keep_their_rows() {
        let mut parts = Vec::new();
        for _ in 0..1000 {
            parts.push(part(3));
            merge_tail(&mut parts);
        }
        assert_eq!(parts.iter().map(|part| part.batch.num_rows()).sum::<usize>(), 3000);
        assert!(parts.len() < 16, "{}", parts.len());
    }

    #[test]
    fn batches_are_not_merged_beyond_the_size_that_queries_work_in() {
        let mut parts = Vec::new();
        for _ in 0..4 {
            parts.push(part(5000));
            merge_tail(&mut parts);
        }
        assert_eq!(parts.len(), 4);
    }
}

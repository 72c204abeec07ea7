//! Writing a segment.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::TimestampNanosecondArray;
use datafusion::arrow::compute::interleave_record_batch;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use datafusion::parquet::schema::types::ColumnPath;

use crate::embedded::disk;
use crate::embedded::manifest::SegmentEntry;
use crate::embedded::segment::DIRECTORY;
use crate::error::StoreError;
use crate::table::{Kind, Table};

/// Most rows in a row group: enough for compression, few enough to skip.
const ROW_GROUP_ROWS: usize = 131_072;
/// Most encoded bytes in a row group: they are in memory until it is full.
const ROW_GROUP_BYTES: usize = 32 << 20;
/// Rows in a page: what a lookup of one row decodes.
const PAGE_ROWS: usize = 8192;
/// zstd level: 3 costs a third more time for 1.5 % fewer bytes.
const ZSTD_LEVEL: i32 = 1;
/// Share of absent trace ids that a filter lets through.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;
/// Bytes of Arrow put together at a time while sorting.
const CHUNK_BYTES: u64 = 4 << 20;

/// A segment that is being written, in order of time.
pub(crate) struct SegmentWriter {
    table: Table,
    file: Unfinished,
    writer: ArrowWriter<File>,
    entry: SegmentEntry,
}

/// A file that is removed unless it was finished.
struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            disk::discard(&self.path);
        }
    }
}

impl SegmentWriter {
    /// Starts segment `id`, whose first row is at `first_time`, in the store at `directory`.
    pub(crate) fn create(directory: &Path, table: Table, id: u64, first_time: i64) -> Result<Self, StoreError> {
        let file = format!("{DIRECTORY}/{table}/{first_time:020}-{id:08}.parquet");
        let path = directory.join(&file);
        let opened = File::create(&path).map_err(|e| StoreError::io("create a segment", &path, e))?;
        let unfinished = Unfinished { path, finished: false };
        let writer = ArrowWriter::try_new(opened, Arc::clone(table.schema()), Some(properties(table)))
            .map_err(|e| write_error(&unfinished.path, e))?;
        let entry = SegmentEntry {
            table,
            id,
            file,
            rows: 0,
            bytes: 0,
            arrow_bytes: 0,
            min_time: first_time,
            max_time: first_time,
        };
        Ok(SegmentWriter { table, file: unfinished, writer, entry })
    }

    /// Adds rows; all of them are no earlier than those before.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let times = times(self.table, batch)?.values();
        if let [first, ..] = &**times
            && let [.., last] = &**times
        {
            self.entry.min_time = self.entry.min_time.min(*first);
            self.entry.max_time = self.entry.max_time.max(*last);
        }
        self.entry.rows += batch.num_rows() as u64;
        self.entry.arrow_bytes += batch.get_array_memory_size() as u64;
        self.writer.write(batch).map_err(|e| write_error(&self.file.path, e))
    }

    /// Ends the file and syncs it. On an error, as when the writer is dropped, the file is removed.
    pub(crate) fn finish(self) -> Result<SegmentEntry, StoreError> {
        let SegmentWriter { mut file, writer, mut entry, .. } = self;
        let written = writer.into_inner().map_err(|e| write_error(&file.path, e))?;
        let synced = written.sync_all().and_then(|()| written.metadata());
        entry.bytes = synced.map_err(|e| StoreError::io("sync a segment", &file.path, e))?.len();
        file.path.parent().map_or(Ok(()), disk::sync_directory)?;
        file.finished = true;
        Ok(entry)
    }
}

/// Writes the batches of a table as one segment, sorted by time; nothing where they have no rows.
pub(crate) fn write_sorted(
    directory: &Path,
    table: Table,
    id: u64,
    batches: &[&RecordBatch],
) -> Result<Option<SegmentEntry>, StoreError> {
    let mut order: Vec<(i64, usize, usize)> = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        order.extend(times(table, batch)?.values().iter().enumerate().map(|(row, time)| (*time, index, row)));
    }
    order.sort_unstable();
    let Some((first, _, _)) = order.first() else { return Ok(None) };
    let bytes: u64 = batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum();
    let mut writer = SegmentWriter::create(directory, table, id, *first)?;
    for rows in order.chunks(chunk_rows(bytes, order.len() as u64)) {
        let indices: Vec<(usize, usize)> = rows.iter().map(|(_, batch, row)| (*batch, *row)).collect();
        let chunk = interleave_record_batch(batches, &indices)
            .map_err(|e| StoreError::Internal(format!("cannot sort rows of {table}: {e}")))?;
        writer.write(&chunk)?;
    }
    writer.finish().map(Some)
}

/// How many rows to hold at a time when `rows` of them take `bytes`: long prompts come few at a time.
pub(crate) fn chunk_rows(bytes: u64, rows: u64) -> usize {
    let row_bytes = (bytes / rows.max(1)).max(1);
    usize::try_from(CHUNK_BYTES / row_bytes).unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS)
}

fn times(table: Table, batch: &RecordBatch) -> Result<&TimestampNanosecondArray, StoreError> {
    let column = batch.column_by_name(table.time_column());
    column.and_then(|c| c.as_any().downcast_ref()).ok_or(StoreError::Schema(table))
}

fn write_error(path: &Path, error: ParquetError) -> StoreError {
    match error {
        ParquetError::External(source) => {
            let source = source.downcast::<std::io::Error>().map_or_else(std::io::Error::other, |e| *e);
            StoreError::io("write a segment", path, source)
        }
        other => StoreError::io("write a segment", path, std::io::Error::other(other)),
    }
}

fn properties(table: Table) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_row_count_limit(PAGE_ROWS);
    for column in table.columns() {
        let path = ColumnPath::from(column.name);
        properties = match column.kind {
            Kind::Time | Kind::Int64 => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Kind::TraceId => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, ROW_GROUP_ROWS as u64),
            Kind::SpanId => properties.set_column_dictionary_enabled(path, false),
            // Smallest and largest of opaque bytes or of prose prune nothing.
            Kind::Text | Kind::Bytes => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None),
            Kind::SharedBytes => properties.set_column_statistics_enabled(path, EnabledStatistics::None),
            _ => properties,
        };
    }
    properties.build()
}

//! One table of a snapshot as DataFusion sees it: hot batches and the segments that a filter leaves.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;

use crate::embedded::query::THREADS;
use crate::embedded::segment::{Segment, chunk_rows};
use crate::embedded::shared::Snapshot;
use crate::table::Table;

/// Where segments are read from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The object store of segments.
    pub(crate) url: ObjectStoreUrl,
    /// Reads files and keeps their footers.
    pub(crate) reader: Arc<dyn ParquetFileReaderFactory>,
}

/// One table of a snapshot.
#[derive(Debug)]
pub(crate) struct View {
    table: Table,
    hot: Vec<RecordBatch>,
    segments: Vec<Arc<Segment>>,
    source: Source,
    late: bool,
}

impl View {
    /// The rows of `table` in `snapshot`.
    pub(crate) fn new(table: Table, snapshot: &Snapshot, source: Source) -> Self {
        View {
            table,
            hot: snapshot.hot[table].clone(),
            segments: snapshot.segments[table].clone(),
            source,
            late: false,
        }
    }

    /// Reads the filter's columns first and the others only for rows that match: right for a filter that leaves few.
    pub(crate) fn late(mut self) -> Self {
        self.late = true;
        self
    }

    /// The segments that may hold rows that `predicate` accepts, by the range of their times.
    fn prune(&self, predicate: &Arc<dyn PhysicalExpr>) -> Result<Vec<Arc<Segment>>> {
        let schema = Arc::clone(self.table.schema());
        let pruning =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(&schema)).try_build(Arc::clone(predicate))?;
        let statistics = self.segments.iter().map(|segment| Arc::new(statistics(segment))).collect();
        let keep = pruning.prune(&PrunableStatistics::new(statistics, schema))?;
        Ok(self.segments.iter().zip(keep).filter(|(_, keep)| *keep).map(|(segment, _)| Arc::clone(segment)).collect())
    }
}

#[async_trait]
impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let predicate = match conjunction(filters.to_vec()) {
            Some(filter) => {
                let schema = DFSchema::try_from(Arc::clone(self.table.schema()))?;
                Some(state.create_physical_expr(filter, &schema)?)
            }
            None => None,
        };
        let segments = match &predicate {
            Some(predicate) => self.prune(predicate)?,
            None => self.segments.clone(),
        };
        let hot = MemorySourceConfig::try_new_exec(
            std::slice::from_ref(&self.hot),
            Arc::clone(self.table.schema()),
            projection.cloned(),
        )?;
        if segments.is_empty() {
            return Ok(hot);
        }
        let mut parquet = ParquetSource::new(Arc::clone(self.table.schema()))
            .with_parquet_file_reader_factory(Arc::clone(&self.source.reader))
            .with_pushdown_filters(self.late);
        if let Some(predicate) = predicate {
            parquet = parquet.with_predicate(predicate);
        }
        let config = FileScanConfigBuilder::new(self.source.url.clone(), Arc::new(parquet))
            .with_file_groups(newest_first(&segments))
            .with_statistics(Statistics::try_merge_iter(
                &segments.iter().map(|segment| statistics(segment)).collect::<Vec<_>>(),
                self.table.schema(),
            )?)
            .with_batch_size(Some(Source::batch_rows(&segments)))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        let stored: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        if self.hot.is_empty() { Ok(stored) } else { UnionExec::try_new(vec![hot, stored]) }
    }
}

impl Source {
    /// A plan that yields the rows of segments of one table in order of time.
    pub(crate) fn merge(&self, table: Table, segments: &[Arc<Segment>]) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = Arc::clone(table.schema());
        let by_time = PhysicalSortExpr::new(
            col(table.time_column(), &schema)?,
            SortOptions { descending: false, nulls_first: false },
        );
        let order = LexOrdering::from([by_time]);
        let parquet = ParquetSource::new(schema).with_parquet_file_reader_factory(Arc::clone(&self.reader));
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(parquet))
            .with_file_groups(segments.iter().map(|segment| FileGroup::new(vec![file(segment)])).collect())
            .with_output_ordering(vec![order.clone()])
            .build();
        Ok(Arc::new(SortPreservingMergeExec::new(order, DataSourceExec::from_data_source(config))))
    }

    /// Rows to read at a time: long prompts come few at a time.
    pub(crate) fn batch_rows(segments: &[Arc<Segment>]) -> usize {
        let rows = |segment: &Arc<Segment>| chunk_rows(segment.entry().arrow_bytes, segment.entry().rows);
        segments.iter().map(rows).min().unwrap_or(1)
    }
}

/// The files dealt out to the threads, the newest first: a query for the latest rows need not open the rest.
fn newest_first(segments: &[Arc<Segment>]) -> Vec<FileGroup> {
    let mut groups = vec![Vec::new(); THREADS.min(segments.len())];
    let count = groups.len().max(1);
    for (index, segment) in segments.iter().rev().enumerate() {
        if let Some(group) = groups.get_mut(index % count) {
            group.push(file(segment));
        }
    }
    groups.into_iter().map(FileGroup::new).collect()
}

fn file(segment: &Segment) -> PartitionedFile {
    let entry = segment.entry();
    PartitionedFile::new(entry.file.clone(), entry.bytes).with_statistics(Arc::new(statistics(segment)))
}

fn statistics(segment: &Segment) -> Statistics {
    let entry = segment.entry();
    let schema = entry.table.schema();
    let time = |value| Precision::Exact(ScalarValue::TimestampNanosecond(Some(value), Some("UTC".into())));
    let column_statistics = schema
        .fields()
        .iter()
        .map(|field| {
            let unknown = ColumnStatistics::new_unknown();
            if field.name() == entry.table.time_column() {
                unknown
                    .with_min_value(time(entry.min_time))
                    .with_max_value(time(entry.max_time))
                    .with_null_count(Precision::Exact(0))
            } else {
                unknown
            }
        })
        .collect();
    Statistics {
        num_rows: Precision::Exact(usize::try_from(entry.rows).unwrap_or(usize::MAX)),
        total_byte_size: Precision::Absent,
        column_statistics,
    }
}

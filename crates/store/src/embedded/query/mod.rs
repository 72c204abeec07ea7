//! Queries: SQL over a snapshot, one trace by its id, and the merge of segments, all through DataFusion on threads of
//! their own, so that a heavy query does not delay an acknowledgement.

mod session;
mod view;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::embedded::manifest::SegmentEntry;
use crate::embedded::segment::{Segment, SegmentWriter};
use crate::embedded::shared::{Shared, Snapshot};
use crate::error::StoreError;
use crate::store::{QueryLimit, TRACE_ROWS, TraceRows};
use crate::table::{TRACE_ID_BYTES, Table};

use session::Sessions;
use view::View;

/// Threads that queries run on, and partitions of a query.
const THREADS: usize = 2;

/// The query engine of one store.
pub(crate) struct Engine {
    sessions: Sessions,
    permits: Arc<Semaphore>,
    /// Always there but while dropping.
    runtime: Option<Runtime>,
}

impl Engine {
    /// An engine for the segments below `directory`, running `concurrency` queries at once.
    pub(crate) fn new(directory: &Path, concurrency: usize) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("store-query")
            .enable_time()
            .build()
            .map_err(|e| StoreError::Internal(format!("cannot start query threads: {e}")))?;
        Ok(Engine {
            sessions: Sessions::new(directory)?,
            permits: Arc::new(Semaphore::new(concurrency.max(1))),
            runtime: Some(runtime),
        })
    }

    /// The result of one `SELECT`.
    pub(crate) async fn sql(
        &self,
        snapshot: Snapshot,
        sql: &str,
        limit: QueryLimit,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let statement = session::select(sql)?;
        let state = self.sessions.for_query(&snapshot, limit.memory_bytes)?;
        self.run(limit, async move {
            let plan = state.statement_to_plan(statement).await.map_err(|e| explain(&e, limit))?;
            session::verify(&plan)?;
            let plan = state.create_physical_plan(&plan).await.map_err(|e| explain(&e, limit))?;
            let result = collect(plan, state.task_ctx(), limit).await;
            // Its segments must stay on disk until here.
            drop(snapshot);
            result
        })
        .await
    }

    /// All rows of one trace.
    pub(crate) async fn trace(&self, snapshot: Snapshot, trace_id: [u8; 16]) -> Result<TraceRows, StoreError> {
        let limit = QueryLimit { rows: TRACE_ROWS, ..QueryLimit::default() };
        let state = self.sessions.for_query(&snapshot, limit.memory_bytes)?;
        let sessions = self.sessions.clone();
        self.run(limit, async move {
            let id = ScalarValue::FixedSizeBinary(TRACE_ID_BYTES, Some(trace_id.to_vec()));
            let filter = col("trace_id").eq(lit(id));
            let mut rows =
                [Table::Spans, Table::Content].map(|table| RecordBatch::new_empty(Arc::clone(table.schema())));
            for (table, rows) in [Table::Spans, Table::Content].into_iter().zip(&mut rows) {
                let view = sessions.view(table, &snapshot).late();
                let plan = lookup(&state, &view, &filter).await.map_err(|e| explain(&e, limit))?;
                let batches = collect(plan, state.task_ctx(), limit).await?;
                *rows = concat_batches(table.schema(), &batches)
                    .map_err(|e| StoreError::Internal(format!("cannot join rows of a trace: {e}")))?;
            }
            drop(snapshot);
            let [spans, content] = rows;
            Ok(TraceRows { spans, content })
        })
        .await
    }

    /// Merges segments of one table into segment `id`, unless the store is closed meanwhile. Blocks; to be called from
    /// a thread outside the runtime.
    pub(crate) fn merge(&self, shared: &Shared, id: u64, inputs: &[Arc<Segment>]) -> Result<SegmentEntry, StoreError> {
        let Some(first) = inputs.first().map(|segment| segment.entry()) else {
            return Err(StoreError::Internal("nothing to merge".into()));
        };
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        let failed = |e: DataFusionError| StoreError::Internal(format!("cannot merge segments: {e}"));
        let (plan, context) = self.sessions.merge(first.table, inputs).map_err(failed)?;
        let mut writer = SegmentWriter::create(&shared.directory, first.table, id, first.min_time)?;
        runtime.block_on(async {
            let mut batches = execute_stream(plan, context).map_err(failed)?;
            while let Some(batch) = batches.try_next().await.map_err(failed)? {
                if shared.is_closing() {
                    return Err(StoreError::Closed);
                }
                writer.write(&batch)?;
            }
            Ok::<(), StoreError>(())
        })?;
        writer.finish()
    }

    /// Runs a query on the engine's threads, within its time.
    async fn run<T: Send + 'static>(
        &self,
        limit: QueryLimit,
        query: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        let permits = Arc::clone(&self.permits);
        let mut task = AbortOnDrop(runtime.spawn(async move {
            let bounded = async {
                let _permit = permits.acquire_owned().await.map_err(|_| StoreError::Closed)?;
                query.await
            };
            tokio::time::timeout(limit.time, bounded).await.unwrap_or(Err(StoreError::TooSlow(limit.time)))
        }));
        (&mut task.0).await.unwrap_or_else(|e| Err(StoreError::Internal(format!("a query ended early: {e}"))))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // An engine may be dropped on a thread that must not block.
            runtime.shutdown_background();
        }
    }
}

/// A task that ends when nobody waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn lookup(
    state: &SessionState,
    view: &View,
    filter: &Expr,
) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    use datafusion::catalog::TableProvider;

    let scan = view.scan(state, None, std::slice::from_ref(filter), None).await?;
    let schema = DFSchema::try_from(scan.schema())?;
    let predicate = state.create_physical_expr(filter.clone(), &schema)?;
    Ok(Arc::new(FilterExec::try_new(predicate, scan)?))
}

async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    limit: QueryLimit,
) -> Result<Vec<RecordBatch>, StoreError> {
    let mut stream = execute_stream(plan, context).map_err(|e| explain(&e, limit))?;
    let (mut rows, mut bytes) = (0, 0);
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| explain(&e, limit))?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if rows > limit.rows {
            return Err(StoreError::TooManyRows(limit.rows));
        }
        if bytes > limit.memory_bytes {
            return Err(StoreError::TooMuchMemory(limit.memory_bytes));
        }
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    Ok(batches)
}

/// Whose fault a failure is.
fn explain(error: &DataFusionError, limit: QueryLimit) -> StoreError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => StoreError::TooMuchMemory(limit.memory_bytes),
        DataFusionError::ObjectStore(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::Internal(_)
        | DataFusionError::External(_) => StoreError::Internal(error.to_string()),
        _ => StoreError::Query(error.strip_backtrace()),
    }
}

//! DataFusion sessions that can read our four tables and do nothing else.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::DataFusionError;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, SessionStateDefaults, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast;

use crate::embedded::query::THREADS;
use crate::embedded::query::view::{Source, View};
use crate::embedded::segment::Segment;
use crate::embedded::shared::Snapshot;
use crate::error::StoreError;
use crate::table::Table;

/// Name of the object store of segments; a statement cannot name files.
const STORE_URL: &str = "tachograph://segments";
/// Footers kept in memory.
const FOOTER_BYTES: usize = 32 << 20;
/// Functions that make text of any length from a number: no memory limit sees them.
const UNBOUNDED_FUNCTIONS: [&str; 3] = ["repeat", "lpad", "rpad"];

/// Makes sessions.
#[derive(Clone)]
pub(crate) struct Sessions {
    base: SessionState,
    source: Source,
}

impl Sessions {
    /// Sessions over the segments below `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self, StoreError> {
        let failed = |e: &dyn std::error::Error| StoreError::Internal(format!("cannot set up the query engine: {e}"));
        let store: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(directory).map_err(|e| failed(&e))?);
        let url = ObjectStoreUrl::parse(STORE_URL).map_err(|e| failed(&e))?;
        let runtime = RuntimeEnvBuilder::new()
            .with_metadata_cache_limit(FOOTER_BYTES)
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()
            .map_err(|e| failed(&e))?;
        runtime.register_object_store(url.as_ref(), Arc::clone(&store));
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let source = Source { url, reader: Arc::new(CachedParquetFileReaderFactory::new(store, footers)) };
        let functions = SessionStateDefaults::default_scalar_functions()
            .into_iter()
            .filter(|function| !UNBOUNDED_FUNCTIONS.contains(&function.name()))
            .collect();
        let base = SessionStateBuilder::new()
            .with_config(
                SessionConfig::new().with_target_partitions(THREADS).with_create_default_catalog_and_schema(false),
            )
            .with_runtime_env(runtime)
            .with_expr_planners(SessionStateDefaults::default_expr_planners())
            .with_scalar_functions(functions)
            .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
            .with_window_functions(SessionStateDefaults::default_window_functions())
            .build();
        Ok(Sessions { base, source })
    }

    /// A session in which the tables are those of `snapshot`.
    pub(crate) fn for_query(&self, snapshot: &Snapshot, memory_bytes: usize) -> Result<SessionState, StoreError> {
        let failed = |e: DataFusionError| StoreError::Internal(format!("cannot set up a query: {e}"));
        let options = &self.base.config().options().catalog;
        let schema = MemorySchemaProvider::new();
        for table in Table::ALL {
            schema.register_table(table.name().into(), Arc::new(self.view(table, snapshot))).map_err(failed)?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(&options.default_schema, Arc::new(schema)).map_err(failed)?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(options.default_catalog.clone(), Arc::new(catalog));
        Ok(SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(Arc::new(catalogs))
            .with_runtime_env(self.runtime(memory_bytes).map_err(failed)?)
            .build())
    }

    /// A table as `snapshot` has it.
    pub(crate) fn view(&self, table: Table, snapshot: &Snapshot) -> View {
        View::new(table, snapshot, self.source.clone())
    }

    /// A plan that yields the rows of `inputs` in order of time. What it holds is bounded by its small batches.
    pub(crate) fn merge(
        &self,
        table: Table,
        inputs: &[Arc<Segment>],
    ) -> datafusion::common::Result<(Arc<dyn ExecutionPlan>, Arc<TaskContext>)> {
        let plan = self.source.merge(table, inputs)?;
        let config = self.base.config().clone().with_batch_size(Source::batch_rows(inputs));
        let context =
            TaskContext::default().with_session_config(config).with_runtime(Arc::clone(self.base.runtime_env()));
        Ok((plan, Arc::new(context)))
    }

    /// The common caches and object store with a memory limit of its own.
    fn runtime(&self, memory_bytes: usize) -> datafusion::common::Result<Arc<RuntimeEnv>> {
        RuntimeEnvBuilder::from_runtime_env(self.base.runtime_env())
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory_bytes)))
            .build_arc()
    }
}

/// The one `SELECT` that `sql` is.
pub(crate) fn select(sql: &str) -> Result<Statement, StoreError> {
    let mut statements = DFParser::parse_sql(sql).map_err(|e| StoreError::Query(e.strip_backtrace()))?;
    let statement = match (statements.pop_front(), statements.len()) {
        (None, _) => return Err(StoreError::NotSelect("there is none".into())),
        (Some(statement), 0) => statement,
        (Some(_), more) => return Err(StoreError::NotSelect(format!("there are {}", more + 1))),
    };
    match &statement {
        Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)) => Ok(statement),
        other => Err(StoreError::NotSelect(other.to_string())),
    }
}

/// Refuses what a query could still hide, such as an `INSERT` in a `WITH`.
pub(crate) fn verify(plan: &LogicalPlan) -> Result<(), StoreError> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|e| StoreError::NotSelect(e.strip_backtrace()))
}

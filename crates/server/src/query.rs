//! Typed questions, their SQL, and the answers as the API says them.

mod agent;
mod column;
mod detail;
mod engine;
mod facet;
mod filter;
mod latest;
mod request;
mod series;
mod trace;

use tachograph_store::StoreError;

pub(crate) use agent::agents;
pub(crate) use detail::detail;
pub(crate) use engine::engines;
pub(crate) use facet::facets;
pub(crate) use filter::{Bound, Figure, Filter, Label};
pub(crate) use latest::Fleet;
pub(crate) use request::{Page, Sort, SortKey, page};
pub(crate) use series::{By, Grid, MAX_BUCKETS, SeriesQuery, Wanted, series};
pub(crate) use trace::{TraceSpan, spans};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's answer does not have the columns asked for.
    #[error("unexpected answer of the store: {0}")]
    Shape(#[from] datafusion::arrow::error::ArrowError),
}

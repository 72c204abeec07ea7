//! Typed questions, their SQL, and the answers as the API says them.

mod column;
mod detail;
mod facet;
mod filter;
mod request;
mod series;
mod trace;

use tachograph_store::StoreError;

pub(crate) use detail::detail;
pub(crate) use facet::facets;
pub(crate) use filter::{Bound, Figure, Filter, Label};
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

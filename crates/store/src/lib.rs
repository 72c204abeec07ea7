//! The store of Tachograph: Arrow batches of four tables ([`table`]), kept durably and queried with SQL.
//!
//! It knows tables and frames, not OTLP: whoever writes hands in the raw request ([`Frame`]) together with the rows
//! decoded from it ([`Tables`]). The frame is what the write-ahead log keeps, the rows are what is queried. After a
//! crash a [`Decode`] turns the frames that are left back into rows.
//!
//! [`Store`] is what every engine can do; [`Embedded`] is the engine in this process: write-ahead log, hot batches in
//! memory, Parquet segments, DataFusion. It is not a cluster: one process owns one directory.
//!
//! Use Arrow through [`arrow`], so that there is one version of it.

mod embedded;
mod error;
mod frame;
pub mod literal;
mod store;
pub mod table;

pub use datafusion::arrow;

pub use embedded::{Embedded, EmbeddedConfig};
pub use error::StoreError;
pub use frame::{Decode, DecodeError, Frame, Signal, Tables};
pub use store::{QueryLimit, Recovery, Stats, Store, TRACE_ROWS, TraceRows};
pub use table::Table;

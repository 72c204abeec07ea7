//! The recorder: drains the rings of one launch, joins their records into requests, makes spans and
//! metrics of them, and exports those over OTLP.
//!
//! What it is not: it never touches the engine's process, keeps nothing on disk, and answers no queries.

pub mod body;
pub mod clock;
pub mod config;
pub mod drain;
pub mod error;
pub mod export;
pub mod figure;
pub mod health;
pub mod join;
pub mod metric;
pub mod prometheus;
pub mod request;
pub mod resource;
mod run;
pub mod sample;
pub mod sequence;
pub mod span;
pub mod status;
pub mod switch;
pub mod token;

pub use config::Config;
pub use error::Error;
pub use run::{Summary, run};

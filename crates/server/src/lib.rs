//! The server: OTLP in (gRPC and HTTP), the store behind it, a query API and the web UI out.
//!
//! It is a library: `tachograph serve` reads the flags and calls [`serve`]. It knows no engine and no ring: all it
//! learns comes in as OTLP, from the recorder or anyone else. It keeps nothing itself: an export is acknowledged when
//! the store has it on disk. It has no keys yet and therefore listens on loopback only.

pub mod api;
mod config;
mod error;
mod figures;
mod health;
mod ingest;
mod outcome;
mod query;
mod receive;
mod server;
mod ui;
mod value;

pub use config::{API_PORT, Config, GRPC_PORT, HTTP_PORT};
pub use error::Error;
pub use server::{Addresses, Server, serve};

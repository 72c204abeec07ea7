//! The server as its users meet it: through its three ports, with a store in a directory of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed test panics

mod contract;
mod detail;
mod durability;
mod fleet;
mod generate;
mod lifecycle;
mod list;
mod metrics;
mod receive;
mod refusal;
mod running;
mod series;
mod tempo;
mod web;

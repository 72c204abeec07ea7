//! `tachograph run`, through the real binary: what the engine's user must not notice, and what must be said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod case;
mod command;
mod container;
mod directory;
mod recorder;
mod signal;
mod terminal;

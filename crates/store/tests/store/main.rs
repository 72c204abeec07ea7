//! What a store promises, one file a promise, against the embedded engine with a toy payload in place of OTLP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod toy;

mod acknowledged_rows_survive;
mod back_pressure;
mod crash_points;
mod damaged_logs;
mod directories;
mod limits_of_queries;
mod old_rows_go;
mod only_select;
mod queries;
mod readers_miss_nothing;
mod rows_come_back;
mod segments_are_merged;
mod segments_are_pruned;
mod traces;

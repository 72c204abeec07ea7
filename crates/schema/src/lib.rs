//! The vocabulary of Tachograph, shared by the recorder (which writes it) and the server (which reads it).
//!
//! What it is: every attribute, metric and setting name, once, with its meaning; helpers between
//! these names and OTLP's messages. What it is not: it knows no ring, no store, no socket; it does no I/O.

pub mod attribute;
pub mod metric;
pub mod otlp;

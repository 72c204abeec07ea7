//! Bodies of requests and responses, read leniently: what is there is used, what is not is left out.
//!
//! Both may be cut by the capture limit, and none is under our control: nothing here fails or panics.

pub mod answer;
pub mod asked;
pub mod json;
pub mod message;
pub mod piece;
pub mod redaction;
pub mod sse;
pub mod text;

//! A test program of the modules that know no Python, each with its tests inside.
#![allow(dead_code, reason = "what only the extension uses is not used here")]

mod exchange;
mod finish;
mod text;
mod trace_context;

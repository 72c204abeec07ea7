//! The Python extension `tachograph._probe`: turns what the hooks see into records of the process's ring.
//!
//! A guest in the engine's process: apart from `open` no call raises, waits or does I/O, and a fault of ours is
//! counted, not shown. What the calls mean is said once, in `tachograph/_probe.pyi`. There is no policy here:
//! which function is hooked, and what a record means, is the business of the hooks and of the recorder.

#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands a function's arguments over owned")]

mod argument;
mod exchange;
mod finish;
mod front;
mod guest;
mod http;
mod output;
mod scheduler;
mod sglang;
mod text;
mod trace_context;
mod vllm_v0;

/// Python's view; documented in `_probe.pyi`. Not for free-threaded Python, where a fork could find the ring locked
/// by another thread.
#[pyo3::pymodule(gil_used = true)]
mod _probe {
    #[pymodule_export]
    use crate::front::{front_outputs, sequence_abort, sequence_add};
    #[pymodule_export]
    use crate::guest::{close_after_fork, counters, fault, is_open, now_ns, open, probe, process, suppressed};
    #[pymodule_export]
    use crate::http::{HttpRequest, http_start};
    #[pymodule_export]
    use crate::scheduler::{engine, finished, preempted, queued, sample, step, step_outputs};
    #[pymodule_export]
    use crate::sglang::{SglangBatch, sglang_batch, sglang_front, sglang_front_abort, sglang_step};
    #[pymodule_export]
    use crate::vllm_v0::{v0_step, v0_step_outputs};
}

//! vLLM's `EngineCoreOutput` (vllm/v1/engine/__init__.py) as its versions lay it out.

use pyo3::intern;
use pyo3::prelude::*;

use crate::argument::{attribute, int_attribute};

/// `EngineCoreEventType.QUEUED`, the same in every release.
const QUEUED: i64 = 1;

/// Where an output tells of its prefill. Asked once a call: an attribute that is not there costs an exception.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// `prefill_stats`, with the first output of a sequence only (from 0.25 on).
    PrefillStats,
    /// `num_cached_tokens`, with every output (to 0.18).
    CachedTokens,
}

impl Layout {
    /// The layout of an output, and of all its neighbours.
    pub(crate) fn of(output: &Bound<'_, PyAny>) -> Self {
        match output.hasattr(intern!(output.py(), "prefill_stats")) {
            Ok(true) => Self::PrefillStats,
            _ => Self::CachedTokens,
        }
    }

    /// Prompt tokens served from the cache, where the output says so; before a prefill older versions say −1.
    pub(crate) fn cached_tokens(self, output: &Bound<'_, PyAny>) -> Option<u32> {
        let name = intern!(output.py(), "num_cached_tokens");
        let cached = match self {
            Self::PrefillStats => int_attribute(&attribute(output, intern!(output.py(), "prefill_stats"))?, name),
            Self::CachedTokens => int_attribute(output, name),
        };
        cached.0.filter(|&n| n >= 0).map(|_| cached.count())
    }

    /// Whether it is the first output of its sequence. Older versions tell by the event with which the sequence
    /// was queued, and not at all with `--disable-log-stats`.
    pub(crate) fn is_first(self, output: &Bound<'_, PyAny>) -> bool {
        let py = output.py();
        match self {
            Self::PrefillStats => attribute(output, intern!(py, "prefill_stats")).is_some(),
            Self::CachedTokens => attribute(output, intern!(py, "events"))
                .and_then(|events| events.try_iter().ok())
                .is_some_and(|mut events| {
                    events.any(|event| event.is_ok_and(|e| int_attribute(&e, intern!(py, "type")).0 == Some(QUEUED)))
                }),
        }
    }
}

//! How many bytes of exports may be in memory at one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Refusal;

/// A number of bytes that everybody who receives shares.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    free: Arc<AtomicUsize>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(bytes)) }
    }

    /// A share of nothing yet.
    pub(super) fn share(&self) -> Share {
        Share { free: Arc::clone(&self.free), held: 0 }
    }
}

/// What one export holds; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    free: Arc<AtomicUsize>,
    held: usize,
}

impl Share {
    /// Hold `bytes` more, or learn that the server is busy.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes))
            .map_err(|_| Refusal::Busy)?;
        self.held += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.free.fetch_add(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use super::*;

    #[test]
    fn a_full_budget_refuses_and_a_dropped_share_frees_it() {
        let budget = Budget::new(10);
        let mut first = budget.share();
        first.grow(4).unwrap();
        first.grow(4).unwrap();
        let mut second = budget.share();
        assert!(matches!(second.grow(3), Err(Refusal::Busy)));
        second.grow(2).unwrap();
        drop(first);
        second.grow(8).unwrap();
        assert!(matches!(second.grow(1), Err(Refusal::Busy)));
    }
}

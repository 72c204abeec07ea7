//! When a recorder that ended is started again.

use std::time::Duration;

/// Wait before the first restart.
const FIRST: Duration = Duration::from_millis(100);
/// Longest wait between restarts.
const LONGEST: Duration = Duration::from_secs(5);
/// A recorder that lived this long was healthy: the next restart waits `FIRST` again.
const HEALTHY: Duration = Duration::from_secs(10);

/// Waits that double from 0.1 s to 5 s.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

/// What follows an end of the recorder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Restart {
    /// Wait before the restart.
    pub(super) after: Duration,
    /// Whether the recorder was healthy until now: the first end of a row is worth a line, the others are not.
    pub(super) first: bool,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The restart after a recorder that lived for `lived`.
    pub(super) fn after(&mut self, lived: Duration) -> Restart {
        if lived >= HEALTHY {
            self.next = FIRST;
        }
        let after = self.next;
        self.next = (after * 2).min(LONGEST);
        Restart { after, first: after == FIRST }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_five_seconds() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..8).map(|_| backoff.after(Duration::ZERO).after.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[test]
    fn only_the_first_end_of_a_row_is_told() {
        let mut backoff = Backoff::new();
        assert!(backoff.after(Duration::ZERO).first);
        assert!(!backoff.after(Duration::from_secs(9)).first);
    }

    #[test]
    fn a_healthy_life_starts_the_row_again() {
        let mut backoff = Backoff::new();
        backoff.after(Duration::ZERO);
        backoff.after(Duration::ZERO);
        assert_eq!(backoff.after(HEALTHY), Restart { after: FIRST, first: true });
    }
}

//! Between CLOCK_MONOTONIC, which records carry, and the wall clock, which OTLP wants.

use std::time::{SystemTime, UNIX_EPOCH};

use tachograph_ring::Info;

/// One instant on both clocks.
///
/// A request uses the anchor of the process that received it for all its spans, so that the clocks
/// of two processes never bend its tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub mono_ns: u64,
    /// Unix time, nanoseconds.
    pub wall_ns: u64,
}

impl Clock {
    /// The anchor of a ring.
    #[must_use]
    pub fn of(info: &Info) -> Self {
        Self { mono_ns: 0, wall_ns: info.wall_ns(0) }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now() -> Self {
        Self { mono_ns: tachograph_ring::now_ns(), wall_ns: wall_now_ns() }
    }

    /// Wall time of a monotonic time.
    #[must_use]
    pub fn wall(&self, mono_ns: u64) -> u64 {
        self.wall_ns.saturating_add(mono_ns).saturating_sub(self.mono_ns)
    }

    /// Monotonic time of a wall-clock time in seconds, where it lies within `within_ns` of `near_ns` (monotonic).
    ///
    /// Engines stamp arrivals with the wall clock, which may have been set since the anchor was taken.
    #[must_use]
    pub fn mono(&self, wall_s: f64, near_ns: u64, within_ns: u64) -> Option<u64> {
        if !wall_s.is_finite() || wall_s <= 0.0 {
            return None;
        }
        let wall_ns = std::time::Duration::try_from_secs_f64(wall_s).ok()?.as_nanos();
        let mono_ns = u64::try_from(wall_ns).ok()?.saturating_add(self.mono_ns).checked_sub(self.wall_ns)?;
        (mono_ns.abs_diff(near_ns) <= within_ns).then_some(mono_ns)
    }
}

/// Unix time now, nanoseconds.
#[must_use]
pub fn wall_now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration between two monotonic times in seconds; zero where they are out of order.
#[must_use]
pub fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    // Rounded to the nanosecond it came from: below 2^53 ns (104 days) the division is exact enough.
    to_ns.saturating_sub(from_ns) as f64 / 1e9
}

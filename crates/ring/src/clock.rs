use nix::time::{ClockId, clock_gettime};

const NS_PER_S: u64 = 1_000_000_000;

/// CLOCK_MONOTONIC in nanoseconds: one clock for all processes of a host.
#[must_use]
pub fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Both clocks, read together: turns monotonic times of one process into wall-clock times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// CLOCK_MONOTONIC in nanoseconds.
    pub mono_ns: u64,
    /// Nanoseconds since the Unix epoch at the same moment.
    pub wall_ns: u64,
}

impl Anchor {
    /// Reads both clocks now.
    #[must_use]
    pub fn now() -> Self {
        // The middle of two monotonic readings is the best guess for the moment of the wall reading.
        let before = now_ns();
        let wall_ns = read(ClockId::CLOCK_REALTIME);
        let after = now_ns();
        Self { mono_ns: before + (after - before) / 2, wall_ns }
    }

    /// The wall-clock time of a monotonic time, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn wall_ns(&self, mono_ns: u64) -> u64 {
        self.wall_ns.saturating_add_signed(mono_ns.wrapping_sub(self.mono_ns).cast_signed())
    }
}

fn read(clock: ClockId) -> u64 {
    // Both clocks exist on every Linux and are positive; a zero would only make a time unknown.
    clock_gettime(clock).map_or(0, |t| {
        let seconds = u64::try_from(t.tv_sec()).unwrap_or(0);
        seconds.saturating_mul(NS_PER_S).saturating_add(u64::try_from(t.tv_nsec()).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after_the_anchor_keep_their_distance_on_the_wall_clock() {
        let anchor = Anchor { mono_ns: 1_000, wall_ns: 50_000 };
        assert_eq!(anchor.wall_ns(1_000), 50_000);
        assert_eq!(anchor.wall_ns(1_250), 50_250);
        assert_eq!(anchor.wall_ns(400), 49_400);
        assert_eq!(Anchor { mono_ns: 10, wall_ns: 3 }.wall_ns(0), 0, "never below the epoch");
    }
}

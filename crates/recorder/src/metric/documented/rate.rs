//! A rate over the last seconds, in constant memory.

/// Seconds that the rate looks back: two reports to our own server, and what a person calls now.
const SECONDS: u64 = 10;
const NS: u64 = 1_000_000_000;

/// How much came in each of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// Monotonic seconds of the newest bin.
    newest_s: u64,
    bins: [u64; SECONDS as usize],
}

impl Rate {
    /// `n` came at `t_ns`, monotonic.
    pub(super) fn add(&mut self, t_ns: u64, n: u64) {
        let second = t_ns / NS;
        self.advance(second);
        if self.newest_s - second < SECONDS
            && let Some(bin) = self.bins.get_mut((second % SECONDS) as usize)
        {
            *bin += n;
        }
    }

    /// Per second, over the last seconds before `now_ns`, monotonic.
    pub(super) fn per_second(mut self, now_ns: u64) -> f64 {
        self.advance(now_ns / NS);
        // The newest second is not over yet.
        let ns = (SECONDS - 1) * NS + now_ns % NS;
        self.bins.iter().sum::<u64>() as f64 * NS as f64 / ns as f64
    }

    fn advance(&mut self, second: u64) {
        let Some(passed) = second.checked_sub(self.newest_s) else { return };
        for empty in 1..=passed.min(SECONDS) {
            if let Some(bin) = self.bins.get_mut(((self.newest_s + empty) % SECONDS) as usize) {
                *bin = 0;
            }
        }
        self.newest_s = second;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_a_silent_one_falls_to_zero() {
        let mut rate = Rate::default();
        for ms in (5_000..25_000u64).step_by(10) {
            rate.add(ms * 1_000_000, 3);
        }
        let now = |s: u64| rate.per_second(s * NS);
        assert!((now(25) - 300.0).abs() < 1.0, "{}", now(25));
        assert!(now(30) < 160.0 && now(30) > 100.0, "{}", now(30));
        assert!(now(36) == 0.0 && now(1_000_000) == 0.0);
    }

    #[test]
    fn what_comes_late_counts_in_its_own_second_or_not_at_all() {
        let mut rate = Rate::default();
        rate.add(100 * NS, 1);
        rate.add(95 * NS, 1);
        rate.add(10 * NS, 1);
        assert_eq!(rate.bins.iter().sum::<u64>(), 2);
    }
}

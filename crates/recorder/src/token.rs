//! Times of the output tokens of one sequence, kept small.

/// Most token times kept of one sequence: 32 Ki tokens are more than nearly every answer, and cost 64 KiB.
pub const MAX_TOKENS: u64 = 32_768;

/// A token with the state of the step that made it (level 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenEvent {
    /// When, monotonic nanoseconds.
    pub t_ns: u64,
    /// Number of the step.
    pub step: u64,
    /// Sequences in the step.
    pub batch: u32,
    /// Sequences waiting at the step.
    pub waiting: u32,
}

/// Output tokens: how many, when the first and the last, and the times between as LEB128 microseconds.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    /// Microseconds from the origin to the last kept token.
    last_us: u64,
    kept: u64,
    /// Offsets of all kept tokens but the first.
    offsets: Vec<u8>,
    events: Vec<TokenEvent>,
}

impl Tokens {
    /// Add `n` tokens made at one instant; `events` of all are kept with their step.
    ///
    /// Microseconds are counted from `origin_ns`, so that rounding does not add up.
    pub fn push(&mut self, origin_ns: u64, t_ns: u64, n: u32, step: (u64, u32, u32), events: usize) {
        let t_ns = t_ns.max(self.last_ns).max(origin_ns);
        let us = (t_ns - origin_ns) / 1000;
        if self.count == 0 {
            self.first_ns = t_ns;
        }
        for _ in 0..u64::from(n).min(MAX_TOKENS.saturating_sub(self.kept)) {
            if self.kept > 0 {
                leb128(us - self.last_us, &mut self.offsets);
            }
            self.last_us = us;
            self.kept += 1;
            if self.events.len() < events {
                let (step, batch, waiting) = step;
                self.events.push(TokenEvent { t_ns, step, batch, waiting });
            }
        }
        self.count += u64::from(n);
        self.last_ns = t_ns;
    }

    /// Forget all after the first `n`.
    ///
    /// The scheduler runs ahead: before a stop string is seen in the front end it has made more tokens, which the
    /// engine throws away.
    ///
    /// Returns how many these were.
    pub fn truncate(&mut self, n: u64) -> u64 {
        if n >= self.count {
            return 0;
        }
        let surplus = self.count - n;
        self.last_ns = n.checked_sub(1).and_then(|last| self.time_ns(last)).unwrap_or(self.last_ns);
        self.count = n;
        self.events.truncate(usize::try_from(n).unwrap_or(usize::MAX));
        if n < self.kept {
            let mut rest = self.offsets.as_slice();
            for _ in 1..n {
                if read_leb128(&mut rest).is_none() {
                    break;
                }
            }
            let kept_bytes = if n == 0 { 0 } else { self.offsets.len() - rest.len() };
            self.offsets.truncate(kept_bytes);
            self.kept = n;
        }
        surplus
    }

    /// Tokens in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Tokens whose time was not kept.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.count - self.kept
    }

    /// When the first one came, monotonic nanoseconds.
    #[must_use]
    pub fn first_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.first_ns)
    }

    /// When the last one came.
    #[must_use]
    pub fn last_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.last_ns)
    }

    /// The first tokens with their steps.
    #[must_use]
    pub fn events(&self) -> &[TokenEvent] {
        &self.events
    }

    /// For each kept token LEB128 microseconds since the previous one, the first since `start_ns`; none without tokens.
    #[must_use]
    pub fn offsets(&self, start_ns: u64) -> Option<Vec<u8>> {
        let first_ns = self.first_ns()?;
        let mut bytes = Vec::with_capacity(self.offsets.len() + 5);
        leb128(first_ns.saturating_sub(start_ns) / 1000, &mut bytes);
        bytes.extend_from_slice(&self.offsets);
        Some(bytes)
    }

    /// When the token of that index (from 0) came, as far as it was kept.
    #[must_use]
    pub fn time_ns(&self, index: u64) -> Option<u64> {
        let mut t_ns = self.first_ns()?;
        let mut bytes = self.offsets.as_slice();
        for _ in 0..index {
            t_ns += read_leb128(&mut bytes)? * 1000;
        }
        Some(t_ns.min(self.last_ns))
    }
}

fn leb128(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Read one number off the front; none at the end.
fn read_leb128(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn offsets_lead_back_to_every_time(gaps in prop::collection::vec(0u64..400_000_000_000, 1..200)) {
            let (origin, mut t, mut tokens) = (1_000_000u64, 1_000_000u64, Tokens::default());
            let mut times = Vec::new();
            for gap in gaps {
                t += gap;
                times.push(t);
                tokens.push(origin, t, 1, (0, 1, 0), 0);
            }
            let bytes = tokens.offsets(origin).unwrap_or_default();
            let (mut rest, mut us) = (bytes.as_slice(), 0);
            for t in times {
                us += read_leb128(&mut rest).unwrap_or(u64::MAX / 2);
                prop_assert_eq!(us, (t - origin) / 1000);
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_sequence_longer_than_the_bound_is_counted_but_not_kept() {
        let mut tokens = Tokens::default();
        for i in 0..MAX_TOKENS + 10 {
            tokens.push(0, i * 1_000_000, 1, (i, 1, 0), 4);
        }
        assert_eq!((tokens.count(), tokens.left_out(), tokens.events().len()), (MAX_TOKENS + 10, 10, 4));
        assert_eq!(tokens.offsets(0).map(|b| b.len()), Some(1 + 2 * (MAX_TOKENS as usize - 1)));
    }

    #[test]
    fn tokens_that_the_engine_threw_away_are_forgotten_with_their_times() {
        for n in 0..6 {
            let (mut all, mut wanted) = (Tokens::default(), Tokens::default());
            for i in 1..=5u64 {
                all.push(0, i * i * 1_000_000, 1, (i, 1, 0), 4);
                if i <= n {
                    wanted.push(0, i * i * 1_000_000, 1, (i, 1, 0), 4);
                }
            }
            all.truncate(n);
            assert_eq!((all.count(), all.left_out(), all.events()), (wanted.count(), 0, wanted.events()), "first {n}");
            assert_eq!((all.offsets(0), all.last_ns()), (wanted.offsets(0), wanted.last_ns()), "first {n}");
        }
    }

    #[test]
    fn the_time_of_a_token_is_found_by_its_index() {
        let mut tokens = Tokens::default();
        tokens.push(0, 5_000_000, 2, (1, 1, 0), 0);
        tokens.push(0, 9_000_000, 1, (2, 1, 0), 0);
        assert_eq!(
            (0..4).map(|i| tokens.time_ns(i)).collect::<Vec<_>>(),
            [Some(5_000_000), Some(5_000_000), Some(9_000_000), None]
        );
    }
}

//! The buckets of a set of series.

/// Most buckets: about what a wide screen has pixels for.
pub(crate) const MAX_BUCKETS: usize = 2000;
/// Buckets where no step is asked for, about.
const AUTO_BUCKETS: i64 = 120;
const SECOND_NS: i64 = 1_000_000_000;
/// Widths in seconds that people read without thinking.
const STEPS_S: [i64; 19] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800];

/// Buckets of equal width, the last cut by the end of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    first_ns: i64,
    step_ns: i64,
    buckets: usize,
    to_ns: i64,
}

impl Grid {
    /// Buckets from `from_ns` to `to_ns` (later), each `step_ns` (positive) wide, about 120 where no step is given.
    /// They start at multiples of the step, so that they stay where they are while time goes on, and the first is
    /// whole; a step of the whole range or more is one bucket from `from_ns` to `to_ns`.
    /// None where there would be too many.
    pub(crate) fn new(from_ns: i64, to_ns: i64, step_ns: Option<i64>) -> Option<Self> {
        let width = to_ns.saturating_sub(from_ns);
        let step_ns = step_ns.unwrap_or_else(|| auto_step_ns(width));
        if step_ns >= width {
            return Some(Self { first_ns: from_ns, step_ns: width, buckets: 1, to_ns });
        }
        let first_ns = from_ns - from_ns.rem_euclid(step_ns);
        let buckets = usize::try_from((to_ns - 1 - first_ns) / step_ns + 1).ok()?;
        (buckets <= MAX_BUCKETS).then_some(Self { first_ns, step_ns, buckets, to_ns })
    }

    pub(super) fn buckets(self) -> usize {
        self.buckets
    }

    /// Start of the first bucket.
    pub(super) fn first_ns(self) -> i64 {
        self.first_ns
    }

    /// End of the range.
    pub(super) fn to_ns(self) -> i64 {
        self.to_ns
    }

    pub(super) fn step_ns(self) -> i64 {
        self.step_ns
    }

    #[allow(clippy::cast_precision_loss)] // steps of weeks at most
    pub(super) fn step_ms(self) -> f64 {
        self.step_ns as f64 / 1e6
    }

    /// Start and end of a bucket, the last one's end cut.
    pub(super) fn bounds_ns(self, bucket: usize) -> (i64, i64) {
        let start = self.first_ns + self.step_ns * i64::try_from(bucket).unwrap_or(i64::MAX / self.step_ns);
        (start, (start + self.step_ns).min(self.to_ns))
    }

    /// The same range in buckets of at most `step_ns`, as far as there may be so many.
    pub(super) fn finer(self, step_ns: i64) -> Self {
        let most = i64::try_from(MAX_BUCKETS / self.buckets.max(1)).unwrap_or(1).max(1);
        let pieces = (self.step_ns / step_ns).clamp(1, most);
        let step_ns = self.step_ns / pieces + i64::from(self.step_ns % pieces != 0);
        let width = self.to_ns.saturating_sub(self.first_ns);
        let buckets = usize::try_from((width - 1) / step_ns + 1).unwrap_or(self.buckets);
        Self { step_ns, buckets, ..self }
    }

    /// Seconds of a bucket that are inside the range.
    #[allow(clippy::cast_precision_loss)] // steps of weeks at most
    pub(super) fn width_s(self, bucket: usize) -> f64 {
        let (start, end) = self.bounds_ns(bucket);
        (end - start) as f64 / 1e9
    }

    /// Start of each bucket.
    #[allow(clippy::cast_precision_loss)] // a double holds milliseconds of our century to 1/4096
    pub(super) fn times_ms(self) -> Vec<f64> {
        (0..self.buckets).map(|i| self.bounds_ns(i).0 as f64 / 1e6).collect()
    }

    /// The buckets that a time between `from_ns` and `to_ns` touches.
    pub(super) fn touched(self, from_ns: i64, to_ns: i64) -> std::ops::Range<usize> {
        let index = |ns: i64| ns.saturating_sub(self.first_ns).div_euclid(self.step_ns);
        let clamp = |i: i64| usize::try_from(i).unwrap_or_default().min(self.buckets);
        clamp(index(from_ns))..clamp(index(to_ns.saturating_sub(1)).saturating_add(1))
    }
}

fn auto_step_ns(width_ns: i64) -> i64 {
    let wanted = width_ns / AUTO_BUCKETS;
    let step = STEPS_S.iter().map(|s| s * SECOND_NS).find(|step| *step >= wanted);
    step.unwrap_or(width_ns / AUTO_BUCKETS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed test panics

    use proptest::prelude::*;

    use super::*;

    const MINUTE_NS: i64 = 60 * SECOND_NS;

    #[test]
    fn fifteen_minutes_are_cut_into_tens_of_seconds() {
        let grid = Grid::new(1_000 * MINUTE_NS, 1_015 * MINUTE_NS, None).unwrap();
        assert_eq!((grid.step_ns, grid.buckets), (10 * SECOND_NS, 90));
    }

    #[test]
    fn buckets_start_at_multiples_of_the_step_and_the_last_is_cut() {
        let grid = Grid::new(7 * SECOND_NS, 32 * SECOND_NS, Some(10 * SECOND_NS)).unwrap();
        assert_eq!(grid.times_ms(), [0.0, 10_000.0, 20_000.0, 30_000.0]);
        assert_eq!(grid.width_s(3), 2.0);
    }

    #[test]
    fn a_step_of_the_whole_range_is_one_bucket() {
        let grid = Grid::new(7, 32, Some(MINUTE_NS)).unwrap();
        assert_eq!((grid.first_ns, grid.buckets, grid.step_ns), (7, 1, 25));
    }

    #[test]
    fn too_many_buckets_are_refused() {
        assert_eq!(Grid::new(0, 2001 * SECOND_NS, Some(SECOND_NS)), None);
        assert!(Grid::new(0, 2000 * SECOND_NS, Some(SECOND_NS)).is_some());
    }

    proptest! {
        #[test]
        fn the_buckets_cover_the_range(from in 0..i64::MAX / 4, width in 1..i64::MAX / 4, step in 1..i64::MAX / 4) {
            if let Some(grid) = Grid::new(from, from + width, Some(step)) {
                let fine = grid.finer(1 + step / 7);
                prop_assert!(fine.buckets() <= MAX_BUCKETS && fine.step_ns <= grid.step_ns);
                prop_assert_eq!(fine.bounds_ns(fine.buckets() - 1).1, from + width);
                prop_assert!(grid.bounds_ns(0).0 <= from);
                prop_assert_eq!(grid.bounds_ns(grid.buckets() - 1).1, from + width);
                prop_assert_eq!(grid.touched(from, from + width), 0..grid.buckets());
            }
        }
    }
}

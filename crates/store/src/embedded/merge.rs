//! Which segments are merged next.
//!
//! Every flush makes a small segment a table; many small files cost every query. Segments of like size are merged
//! eight at a time, so a row is rewritten a logarithmic number of times. A merged segment stays within one day, so
//! that retention can drop days.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::embedded::config::EmbeddedConfig;
use crate::embedded::segment::Segment;
use crate::embedded::shared::Segments;

/// Segments up to this size are alike, whatever their size.
const SMALLEST_BYTES: u64 = 256 << 10;
const DAY_NS: i64 = 86_400_000_000_000;

/// Segments of one table that are to become one, oldest first.
pub(crate) fn pick(segments: &Segments, config: &EmbeddedConfig) -> Option<Vec<Arc<Segment>>> {
    let count = config.merge_segments.max(2);
    for (_, of_table) in segments.iter() {
        let mut alike: BTreeMap<(i64, u32), Vec<Arc<Segment>>> = BTreeMap::new();
        for segment in of_table {
            let entry = segment.entry();
            let day = entry.min_time.div_euclid(DAY_NS);
            if entry.max_time.div_euclid(DAY_NS) == day {
                alike.entry((day, tier(entry.bytes, count))).or_default().push(Arc::clone(segment));
            }
        }
        for mut group in alike.into_values() {
            group.truncate(count);
            let bytes: u64 = group.iter().map(|segment| segment.entry().bytes).sum();
            if group.len() == count && bytes <= config.segment_bytes {
                return Some(group);
            }
        }
    }
    None
}

fn tier(bytes: u64, count: usize) -> u32 {
    (bytes / SMALLEST_BYTES).checked_ilog(count as u64).map_or(0, |power| power + 1)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::embedded::manifest::SegmentEntry;
    use crate::table::Table;

    fn segment(id: u64, bytes: u64, min_time: i64) -> Arc<Segment> {
        let entry = SegmentEntry {
            table: Table::Spans,
            id,
            file: String::new(),
            rows: 1,
            bytes,
            arrow_bytes: bytes,
            min_time,
            max_time: min_time + 1,
        };
        Arc::new(Segment::new(Path::new("/nowhere"), entry))
    }

    fn picked(spans: Vec<Arc<Segment>>) -> Option<Vec<u64>> {
        let mut segments = Segments::default();
        segments[Table::Spans] = spans;
        let config = EmbeddedConfig { merge_segments: 3, ..EmbeddedConfig::default() };
        pick(&segments, &config).map(|group| group.iter().map(|segment| segment.entry().id).collect())
    }

    #[test]
    fn the_oldest_of_enough_small_segments_are_merged() {
        assert_eq!(picked((0..5).map(|i| segment(i, 1000, i as i64)).collect()), Some(vec![0, 1, 2]));
        assert_eq!(picked((0..2).map(|i| segment(i, 1000, i as i64)).collect()), None);
    }

    #[test]
    fn a_large_segment_does_not_take_part_in_the_merge_of_small_ones() {
        let mut segments = vec![segment(9, 50 << 20, 0)];
        segments.extend((0..2).map(|i| segment(i, 1000, 1)));
        assert_eq!(picked(segments), None);
    }

    #[test]
    fn segments_that_would_become_too_large_stay() {
        assert_eq!(picked((0..3).map(|i| segment(i, 60 << 20, 0)).collect()), None);
    }

    #[test]
    fn segments_of_different_days_stay_apart() {
        assert_eq!(picked((0..3).map(|i| segment(i, 1000, i as i64 * DAY_NS)).collect()), None);
    }
}

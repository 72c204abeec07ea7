//! Which segments are too old.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::embedded::config::EmbeddedConfig;
use crate::embedded::segment::Segment;
use crate::embedded::shared::Segments;
use crate::table::Table;

/// The segments whose youngest row is older than the configuration keeps, at the time `now`.
pub(crate) fn expired(segments: &Segments, config: &EmbeddedConfig, now: SystemTime) -> Vec<Arc<Segment>> {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut expired = Vec::new();
    for (table, of_table) in segments.iter() {
        let keep = match table {
            Table::Content => config.keep_content,
            Table::Spans | Table::Points | Table::Logs => config.keep_metadata,
        };
        let Some(oldest) = keep.and_then(|age| now.checked_sub(age)).map(unix_ns) else { continue };
        expired.extend(of_table.iter().filter(|segment| segment.entry().max_time < oldest).cloned());
    }
    expired
}

fn unix_ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

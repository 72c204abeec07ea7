//! Times as a client writes them: RFC 3339, Unix milliseconds, or relative to now.

use chrono::DateTime;

const SECOND_NS: f64 = 1e9;

/// Unix nanoseconds of `2026-11-24T03:00:00Z`, `1795489200000`, `now` or `now-15m`; none where it is no time.
pub(super) fn parse(text: &str, now_ns: i64) -> Option<i64> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("now") {
        return match rest.strip_prefix('-') {
            Some(back) => now_ns.checked_sub(parse_duration(back, None)?),
            None => rest.is_empty().then_some(now_ns),
        };
    }
    if let Ok(ms) = text.parse::<f64>() {
        // The fraction apart: a double does not hold nanoseconds of our century.
        return nanos(ms.trunc() * 1e6)?.checked_add(nanos(ms.fract().abs() * 1e6)?);
    }
    DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt().filter(|ns| *ns >= 0)
}

/// Nanoseconds of `15m`, `1.5h`, `250ms`; a bare number is in `bare` seconds where that is given.
pub(super) fn parse_duration(text: &str, bare: Option<f64>) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit {
        "" => bare?,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    nanos(number.parse::<f64>().ok()? * seconds * SECOND_NS)
}

fn nanos(ns: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // in range by the comparison
    (0.0..9.2e18).contains(&ns).then_some(ns as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_489_200_000_000_000;

    #[test]
    fn each_way_to_write_a_time_is_understood() {
        let cases = [
            ("now", NOW),
            ("now-15m", NOW - 900_000_000_000),
            ("now-1.5h", NOW - 5_400_000_000_000),
            ("now-2d", NOW - 172_800_000_000_000),
            ("1795489200000", NOW),
            ("1795489200000.5", NOW + 500_000),
            ("2026-11-24T03:00:00Z", NOW),
            ("2026-11-24T04:00:00.25+01:00", NOW + 250_000_000),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, NOW), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "nowish", "now-", "now-5", "now-5y", "now+5m", "yesterday", "2026-11-24", "-5", "NaN", "1e300"]
        {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            let _ = parse(&text, NOW);
            let _ = parse_duration(&text, Some(1.0));
        }
    }
}

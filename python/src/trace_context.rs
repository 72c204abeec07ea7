//! W3C Trace Context (<https://www.w3.org/TR/trace-context-2/>): reads `traceparent`, writes `traceresponse`.

use rand::Rng;

/// Length of a version 00 traceparent: `00-<32>-<16>-<2>`.
pub(crate) const HEADER_LEN: usize = 55;

/// Flags of a trace that begins here: sampled.
const SAMPLED: u8 = 1;

/// The caller's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) flags: u8,
}

impl Parent {
    /// Reads a traceparent strictly; anything else than a valid one is as none.
    pub(crate) fn parse(header: &[u8]) -> Option<Self> {
        let (known, rest) = header.split_at_checked(HEADER_LEN)?;
        let [version] = hex(known.get(0..2)?)?;
        let later = version != 0 && rest.first() == Some(&b'-');
        if version == 0xff || !(rest.is_empty() || later) {
            return None;
        }
        if [2, 35, 52].iter().any(|&dash| known.get(dash) != Some(&b'-')) {
            return None;
        }
        let trace_id = hex(known.get(3..35)?)?;
        let span_id = hex(known.get(36..52)?)?;
        let [flags] = hex(known.get(53..55)?)?;
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id, flags })
    }
}

/// Fresh ids: of a trace, in case the request brings none, and of the request's own span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    trace_id: [u8; 16],
    span_id: [u8; 8],
}

impl Ids {
    /// Random ids; never zeros, which mean "no id".
    pub(crate) fn random(random: &mut impl Rng) -> Self {
        let mut ids = Self { trace_id: [0; 16], span_id: [0; 8] };
        random.fill_bytes(&mut ids.trace_id);
        random.fill_bytes(&mut ids.span_id);
        if ids.trace_id == [0; 16] {
            ids.trace_id = [1; 16];
        }
        if ids.span_id == [0; 8] {
            ids.span_id = [1; 8];
        }
        ids
    }
}

/// The request's own place in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// Zeros without a caller's span.
    pub(crate) parent_span_id: [u8; 8],
    pub(crate) flags: u8,
}

impl Span {
    pub(crate) fn new(ids: Ids, parent: Option<Parent>) -> Self {
        let (trace_id, parent_span_id, flags) =
            parent.map_or((ids.trace_id, [0; 8], SAMPLED), |p| (p.trace_id, p.span_id, p.flags));
        Self { trace_id, span_id: ids.span_id, parent_span_id, flags }
    }

    /// `00-<trace id>-<span id>-<flags>`.
    pub(crate) fn traceresponse(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(b"00-");
        push_hex(&mut header, &self.trace_id);
        header.push(b'-');
        push_hex(&mut header, &self.span_id);
        header.push(b'-');
        push_hex(&mut header, &[self.flags]);
        header
    }
}

/// Lower-case hex digits, exactly twice as many as bytes.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
    for byte in bytes {
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use proptest::prelude::*;
    use rand::rngs::SmallRng;
    use rand::{SeedableRng, TryRng};

    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_valid_traceparent_gives_its_three_parts() {
        let parent = Parent::parse(VALID.as_bytes()).unwrap();
        assert_eq!(parent.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
        assert_eq!(parent.span_id, 0xb7ad_6b71_6920_3331_u64.to_be_bytes());
        assert_eq!(parent.flags, 1);
    }

    #[test]
    fn a_later_version_may_say_more_behind_another_dash() {
        let later = VALID.replacen("00", "cc", 1);
        assert!(Parent::parse(later.as_bytes()).is_some());
        assert!(Parent::parse(format!("{later}-what-comes").as_bytes()).is_some());
        assert!(Parent::parse(format!("{later}.what").as_bytes()).is_none());
        assert!(Parent::parse(format!("{VALID}-what").as_bytes()).is_none(), "version 00 ends here");
    }

    #[test]
    fn anything_else_is_as_no_traceparent() {
        for bad in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID} "),
            &VALID.to_uppercase(),
            &VALID.replacen("00-", "ff-", 1),
            &VALID.replacen("00-", "0x-", 1),
            &VALID.replacen("00-", "00_", 1),
            &VALID.replace("9c-", "9c_"),
            &VALID.replace("31-", "31_"),
            &VALID.replace("0af7", "0ag7"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ] {
            assert_eq!(Parent::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn without_a_caller_a_sampled_trace_begins() {
        let mut random = SmallRng::seed_from_u64(1);
        let span = Span::new(Ids::random(&mut random), None);
        assert_eq!((span.parent_span_id, span.flags), ([0; 8], 1));
        let other = Span::new(Ids::random(&mut random), None);
        assert!(span.trace_id != other.trace_id && span.span_id != other.span_id);
    }

    #[test]
    fn the_callers_trace_and_flags_are_kept_and_its_span_becomes_the_parent() {
        let parent = Parent::parse(VALID.replace("-01", "-00").as_bytes());
        let span = Span::new(Ids::random(&mut SmallRng::seed_from_u64(1)), parent);
        let parent = parent.unwrap();
        assert_eq!((span.trace_id, span.parent_span_id, span.flags), (parent.trace_id, parent.span_id, 0));
        assert_ne!(span.span_id, parent.span_id);
    }

    /// The worst luck.
    struct Zeros;

    impl TryRng for Zeros {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn an_id_is_never_zero() {
        let span = Span::new(Ids::random(&mut Zeros), None);
        assert!(span.trace_id != [0; 16] && span.span_id != [0; 8]);
    }

    proptest! {
        #[test]
        fn a_traceresponse_reads_back_as_a_traceparent(trace in 1..u128::MAX, span in 1..u64::MAX, flags: u8) {
            let (trace_id, span_id) = (trace.to_be_bytes(), span.to_be_bytes());
            let span = Span { trace_id, span_id, parent_span_id: [0; 8], flags };
            prop_assert_eq!(Parent::parse(&span.traceresponse()), Some(Parent { trace_id, span_id, flags }));
        }

        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_what_was_written(
            at in 0..HEADER_LEN, byte: u8, more in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut header = VALID.as_bytes().to_vec();
            header[at] = byte;
            header.extend(more);
            if let Some(p) = Parent::parse(&header) {
                let span = Span { trace_id: p.trace_id, span_id: p.span_id, parent_span_id: [0; 8], flags: p.flags };
                prop_assert_eq!(&span.traceresponse()[2..], &header[2..HEADER_LEN]);
            }
        }
    }
}

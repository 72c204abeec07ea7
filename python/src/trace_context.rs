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

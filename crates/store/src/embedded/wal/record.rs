//! The bytes of one frame in the log, and how frames are found again in a file that may be damaged.
//!
//! Little-endian: magic `TGW1`, payload length (u32), signal (u8) and three zero bytes, time of receipt (u64, Unix ns),
//! CRC-32 of the payload, CRC-32 of the 24 bytes before; then the payload. The header has a checksum of its own so
//! that a damaged payload is stepped over, and a damaged header is searched past.

use bytes::Bytes;

use crate::frame::{Frame, Signal};

const MAGIC: [u8; 4] = *b"TGW1";
const HEADER_BYTES: usize = 28;
const CHECKED_BYTES: usize = HEADER_BYTES - 4;

/// Appends the record of `frame` to `out`. The payload's length must fit in 32 bits.
pub(crate) fn encode(frame: &Frame, length: u32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[signal_code(frame.signal), 0, 0, 0]);
    out.extend_from_slice(&frame.received_ns.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&frame.payload).to_le_bytes());
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&frame.payload);
}

/// A stretch of a log file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole frame.
    Frame(Frame),
    /// Bytes that are no whole frame although one follows them.
    Damaged(usize),
    /// Bytes at the end that no whole frame follows: a write that a crash cut short.
    Torn(usize),
}

/// Splits the content of a file into pieces, in order. Their lengths add up to the length of the file.
pub(crate) fn split(file: &Bytes) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut bad_from = 0;
    while at < file.len() {
        match frame_at(file, at) {
            Found::Frame { frame, end } => {
                if bad_from < at {
                    pieces.push(Piece::Damaged(at - bad_from));
                }
                pieces.push(Piece::Frame(frame));
                at = end;
                bad_from = end;
            }
            Found::DamagedPayload { end } => at = end,
            Found::Nothing => at = next_magic(file, at + 1),
        }
    }
    if bad_from < file.len() {
        pieces.push(Piece::Torn(file.len() - bad_from));
    }
    pieces
}

enum Found {
    Frame { frame: Frame, end: usize },
    DamagedPayload { end: usize },
    Nothing,
}

fn frame_at(file: &Bytes, at: usize) -> Found {
    let Some(header) = file.get(at..).and_then(<[u8]>::first_chunk::<HEADER_BYTES>) else { return Found::Nothing };
    let (checked, checksum) = header.split_at(CHECKED_BYTES);
    if !header.starts_with(&MAGIC) || crc32fast::hash(checked).to_le_bytes() != checksum {
        return Found::Nothing;
    }
    let Some(signal) = signal_of(header[8]) else { return Found::Nothing };
    let start = at + HEADER_BYTES;
    let end = start.saturating_add(u32_at(header, 4) as usize);
    if end > file.len() {
        return Found::Nothing;
    }
    let payload = file.slice(start..end);
    if crc32fast::hash(&payload) != u32_at(header, 20) {
        return Found::DamagedPayload { end };
    }
    let received_ns = u64::from(u32_at(header, 12)) | u64::from(u32_at(header, 16)) << 32;
    Found::Frame { frame: Frame { signal, received_ns, payload }, end }
}

fn next_magic(file: &[u8], from: usize) -> usize {
    let rest = file.get(from..).unwrap_or_default();
    rest.windows(MAGIC.len()).position(|window| window == MAGIC).map_or(file.len(), |found| from + found)
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    header.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn signal_code(signal: Signal) -> u8 {
    match signal {
        Signal::Traces => 1,
        Signal::Metrics => 2,
        Signal::Logs => 3,
    }
}

fn signal_of(code: u8) -> Option<Signal> {
    match code {
        1 => Some(Signal::Traces),
        2 => Some(Signal::Metrics),
        3 => Some(Signal::Logs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame() -> impl Strategy<Value = Frame> {
        let signal = prop_oneof![Just(Signal::Traces), Just(Signal::Metrics), Just(Signal::Logs)];
        let payload = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            // A payload that looks like the start of a record must not lead the search astray.
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|tail| [MAGIC.as_slice(), &tail].concat()),
        ];
        (signal, any::<u64>(), payload).prop_map(|(signal, received_ns, payload)| Frame {
            signal,
            received_ns,
            payload: payload.into(),
        })
    }

    fn file_of(frames: &[Frame]) -> (Vec<u8>, Vec<usize>) {
        let mut file = Vec::new();
        let mut ends = Vec::new();
        for frame in frames {
            encode(frame, u32::try_from(frame.payload.len()).unwrap_or(u32::MAX), &mut file);
            ends.push(file.len());
        }
        (file, ends)
    }

    fn frames_of(pieces: Vec<Piece>) -> Vec<Frame> {
        pieces.into_iter().filter_map(|p| if let Piece::Frame(frame) = p { Some(frame) } else { None }).collect()
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_split_into_the_same_frames(frames in proptest::collection::vec(frame(), 0..8)) {
            let (file, _) = file_of(&frames);
            let expected: Vec<Piece> = frames.into_iter().map(Piece::Frame).collect();
            prop_assert_eq!(split(&file.into()), expected);
        }

        #[test]
        fn a_file_cut_anywhere_yields_the_frames_before_the_cut_and_one_torn_piece(
            frames in proptest::collection::vec(frame(), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let (mut file, ends) = file_of(&frames);
            let cut = cut.index(file.len() + 1);
            file.truncate(cut);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let torn = cut - whole.checked_sub(1).map_or(0, |last| ends[last]);
            let mut expected: Vec<Piece> = frames[..whole].iter().cloned().map(Piece::Frame).collect();
            if torn > 0 {
                expected.push(Piece::Torn(torn));
            }
            prop_assert_eq!(split(&file.into()), expected);
        }

        #[test]
        fn a_flipped_bit_costs_the_frame_it_is_in_and_no_other(
            frames in proptest::collection::vec(frame(), 1..8),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let (mut file, ends) = file_of(&frames);
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            let hit = ends.iter().filter(|end| **end <= at).count();
            let mut expected = frames;
            expected.remove(hit);
            prop_assert_eq!(frames_of(split(&file.into())), expected);
        }

        #[test]
        fn any_bytes_at_all_are_split_without_loss(file in proptest::collection::vec(any::<u8>(), 0..300)) {
            let total: usize = split(&file.clone().into()).iter().map(|piece| match piece {
                Piece::Frame(frame) => HEADER_BYTES + frame.payload.len(),
                Piece::Damaged(bytes) | Piece::Torn(bytes) => *bytes,
            }).sum();
            prop_assert_eq!(total, file.len());
        }
    }
}

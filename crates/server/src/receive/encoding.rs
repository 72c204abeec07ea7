//! `Content-Encoding`: undo a compression without ever holding more than an export may have.

use std::io::{self, Read};

use bytes::Bytes;

use super::budget::Share;
use super::{MAX_EXPORT_BYTES, Refusal};

/// Read in steps of this many bytes, each accounted for before the next.
const STEP_BYTES: usize = 64 << 10;

/// A compression that OTLP over HTTP may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// From the value of `Content-Encoding`, absent for none.
    pub(super) fn parse(value: Option<&str>) -> Result<Self, Refusal> {
        match value.map(str::trim) {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => Err(Refusal::Encoding(other.to_owned())),
        }
    }

    /// The plain bytes of a body.
    pub(super) fn decode(self, body: Bytes, share: &mut Share) -> Result<Bytes, Refusal> {
        match self {
            Self::Identity => Ok(body),
            Self::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(body.as_ref()), share),
            Self::Zstd => read_bounded(zstd::stream::read::Decoder::new(body.as_ref()).map_err(broken)?, share),
        }
    }
}

fn read_bounded(mut from: impl Read, share: &mut Share) -> Result<Bytes, Refusal> {
    let mut plain = Vec::new();
    loop {
        let read = (&mut from).take(STEP_BYTES as u64).read_to_end(&mut plain).map_err(broken)?;
        if read == 0 {
            return Ok(plain.into());
        }
        if plain.len() > MAX_EXPORT_BYTES {
            return Err(Refusal::TooLarge);
        }
        share.grow(read)?;
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that map_err wants
fn broken(error: io::Error) -> Refusal {
    Refusal::Malformed(format!("the body does not decompress: {error}"))
}

//! What the supervisor tells the recorder, over a pipe that is the recorder's standard input.
//!
//! One byte: the engine has ended, so drain, flush and exit. End of file without it: the supervisor itself is gone, so
//! go on as long as an engine process lives. A signal would not do: systemd and `pkill` send theirs to every process,
//! the recorder included, while the engine still answers its last requests.

use std::io::{PipeWriter, Write};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// The byte that says so.
const ENGINE_ENDED: u8 = b'e';

/// What the recorder learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The engine has ended.
    EngineEnded,
    /// The supervisor is gone without a word.
    OwnerGone,
}

/// Tells the recorder that the engine has ended; a recorder that is gone needs no word.
pub(super) fn tell_engine_ended(mut pipe: &PipeWriter) {
    let _ = pipe.write_all(&[ENGINE_ENDED]);
}

/// Waits for the supervisor's word on `pipe`.
pub(crate) async fn word(pipe: &mut pipe::Receiver) -> Word {
    match pipe.read_u8().await {
        Ok(ENGINE_ENDED) => Word::EngineEnded,
        _ => Word::OwnerGone,
    }
}

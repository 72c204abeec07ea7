//! A directory without room, alone in its process: the limit on a file's size, which stands for a full disk,
//! holds for all of it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use tachograph_ring::{DEFAULT_CAPACITY, RingError, Writer};

#[test]
fn without_room_no_ring_is_made_the_error_says_how_much_was_wanted_and_nothing_is_left() {
    // SAFETY: no handler is installed; the signal is ignored, as Python does.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = Writer::create(dir.path(), DEFAULT_CAPACITY).err().unwrap();
    assert!(matches!(error, RingError::Space { bytes: 8_392_704, .. }), "{error}");
    assert!(error.to_string().starts_with("cannot reserve 8392704 bytes for the ring (File too large"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(Writer::create(dir.path(), 1 << 16).is_ok(), "a smaller one fits");
}

//! Why a server does not start or stops.

use std::io;
use std::net::SocketAddr;

/// Why a server did not start, or how it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else listens there.
    #[error("{what} port is in use; stop the other program or choose another with {flag}: {addr}")]
    PortInUse {
        /// Which listener, in the user's words.
        what: &'static str,
        /// The flag that moves it.
        flag: &'static str,
        /// The address wanted.
        addr: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen for {what} ({source}); choose another address with {flag}: {addr}")]
    Bind {
        /// Which listener, in the user's words.
        what: &'static str,
        /// The flag that moves it.
        flag: &'static str,
        /// The address wanted.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The address can be reached from elsewhere.
    #[error(
        "{what} would be open to others, which needs keys first, and this version has none yet; \
         use a loopback address with {flag}, e.g. 127.0.0.1, and a proxy or SSH tunnel that checks who comes: {addr}"
    )]
    NotLoopback {
        /// Which listener, in the user's words.
        what: &'static str,
        /// The flag that moves it.
        flag: &'static str,
        /// The address wanted.
        addr: SocketAddr,
    },
    /// The store cannot be opened, or could not be closed.
    #[error(transparent)]
    Store(#[from] tachograph_store::StoreError),
    /// A listener failed while it ran.
    #[error("{what} stopped; see the system's message and start the server again: {reason}")]
    Listener {
        /// Which listener, in the user's words.
        what: &'static str,
        /// What was said.
        reason: String,
    },
}

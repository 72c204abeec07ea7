//! What can keep the recorder from starting. Once it runs, faults are counted and it goes on.

use std::path::PathBuf;

/// Why the recorder cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting makes no sense.
    #[error("{variable} is not valid: {reason}; {next}")]
    Setting {
        /// The environment variable.
        variable: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        next: &'static str,
    },
    /// A certificate or key cannot be read.
    #[error("{variable} names a file that cannot be read, check its path and mode: {path}: {source}")]
    File {
        /// The environment variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory of the rings cannot be listed.
    #[error("the ring directory cannot be read, check that it exists and is yours: {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

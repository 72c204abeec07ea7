//! Where things are: the clone, its scratch, and the cache shared by clones.

use std::path::{Path, PathBuf};

/// Root of the clone.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Scratch of this clone: small virtual environments, the wheel. Git ignores it.
pub(crate) fn scratch() -> PathBuf {
    root().join(".cache")
}

/// What runs leave behind to look at: logs, screenshots, reports. Git ignores it.
pub(crate) fn artifacts() -> PathBuf {
    root().join("artifacts")
}

/// Large things that clones may share: engines and tiny models. `TACHOGRAPH_CACHE_DIR` moves it.
pub(crate) fn cache() -> PathBuf {
    if let Some(dir) = std::env::var_os("TACHOGRAPH_CACHE_DIR") {
        return dir.into();
    }
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(scratch)
        .join("tachograph")
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

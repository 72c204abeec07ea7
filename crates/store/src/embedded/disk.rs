//! Files that are on disk when a call returns.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::StoreError;

/// Makes names created, renamed or removed in `directory` durable. The parent of a relative path of one name is empty.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let sync = File::open(directory).and_then(|d| d.sync_all());
    sync.map_err(|e| StoreError::io("sync a directory", directory, e))
}

/// Replaces `path` with `content` in one step: after a crash it holds the old or the new, whole. On an error it holds
/// the old. Which of the two a crash leaves is certain only after [`sync_directory`].
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|e| StoreError::io("replace a file", path, e))
}

/// Removes a file that nothing refers to. If that fails, the next opening does it.
pub(crate) fn discard(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::warn!("cannot remove a file that is no longer used ({e}): {}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_relative_path_is_a_directory() {
        assert!(Path::new("data").parent().is_some_and(|parent| sync_directory(parent).is_ok()));
    }
}

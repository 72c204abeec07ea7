//! One process owns one directory.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use crate::embedded::disk;
use crate::error::StoreError;

const FILE: &str = "LOCK";

/// Creates `directory` where it is missing and takes it; it is free again when the file is dropped, also after a kill.
pub(crate) fn take(directory: &Path) -> Result<File, StoreError> {
    let not_writable = |e| StoreError::NotWritable { directory: directory.to_owned(), source: Arc::new(e) };
    if !directory.is_dir() {
        fs::create_dir_all(directory).map_err(not_writable)?;
        directory.parent().map_or(Ok(()), disk::sync_directory)?;
    }
    let path = directory.join(FILE);
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(directory.to_owned())),
        Err(TryLockError::Error(e)) => Err(StoreError::io("lock the data directory", &path, e)),
    }
}

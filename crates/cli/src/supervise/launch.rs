//! The runtime directory of one launch, made, locked, swept and removed.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::unistd::geteuid;
use uuid::Uuid;

use super::place::{BASE_VARIABLE, Place};

/// Held shared by the supervisor and its recorder: as long as one of them lives, nobody sweeps the directory. A lock
/// and not a process id, because containers may share the base and not their process ids.
const LOCK: &str = "launch.lock";
/// Longest content of it that is read: a process id.
const LOCK_BYTES: u64 = 32;
/// Entries of the base that are looked at for launches, dead or alive.
const SWEEP_ENTRIES: usize = 256;
/// A directory younger than this may belong to a launch that has not locked it yet.
const SWEEP_AGE: Duration = Duration::from_secs(10);
/// Tries against another launch that removes the empty base at the same moment.
const TRIES: usize = 3;

/// The directory of this launch.
pub(super) struct Launch {
    place: Place,
    dir: PathBuf,
    _lock: File,
}

impl Launch {
    /// Makes the directory in the first place that allows it, and removes what dead launches left there.
    ///
    /// # Errors
    /// No place allows it: why, for each.
    pub(super) fn create() -> Result<Self> {
        let mut reasons = Vec::new();
        for place in Place::candidates(|name| std::env::var_os(name)) {
            match Self::create_in(place) {
                Ok(launch) => return Ok(launch),
                Err(error) => reasons.push(format!("{error:#}")),
            }
        }
        Err(anyhow!("no runtime directory: {}; set {BASE_VARIABLE} to a directory of your own", reasons.join("; ")))
    }

    fn create_in(place: Place) -> Result<Self> {
        let mut tries = TRIES;
        loop {
            let base = place.claim()?;
            let dir = base.join(Uuid::new_v4().to_string());
            match make(&dir) {
                Ok(lock) => {
                    sweep(&base);
                    return Ok(Self { place, dir, _lock: lock });
                }
                Err(error) => {
                    let _ = fs::remove_dir_all(&dir);
                    tries -= 1;
                    if tries == 0 || base.exists() {
                        place.release();
                        return Err(error).with_context(|| format!("cannot make {}", dir.display()));
                    }
                }
            }
        }
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the directory with all that is in it.
    pub(super) fn remove(self) {
        let _ = fs::remove_dir_all(&self.dir);
        self.place.release();
    }
}

/// Holds the launch in `dir` against sweeping for as long as the result lives.
///
/// # Errors
/// There is no such launch, or it is being swept.
pub(crate) fn hold(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let file = File::open(&path).with_context(|| format!("no launch directory: cannot open {}", path.display()))?;
    file.try_lock_shared().with_context(|| format!("the launch is being removed: {}", dir.display()))?;
    Ok(file)
}

/// Directories of the launches of this user that run now.
pub(crate) fn live_launches() -> Vec<PathBuf> {
    let mut launches = Vec::new();
    for base in Place::candidates(|name| std::env::var_os(name)).iter().map(Place::base) {
        // A variable that belongs to a launch names the directory of that one.
        let entries = fs::read_dir(base).into_iter().flatten().take(SWEEP_ENTRIES).flatten().map(|entry| entry.path());
        launches.extend(std::iter::once(base.to_owned()).chain(entries).filter(|dir| is_live(dir)));
    }
    launches.sort();
    launches.dedup();
    launches
}

/// Process id of the supervisor that made the launch in `dir`.
pub(crate) fn supervisor_of(dir: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(dir.join(LOCK)).ok()?.take(LOCK_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn is_live(dir: &Path) -> bool {
    let owned = fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw());
    // Whoever lives holds it shared.
    owned && File::open(dir.join(LOCK)).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn make(dir: &Path) -> Result<File> {
    DirBuilder::new().mode(0o700).create(dir)?;
    let mut lock = File::create_new(dir.join(LOCK))?;
    lock.try_lock_shared()?;
    writeln!(lock, "{}", std::process::id())?;
    Ok(lock)
}

/// Removes directories whose launch is dead.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.take(SWEEP_ENTRIES).flatten() {
        let is_launch = entry.file_name().to_str().is_some_and(|name| Uuid::try_parse(name).is_ok());
        if is_launch && is_dead(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_dead(dir: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(dir) else { return false };
    let old = meta.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > SWEEP_AGE);
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() || !old {
        return false;
    }
    match File::open(dir.join(LOCK)) {
        Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_))),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::time::SystemTime;

    use super::*;

    fn launch(base: &Path, age: Duration) -> (PathBuf, File) {
        let dir = base.join(Uuid::new_v4().to_string());
        let lock = make(&dir).unwrap();
        fs::write(dir.join("1.ring"), b"x").unwrap();
        File::open(&dir).unwrap().set_modified(SystemTime::now() - age).unwrap();
        (dir, lock)
    }

    #[test]
    fn a_dead_launch_is_swept() {
        let base = tempfile::tempdir().unwrap();
        let (dir, lock) = launch(base.path(), SWEEP_AGE * 2);
        drop(lock);
        sweep(base.path());
        assert!(!dir.exists());
    }

    #[test]
    fn a_launch_whose_supervisor_or_recorder_lives_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let (dir, lock) = launch(base.path(), SWEEP_AGE * 2);
        let recorder = hold(&dir).unwrap();
        sweep(base.path());
        assert!(dir.exists());
        drop(lock);
        sweep(base.path());
        assert!(dir.exists());
        drop(recorder);
        sweep(base.path());
        assert!(!dir.exists());
    }

    #[test]
    fn a_launch_lives_as_long_as_its_supervisor_or_recorder() {
        let base = tempfile::tempdir().unwrap();
        let (dir, lock) = launch(base.path(), Duration::ZERO);
        assert!(is_live(&dir) && !is_live(base.path()));
        assert_eq!(supervisor_of(&dir), Some(std::process::id()));
        let recorder = hold(&dir).unwrap();
        drop(lock);
        assert!(is_live(&dir));
        drop(recorder);
        assert!(!is_live(&dir));
    }

    #[test]
    fn a_young_directory_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let (dir, lock) = launch(base.path(), Duration::ZERO);
        drop(lock);
        sweep(base.path());
        assert!(dir.exists());
    }

    #[test]
    fn what_is_no_launch_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let other = base.path().join("notes");
        fs::create_dir(&other).unwrap();
        File::open(&other).unwrap().set_modified(SystemTime::now() - SWEEP_AGE * 2).unwrap();
        sweep(base.path());
        assert!(other.exists());
    }
}

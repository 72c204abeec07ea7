//! Where launch directories may lie: memory first, never where somebody else could put something in their place.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

/// The base directory, if the user wants a certain one.
pub(crate) const BASE_VARIABLE: &str = "TACHOGRAPH_RUNTIME_DIR";

/// Free bytes that /dev/shm must have: engines pass tensors through it, and a container's default is 64 MiB in all,
/// which is theirs.
const SHARED_MEMORY_ROOM: u64 = 128 << 20;
/// Free bytes that any other place must have: two rings of the default size.
const ROOM: u64 = 16 << 20;
/// Others may write here (group or world).
const OTHERS_WRITE: u32 = 0o022;
/// Only the owner of a file may rename or remove it here.
const STICKY: u32 = 0o1000;

/// A base directory that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    base: PathBuf,
    room: u64,
    /// The user named it: it stays when it is empty, and there is no other.
    chosen: bool,
}

impl Place {
    /// The places to try, best first; `variable` reads the environment.
    pub(super) fn candidates(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(base) = set(BASE_VARIABLE) {
            return vec![Self { base, room: ROOM, chosen: true }];
        }
        let ours = format!("tachograph-{}", geteuid());
        let mut places =
            vec![Self { base: Path::new("/dev/shm").join(&ours), room: SHARED_MEMORY_ROOM, chosen: false }];
        places.extend(set("XDG_RUNTIME_DIR").map(|dir| Self {
            base: dir.join("tachograph"),
            room: ROOM,
            chosen: false,
        }));
        let temporary = set("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
        places.push(Self { base: temporary.join(&ours), room: ROOM, chosen: false });
        places
    }

    /// The directory, which need not exist.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Makes sure that the base exists, is safe and has room, and returns its absolute path.
    ///
    /// # Errors
    /// It does not and cannot be made, or is not safe, or has no room.
    pub(super) fn claim(&self) -> Result<PathBuf> {
        let base = &self.base;
        match DirBuilder::new().mode(0o700).recursive(self.chosen).create(base) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("cannot make {}", base.display()));
            }
            _ => {}
        }
        if !self.chosen && !fs::symlink_metadata(base).is_ok_and(|meta| meta.is_dir()) {
            bail!("{} is not a directory of ours", base.display());
        }
        let base = fs::canonicalize(base).with_context(|| format!("cannot open {}", base.display()))?;
        is_safe(&base, self.chosen)?;
        has_room(&base, self.room)?;
        Ok(base)
    }

    /// Removes the base where we made it and no other launch uses it.
    pub(super) fn release(&self) {
        if !self.chosen {
            let _ = fs::remove_dir(&self.base);
        }
    }
}

/// Nobody else may be able to put another directory in the place of ours.
fn is_safe(base: &Path, chosen: bool) -> Result<()> {
    let meta = fs::metadata(base).with_context(|| format!("cannot open {}", base.display()))?;
    let ours = meta.uid() == geteuid().as_raw();
    let root = chosen && meta.uid() == 0;
    if !ours && !root {
        bail!("{} belongs to user {}", base.display(), meta.uid());
    }
    if meta.mode() & OTHERS_WRITE != 0 && meta.mode() & STICKY == 0 {
        bail!("others may write to {}", base.display());
    }
    Ok(())
}

fn has_room(base: &Path, room: u64) -> Result<()> {
    let stat = statvfs(base).with_context(|| format!("cannot measure {}", base.display()))?;
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    // A file system without a size (an unlimited tmpfs) has no blocks to count.
    if stat.blocks() != 0 && free < room {
        bail!("{} is full: {} MiB free of {} MiB needed", base.display(), free >> 20, room >> 20);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn bases(variables: &[(&str, &str)]) -> Vec<String> {
        let read = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Place::candidates(read).iter().map(|place| place.base.display().to_string()).collect()
    }

    fn own(base: &Path) -> Place {
        Place { base: base.to_owned(), room: 0, chosen: false }
    }

    #[test]
    fn a_chosen_base_is_the_only_one() {
        assert_eq!(bases(&[(BASE_VARIABLE, "/x"), ("TMPDIR", "/y")]), ["/x"]);
    }

    #[test]
    fn memory_comes_before_disk() {
        let uid = geteuid();
        let expected = [
            format!("/dev/shm/tachograph-{uid}"),
            "/run/user/1/tachograph".to_owned(),
            format!("/var/tmp/tachograph-{uid}"),
        ];
        assert_eq!(bases(&[("XDG_RUNTIME_DIR", "/run/user/1"), ("TMPDIR", "/var/tmp")]), expected);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(bases(&[(BASE_VARIABLE, "")]).len(), 2);
    }

    #[test]
    fn a_base_is_made_for_the_owner_alone_and_goes_when_empty() {
        let dir = tempfile::tempdir().unwrap();
        let place = own(&dir.path().join("base"));
        let base = place.claim().unwrap();
        assert_eq!(fs::metadata(&base).unwrap().mode() & 0o777, 0o700);
        place.release();
        assert!(!base.exists());
    }

    #[test]
    fn a_link_in_the_place_of_our_base_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/tmp", dir.path().join("base")).unwrap();
        assert!(own(&dir.path().join("base")).claim().is_err());
    }

    #[test]
    fn a_base_that_others_may_write_to_is_refused_unless_sticky() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(own(dir.path()).claim().is_err());
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(own(dir.path()).claim().is_ok());
    }

    #[test]
    fn a_base_without_room_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { base: dir.path().to_owned(), room: u64::MAX, chosen: true };
        assert!(place.claim().unwrap_err().to_string().contains("full"));
    }
}

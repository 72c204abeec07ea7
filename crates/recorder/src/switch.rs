//! The kill switch at run time: one word in a file of the launch's directory, written by `tachograph control`.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the file in the launch's directory. Without it recording is on.
pub const FILE_NAME: &str = "control";
/// Where it is made before it takes its name, so that it is never read by halves.
const DRAFT_NAME: &str = "control.new";
/// Longest content that is read: a word and some white space.
const MAX_BYTES: u64 = 64;

/// Whether a launch is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    #[default]
    On,
    /// Nothing of its requests is recorded until it is on again.
    Off,
}

impl Switch {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// What the launch in `dir` is set to.
    ///
    /// # Errors
    /// The file is there and cannot be read, or says something else.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let mut text = String::new();
        match fs::File::open(dir.join(FILE_NAME)) {
            Ok(file) => file.take(MAX_BYTES).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::On),
            Err(error) => return Err(error),
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it says neither on nor off")),
        }
    }

    /// Set the launch in `dir`; its recorder notices within a second.
    ///
    /// # Errors
    /// The directory is not there or not ours.
    pub fn write(self, dir: &Path) -> io::Result<()> {
        let draft = dir.join(DRAFT_NAME);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", self.name())?;
        fs::rename(&draft, dir.join(FILE_NAME))
    }
}

/// The switch of a launch as its recorder follows it.
#[derive(Debug)]
pub(crate) struct Watch {
    dir: PathBuf,
    now: Switch,
    failed: bool,
}

impl Watch {
    /// Of the launch in `dir`, which counts as on until the first look.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), now: Switch::On, failed: false }
    }

    /// The new setting, if it changed. What cannot be understood changes nothing, and is said once.
    pub(crate) fn look(&mut self) -> Option<Switch> {
        match Switch::read(&self.dir) {
            Ok(switch) => {
                self.failed = false;
                (std::mem::replace(&mut self.now, switch) != switch).then_some(switch)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    let (file, now) = (self.dir.join(FILE_NAME), self.now.name());
                    tracing::warn!("recording stays {now}, write on or off to {}: {error}", file.display());
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;

    #[test]
    fn what_is_written_is_read_and_without_a_file_it_is_on() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Switch::read(dir.path()).unwrap(), Switch::On);
        Switch::Off.write(dir.path()).unwrap();
        assert_eq!(Switch::read(dir.path()).unwrap(), Switch::Off);
        Switch::On.write(dir.path()).unwrap();
        assert_eq!(Switch::read(dir.path()).unwrap(), Switch::On);
    }

    #[test]
    fn a_hand_written_word_counts_and_what_is_none_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(dir.path());
        fs::write(dir.path().join(FILE_NAME), " OFF\n").unwrap();
        assert_eq!(watch.look(), Some(Switch::Off));
        assert_eq!(watch.look(), None, "told once");
        for text in ["", "maybe", &"off ".repeat(100), "\u{0}"] {
            fs::write(dir.path().join(FILE_NAME), text).unwrap();
            assert_eq!((watch.look(), watch.now), (None, Switch::Off), "{text:?}");
        }
        fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(watch.look(), Some(Switch::On));
    }
}

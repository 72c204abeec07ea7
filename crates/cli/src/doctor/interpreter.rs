//! Which Python runs a command.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Bytes of a script that are looked at: the kernel takes 256 of its first line.
const HEAD_BYTES: u64 = 1024;

/// The interpreter of `program` as a shell would find it, or why that cannot be told.
pub(super) fn of(program: &OsStr) -> Result<PathBuf, String> {
    let name = program.to_string_lossy();
    let path = which(program).ok_or_else(|| format!("{name}: command not found"))?;
    if is_python(&path) {
        return Ok(path);
    }
    let mut head = String::new();
    let read = File::open(&path).map(|file| file.take(HEAD_BYTES).read_to_string(&mut head));
    let is_text = matches!(read, Ok(Ok(_)));
    let interpreter = is_text.then(|| script_interpreter(&head)).flatten().and_then(|word| which(OsStr::new(&word)));
    interpreter.filter(|path| is_python(path)).ok_or_else(|| {
        format!("{} is no Python script, so its environment is not known; name its interpreter first", path.display())
    })
}

/// The interpreter of a script's first line; also where that is a shell, since pip writes so for long paths.
fn script_interpreter(head: &str) -> Option<String> {
    let mut lines = head.lines();
    let words: Vec<&str> = lines.next()?.strip_prefix("#!")?.split_ascii_whitespace().collect();
    let first = *words.first()?;
    if Path::new(first).file_name()? == "env" {
        return words.iter().skip(1).find(|word| !word.starts_with('-')).map(|word| (*word).to_owned());
    }
    if Path::new(first).file_name()? == "sh" {
        let exec = lines.next()?.strip_prefix("'''exec' ")?.trim_start();
        let path = match exec.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => exec.split_ascii_whitespace().next()?,
        };
        return Some(path.to_owned());
    }
    Some(first.to_owned())
}

fn is_python(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
}

fn which(program: &OsStr) -> Option<PathBuf> {
    let executable = |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if program.to_string_lossy().contains('/') {
        return Some(PathBuf::from(program)).filter(executable);
    }
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(program)).find(executable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_script_names_its_interpreter_in_every_form_that_installers_write() {
        for (head, expected) in [
            ("#!/v/bin/python\nimport sys", Some("/v/bin/python")),
            ("#!/v/bin/python3.11 -I\n", Some("/v/bin/python3.11")),
            ("#!/usr/bin/env python3\n", Some("python3")),
            ("#!/usr/bin/env -S python3 -u\n", Some("python3")),
            ("#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n' '''\n", Some("/a b/bin/python")),
            ("#!/bin/sh\n'''exec' /long/bin/python \"$0\" \"$@\"\n", Some("/long/bin/python")),
            ("#!/bin/sh\nexec vllm\n", None),
            ("import sys\n", None),
            ("", None),
        ] {
            assert_eq!(script_interpreter(head).as_deref(), expected, "{head}");
        }
    }

    #[test]
    fn what_is_no_python_is_refused_with_what_to_do() {
        assert!(of(OsStr::new("/bin/sh")).unwrap_err().contains("name its interpreter first"));
        assert_eq!(of(OsStr::new("no-such-program")).unwrap_err(), "no-such-program: command not found");
    }
}

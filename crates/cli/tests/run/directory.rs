//! Where the rings lie, and what happens where they cannot.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::case::{Case, errors, printed};

/// Runs `echo here` in a mount namespace where `mount` was done at the case's base; `None` where that is not permitted.
fn with_mount(case: &Case, options: &str) -> Option<Output> {
    let permitted = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|output| output.status.success());
    if !permitted {
        println!("skipped: this machine does not permit a mount namespace");
        return None;
    }
    fs::create_dir(case.base()).unwrap();
    let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && exec "$3" run -- echo here"#;
    let base = case.base();
    let mut command = case.program("unshare");
    command.args(["-rm", "sh", "-c", script, "sh", options]).arg(&base).arg(env!("CARGO_BIN_EXE_tachograph"));
    Some(command.output().unwrap())
}

fn runs_and_says(output: &Output, why: &str) {
    assert_eq!(printed(output), "here\n");
    assert!(output.status.success());
    let errors = errors(output);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("tachograph: nothing is observed, the command runs alone: ") && errors[0].contains(why),
        "{errors:?}"
    );
    assert!(errors[0].contains("set TACHOGRAPH_RUNTIME_DIR"), "{errors:?}");
}

#[test]
fn a_read_only_runtime_directory_is_one_line_and_the_command_runs() {
    let case = Case::new();
    let Some(output) = with_mount(&case, "ro,mode=700") else { return };
    runs_and_says(&output, "Read-only file system");
}

#[test]
fn a_full_runtime_directory_is_one_line_and_the_command_runs() {
    let case = Case::new();
    let Some(output) = with_mount(&case, "size=1m,mode=700") else { return };
    runs_and_says(&output, "is full");
}

#[test]
fn a_file_in_the_place_of_the_runtime_directory_is_one_line_and_the_command_runs() {
    let case = Case::new();
    fs::write(case.base(), "").unwrap();
    runs_and_says(&case.output(&["--", "echo", "here"]), "cannot make");
    assert!(case.base().is_file());
}

#[test]
fn a_base_that_others_may_write_to_is_one_line_and_the_command_runs() {
    let case = Case::new();
    fs::create_dir(case.base()).unwrap();
    fs::set_permissions(case.base(), fs::Permissions::from_mode(0o777)).unwrap();
    runs_and_says(&case.output(&["--", "echo", "here"]), "others may write");
}

#[test]
fn what_dead_launches_left_is_swept_and_nothing_else() {
    let case = Case::new();
    let old = SystemTime::now() - Duration::from_secs(3600);
    for name in ["0b5c1f52-3f0e-4f3a-9a53-5a0d3c7e8a10", "notes"] {
        fs::create_dir_all(case.base().join(name)).unwrap();
        File::open(case.base().join(name)).unwrap().set_modified(old).unwrap();
    }
    assert!(case.output(&["--", "true"]).status.success());
    let left: Vec<_> = fs::read_dir(case.base()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["notes"]);
}

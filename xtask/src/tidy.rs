//! The house's own rules, checked: who may depend on whom, sizes, documents, leftovers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::place;

/// Lines after which a file is several files.
const FILE_LINES_MAX: usize = 800;
/// Columns of a line.
const LINE_COLUMNS_MAX: usize = 120;

/// Which crates of ours a crate may use. `ARCHITECTURE.md` says why.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tachograph-ring", &[]),
    ("tachograph-schema", &[]),
    ("tachograph-probe", &["tachograph-ring"]),
    ("tachograph-recorder", &["tachograph-ring", "tachograph-schema"]),
    ("tachograph-store", &["tachograph-schema"]),
    ("tachograph-server", &["tachograph-schema", "tachograph-store"]),
    (
        "tachograph-cli",
        &["tachograph-recorder", "tachograph-ring", "tachograph-schema", "tachograph-server", "tachograph-store"],
    ),
    ("xtask", &[]),
];

/// Outside crates that only the named crates of ours may use.
const WALLS: &[(&str, &[&str])] = &[
    ("pyo3", &["tachograph-probe"]),
    ("datafusion", &["tachograph-store", "tachograph-server"]),
    ("axum", &["tachograph-recorder", "tachograph-server"]),
    ("anyhow", &["tachograph-cli", "xtask"]),
];

pub(crate) fn run() -> Result<()> {
    let mut faults = dependency_faults()?;
    for file in tracked()? {
        file_faults(&file, &mut faults);
    }
    document_faults(&mut faults);
    if faults.is_empty() {
        eprintln!("✓ tidy");
        return Ok(());
    }
    bail!("tidy:\n  {}", faults.join("\n  "));
}

fn dependency_faults() -> Result<Vec<String>> {
    let out = Command::new("cargo")
        .current_dir(place::root())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&out.stdout).context("cargo metadata printed no JSON")?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut faults = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(may) = allowed.get(name) else {
            faults
                .push(format!("crate {name} has no place in the map: add it to ARCHITECTURE.md and xtask/src/tidy.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if allowed.contains_key(used) && !may.contains(&used) {
                faults.push(format!("{name} may not depend on {used}"));
            }
            let walled = WALLS.iter().find(|(crate_name, _)| *crate_name == used);
            if walled.is_some_and(|(_, users)| !users.contains(&name)) && dependency["kind"].is_null() {
                faults.push(format!("{name} may not depend on {used}"));
            }
        }
    }
    Ok(faults)
}

/// Files that git tracks or would track.
fn tracked() -> Result<Vec<PathBuf>> {
    let out = Command::new("git")
        .current_dir(place::root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot run git ls-files")?;
    let names = String::from_utf8(out.stdout)?;
    Ok(names.lines().map(|name| place::root().join(name)).filter(|path| path.is_file()).collect())
}

fn file_faults(file: &Path, faults: &mut Vec<String>) {
    let code = ["rs", "py", "pyi", "ts", "svelte", "css"];
    if !file.extension().is_some_and(|ext| code.iter().any(|c| ext == *c)) {
        return;
    }
    let Ok(text) = fs::read_to_string(file) else { return };
    let generated = text.lines().next().is_some_and(|line| line.contains("generated"));
    let name = file.strip_prefix(place::root()).unwrap_or(file).display().to_string();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX && !generated {
        faults.push(format!("{name}: {lines} lines, at most {FILE_LINES_MAX}: it is several files"));
    }
    for (index, line) in text.lines().enumerate() {
        let at = index + 1;
        if line.chars().count() > LINE_COLUMNS_MAX && !generated && !long_for_a_reason(&name, line) {
            faults.push(format!("{name}:{at}: longer than {LINE_COLUMNS_MAX} columns"));
        }
        let leftovers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
        if leftovers.iter().any(|mark| line.contains(mark)) {
            faults.push(format!("{name}:{at}: a leftover mark; do it or file it"));
        }
    }
}

/// Expected texts of tests, the table of metrics, addresses, and what a type checker must be told on the same line.
fn long_for_a_reason(name: &str, line: &str) -> bool {
    name.contains("/tests/")
        || name.ends_with("schema/src/metric.rs")
        || line.contains("://")
        || line.contains("# type:")
}

/// The documents that the house promises, and that the map names every room.
fn document_faults(faults: &mut Vec<String>) {
    let root = place::root();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deny.toml"] {
        if !root.join(name).is_file() {
            faults.push(format!("{name} is missing"));
        }
    }
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let mut rooms: Vec<String> = ["python", "web", "e2e", "bench", "xtask", "docs"].map(str::to_owned).to_vec();
    if let Ok(crates) = fs::read_dir(root.join("crates")) {
        rooms.extend(crates.flatten().map(|entry| format!("crates/{}", entry.file_name().display())));
    }
    for room in rooms {
        if !map.contains(&format!("`{room}/`")) {
            faults.push(format!("ARCHITECTURE.md does not name `{room}/`"));
        }
    }
}

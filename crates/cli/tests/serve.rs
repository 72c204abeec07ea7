//! `tachograph serve`, through the real binary: its start, its end, and what it refuses in one sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const ANY_PORTS: [&str; 6] = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--addr", "127.0.0.1:0"];

fn tachograph() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tachograph"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TACHOGRAPH_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn serve(data: &Path) -> Command {
    let mut command = tachograph();
    command.arg("serve").args(ANY_PORTS).arg("--data-dir").arg(data);
    command
}

/// A server that listens.
struct Server {
    child: Child,
    /// What it said when it was ready.
    ready: String,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { child, ready }
    }

    /// The address that follows `label` in the ready line.
    fn address(&self, label: &str) -> String {
        let rest = self.ready.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {:?}", self.ready)).1;
        rest.split(',').next().unwrap().trim().to_owned()
    }

    fn end_by(&mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one sentence of a refusal.
fn refusal(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(output.stdout.is_empty());
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("tachograph: "), "{errors}");
    errors
}

fn data() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    (dir, data)
}

#[test]
fn it_says_where_it_listens_answers_and_ends_cleanly_on_sigterm() {
    let (_dir, data) = data();
    let mut server = Server::start(serve(&data));
    assert!(server.ready.starts_with(concat!("tachograph ", env!("CARGO_PKG_VERSION"), " listens: ")));
    assert_eq!(server.address("data in "), data.display().to_string());
    let ui = server.address("UI and API http://");
    for address in [&ui, &server.address("OTLP gRPC "), &server.address("OTLP HTTP ")] {
        TcpStream::connect(address).unwrap();
    }
    let mut answer = String::new();
    let mut stream = TcpStream::connect(&ui).unwrap();
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {ui}\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(server.end_by(Signal::SIGTERM), Some(0));
}

#[test]
fn ctrl_c_ends_it_cleanly_too_and_its_data_opens_again() {
    let (_dir, data) = data();
    for _ in 0..2 {
        let mut server = Server::start(serve(&data));
        assert_eq!(server.end_by(Signal::SIGINT), Some(0));
    }
}

#[test]
fn each_flag_is_an_environment_variable_too() {
    let (_dir, data) = data();
    let mut command = tachograph();
    command.arg("serve").env("TACHOGRAPH_DATA_DIR", &data).env("TACHOGRAPH_LOG_FORMAT", "json");
    for name in ["TACHOGRAPH_GRPC_ADDR", "TACHOGRAPH_HTTP_ADDR", "TACHOGRAPH_ADDR"] {
        command.env(name, "127.0.0.1:0");
    }
    let server = Server::start(command);
    assert_eq!(server.address("data in "), data.display().to_string());
}

#[test]
fn a_port_in_use_is_refused_and_nothing_is_touched() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    for flag in ["--grpc-addr", "--http-addr", "--addr"] {
        let (_dir, data) = data();
        let mut command = tachograph();
        command.arg("serve").arg("--data-dir").arg(&data);
        for other in ["--grpc-addr", "--http-addr", "--addr"].into_iter().filter(|other| *other != flag) {
            command.args([other, "127.0.0.1:0"]);
        }
        let refusal = refusal(&command.args([flag, &address]).output().unwrap());
        assert!(refusal.contains("in use") && refusal.contains(&address) && refusal.contains(flag), "{refusal}");
        assert!(!data.exists());
    }
}

#[test]
fn an_address_that_others_can_reach_is_refused_because_keys_come_first() {
    let (_dir, data) = data();
    let mut command = tachograph();
    command.args(["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--addr", "0.0.0.0:0"]);
    let refusal = refusal(&command.arg("--data-dir").arg(&data).output().unwrap());
    assert!(refusal.contains("keys") && refusal.contains("0.0.0.0:0") && refusal.contains("--addr"), "{refusal}");
    assert!(!data.exists());
}

#[test]
fn a_data_directory_that_another_server_uses_is_refused() {
    let (_dir, data) = data();
    let mut first = Server::start(serve(&data));
    let refusal = refusal(&serve(&data).output().unwrap());
    assert!(refusal.contains(&data.display().to_string()) && refusal.contains("another"), "{refusal}");
    assert_eq!(first.end_by(Signal::SIGTERM), Some(0));
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused() {
    let (dir, _) = data();
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    let refusal = refusal(&serve(&file.join("data")).output().unwrap());
    assert!(refusal.contains("cannot write to the data directory"), "{refusal}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_data_directory_of_a_newer_format_is_refused_and_left_as_it_is() {
    let (_dir, data) = data();
    assert_eq!(Server::start(serve(&data)).end_by(Signal::SIGTERM), Some(0));
    let manifest = data.join("manifest.json");
    let newer = fs::read_to_string(&manifest).unwrap().replacen("\"format\":", "\"format\":1", 1);
    fs::write(&manifest, &newer).unwrap();
    let before = listing(&data);
    let refusal = refusal(&serve(&data).output().unwrap());
    assert!(refusal.contains("newer") && refusal.contains(&data.display().to_string()), "{refusal}");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), newer);
    assert_eq!(listing(&data), before);
}

fn listing(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<_> =
        fs::read_dir(dir).unwrap().flatten().map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    files.sort();
    files
}

#[test]
fn the_version_is_the_packages() {
    let output = tachograph().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), concat!("tachograph ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_help_names_every_verb_and_its_use() {
    let output = tachograph().arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for verb in ["serve", "run", "record"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(verb) && line.trim().len() > 20), "{help}");
    }
}

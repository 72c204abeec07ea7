//! `cargo xtask up`: from a clone to a live view of a real engine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::engine::{self, Engine};
use crate::service::{self, Service};
use crate::venv::Venv;
use crate::{build, place, step};

/// Requests of the bounded load: every kind twenty times.
const REQUESTS: u32 = 240;
/// A cold vLLM imports for minutes on two cores.
const ENGINE_START_LIMIT: Duration = Duration::from_secs(600);
const SERVER_START_LIMIT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Send one load, check that every request is in the store with its tree, print a summary and stop.
    #[arg(long)]
    once: bool,
    /// Which engine to start.
    #[arg(long, value_enum, default_value_t = EngineChoice::Vllm)]
    engine: EngineChoice,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
enum EngineChoice {
    /// The `vllm` of the environment, else a real vLLM for CPU in a cached environment.
    Vllm,
    /// Everything but an engine.
    None,
}

/// Where the server listens.
pub(crate) struct Ports {
    /// OTLP over gRPC.
    pub(crate) grpc: u16,
    /// OTLP over HTTP.
    pub(crate) http: u16,
    /// UI and API.
    pub(crate) api: u16,
}

impl Ports {
    /// The product's own ports where they are free, else any.
    pub(crate) fn choose() -> Result<Self> {
        Ok(Self { grpc: free_port(4317)?, http: free_port(4318)?, api: free_port(4319)? })
    }

    /// Where the UI is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api)
    }
}

/// `wanted` if nobody listens there, else a port that is free now.
pub(crate) fn free_port(wanted: u16) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(listener.local_addr()?.port())
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    service::stop_on_ctrl_c()?;
    build::ui()?;
    let agent = build::agent()?;
    let ports = Ports::choose()?;
    let data = place::scratch().join("up-data");
    if args.once && data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let _server = server(&agent, &ports, &data)?;
    if args.engine == EngineChoice::None {
        eprintln!("\n  Tachograph  {}\n", ports.url());
        eprintln!("  no engine was started; attach one with\n    {}", attach_line(&agent, &ports));
        return service::wait_for_ctrl_c(&mut []);
    }
    let engine = engine::vllm()?;
    let port = free_port(8000)?;
    let mut vllm = vllm(&agent, &engine, port, &ports)?;
    let mut load = load_command(port);
    if args.once {
        once(load, &ports)?;
        eprintln!("✓ up --once ({:.0} s)", started.elapsed().as_secs_f64());
        return Ok(());
    }
    let mut load = Service::start("load", load.arg("--forever"))?;
    eprintln!("\n  Tachograph  {}\n", ports.url());
    eprintln!("  a real vLLM serves a tiny model at http://127.0.0.1:{port}/v1 under load; Ctrl-C ends all of it");
    eprintln!("  attach your own engine with\n    {}", attach_line(&agent, &ports));
    service::wait_for_ctrl_c(&mut [&mut vllm, &mut load])
}

/// How to put the agent in front of one's own engine, as a line to copy.
fn attach_line(agent: &Venv, ports: &Ports) -> String {
    let endpoint = match ports.grpc {
        4317 => String::new(),
        port => format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{port} "),
    };
    format!("{endpoint}{} vllm serve MODEL", agent.bin("tachograph-instrument").display())
}

/// The server, once it answers.
pub(crate) fn server(agent: &Venv, ports: &Ports, data: &Path) -> Result<Service> {
    let mut command = Command::new(agent.bin("tachograph"));
    command
        .arg("serve")
        .args(["--grpc-addr", &format!("127.0.0.1:{}", ports.grpc)])
        .args(["--http-addr", &format!("127.0.0.1:{}", ports.http)])
        .args(["--addr", &format!("127.0.0.1:{}", ports.api)])
        .arg("--data-dir")
        .arg(data);
    let mut server = Service::start("server", &mut command)?;
    let log = server.log().to_path_buf();
    step::wait("start the server", SERVER_START_LIMIT, &log, || {
        server.check()?;
        Ok(answers(ports.api, "/healthz"))
    })?;
    Ok(server)
}

/// A real vLLM under the agent, once it answers.
fn vllm(agent: &Venv, engine: &Engine, port: u16, ports: &Ports) -> Result<Service> {
    let mut command = engine.command(Some(agent), port)?;
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", ports.grpc))
        .env("OTEL_METRIC_EXPORT_INTERVAL", "2000");
    start_engine("vLLM under the agent", &mut command, port)
}

/// Start an engine and wait until it answers.
pub(crate) fn start_engine(name: &str, command: &mut Command, port: u16) -> Result<Service> {
    let mut service = Service::start(name, command)?;
    let log = service.log().to_path_buf();
    step::wait(&format!("start {name} (minutes on a small machine)"), ENGINE_START_LIMIT, &log, || {
        service.check()?;
        Ok(answers(port, "/health"))
    })?;
    Ok(service)
}

/// The load script against an engine.
fn load_command(port: u16) -> Command {
    let mut command = Command::new("python3");
    command.arg(place::root().join("e2e/load.py")).args(["--port", &port.to_string()]);
    command
}

fn once(mut load: Command, ports: &Ports) -> Result<()> {
    let sent: PathBuf = place::artifacts().join("sent.jsonl");
    step::run(
        &format!("send {REQUESTS} requests of many kinds"),
        load.args(["--requests", &REQUESTS.to_string(), "--out"]).arg(&sent),
    )?;
    let status = Command::new("python3")
        .arg(place::root().join("e2e/verify.py"))
        .args(["--api", &ports.url(), "--sent"])
        .arg(&sent)
        .status()
        .context("cannot run e2e/verify.py")?;
    if !status.success() {
        bail!("what was sent and what was found do not agree");
    }
    Ok(())
}

/// Whether an HTTP GET is answered with 200.
fn answers(port: u16, path: &str) -> bool {
    use std::io::{Read, Write};
    let get = || -> std::io::Result<bool> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    get().unwrap_or(false)
}

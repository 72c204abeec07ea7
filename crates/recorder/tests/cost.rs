//! What recording costs: under 2 % of a core and 80 MB at 20 requests a second (issue 2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed expectation is a failed test

mod script;
mod sink;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use script::*;
use sink::Sink;
use tachograph_recorder::Config;
use tachograph_ring::record::{FinishReason, HttpBody, HttpOutcome, Process};
use tachograph_ring::{Record, Writer};

const SECONDS: u64 = 5;
const REQUESTS: u64 = 20 * SECONDS;
const TOKENS: u64 = 64;

/// The records of one streamed chat of 64 tokens, 16 of which run at once.
fn write_request(ring: &mut Writer, i: u64) {
    let id = format!("chatcmpl-{i:016x}-0123abcd");
    let question = format!(
        r#"{{"model":"tiny","stream":true,"messages":[{{"role":"user","content":"{}"}}]}}"#,
        "why ".repeat(200)
    );
    let token = format!(
        "data: {{\"id\":\"chatcmpl-{i:016x}\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"tiny\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word\"}},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}}]}}\n\n"
    );
    ring.write(&http_start(0, i, "/v1/chat/completions"));
    ring.write(&body(1, i, &question));
    ring.write(&add(2, i, &id, "", 0));
    ring.write(&queued(3, &id, 0));
    ring.write(&response(4, i, 200, "text/event-stream"));
    for n in 0..TOKENS {
        let ms = 10 + n;
        // Sixteen requests share each step.
        if i.is_multiple_of(16) {
            let others: Vec<String> = (0..16).map(|k| format!("other-{k}")).collect();
            let members: Vec<_> = others.iter().map(|o| (o.as_str(), 1)).collect();
            ring.write(&step(ms, n, &members));
        }
        let finish = (n + 1 == TOKENS).then_some(FinishReason::Length);
        ring.write(&outputs(ms, n, &[(&id, 1, finish)]));
        ring.write(&Record::HttpChunk(HttpBody {
            t_ns: at(ms),
            http_id: i,
            len: token.len() as u64,
            bytes: token.as_bytes(),
        }));
    }
    ring.write(&http_end(200, i, HttpOutcome::Complete, ""));
}

fn load(dir: &Path) {
    let mut ring = Writer::create(dir, 8 << 20).unwrap();
    ring.write(&Record::Process(Process {
        t_ns: at(0),
        pid: 1,
        role: "api_server",
        engine: "vllm",
        engine_version: "0",
        engine_generation: "v1",
        python: "3",
    }));
    let began = Instant::now();
    for i in 1..=REQUESTS {
        write_request(&mut ring, i);
        let due = Duration::from_millis(i * 1000 * SECONDS / REQUESTS);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn cpu_of_this_thread() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let total = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(total.tv_sec() * 1_000_000 + total.tv_usec()).unwrap())
}

#[test]
fn twenty_requests_a_second_cost_under_two_percent_of_a_core_and_eighty_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    // The receiver has a thread of its own: only the recorder is measured.
    let sink = Sink::default();
    let receiver = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = receiver.block_on(sink.grpc());
    let vars = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(format!("http://{address}")),
        "OTEL_METRIC_EXPORT_INTERVAL" => Some("1000".to_owned()),
        _ => None,
    };
    let config = Config::from_vars(dir.path(), &vars).unwrap();
    let path: PathBuf = dir.path().to_owned();
    let engine = std::thread::spawn(move || load(&path));
    let before = cpu_of_this_thread();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let summary = runtime
        .block_on(tachograph_recorder::run(config, async {
            tokio::time::sleep(Duration::from_millis(SECONDS * 1000 + 300)).await;
        }))
        .unwrap();
    let (cpu, rss) = (cpu_of_this_thread() - before, rss_bytes());
    engine.join().unwrap();
    println!("{cpu:?} of CPU in {SECONDS} s, {} MB with the receiver", rss >> 20);
    assert_eq!(summary.counts.requests["ok"], REQUESTS);
    let limit = Duration::from_millis(SECONDS * 1000 * 2 / 100);
    assert!(cpu < limit, "{cpu:?} of {limit:?}");
    assert!(rss < 80 << 20, "{rss}");
}

//! Every kind of record comes out of the ring as it went in.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::borrow::Cow;
use std::collections::HashSet;

use proptest::prelude::*;
use tachograph_ring::record::*;
use tachograph_ring::{Reader, Writer};

/// Number of variants of [`Record`].
const KINDS: usize = 18;

/// Random values for the fields of any record.
#[derive(Clone, Debug)]
struct Values {
    n: [u64; 8],
    small: [u32; 8],
    text: [String; 12],
    bytes: Vec<u8>,
    real: [f64; 5],
    flag: bool,
    choice: usize,
    list: Vec<(u64, u32)>,
}

fn values() -> impl Strategy<Value = Values> {
    let numbers = (any::<[u64; 8]>(), any::<[u32; 8]>());
    // No NaN, which does not equal itself.
    let real = prop::array::uniform5(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::INFINITE);
    let text = prop::array::uniform12(".{0,40}");
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let list = prop::collection::vec(any::<(u64, u32)>(), 0..60);
    (numbers, text, bytes, real, any::<bool>(), 0..64usize, list).prop_map(
        |((n, small), text, bytes, real, flag, choice, list)| Values {
            n,
            small,
            text,
            bytes,
            real,
            flag,
            choice,
            list,
        },
    )
}

impl Values {
    fn pick<T: Copy, const N: usize>(&self, from: [T; N]) -> T {
        from[self.choice % N]
    }

    fn some<T>(&self, value: T) -> Option<T> {
        self.flag.then_some(value)
    }

    fn finish(&self) -> FinishReason {
        use FinishReason::{Abort, Error, Length, Repetition, Stop};
        self.pick([Stop, Length, Abort, Error, Repetition])
    }

    fn key(&self) -> SequenceKey {
        SequenceKey(self.n[7])
    }

    fn body(&self) -> HttpBody<'_> {
        HttpBody { t_ns: self.n[0], http_id: self.n[1], len: self.n[2], bytes: &self.bytes }
    }
}

/// One record of every kind.
fn records(v: &Values) -> Vec<Record<'_>> {
    let (t_ns, http_id, engine_index, key) = (v.n[0], v.n[1], v.small[0], v.key());
    let [a, b, c, d, e, f, g, h, i, j, k, _] = v.text.each_ref().map(String::as_str);
    let http_start = HttpStart {
        t_ns,
        http_id,
        trace_id: u128::from(v.n[2]).to_be_bytes(),
        span_id: v.n[3].to_be_bytes(),
        parent_span_id: v.n[4].to_be_bytes(),
        trace_flags: v.bytes.first().copied().unwrap_or(0),
        tracestate: a,
        method: b,
        scheme: c,
        path: d,
        query: e,
        http_version: f,
        client: g,
        client_port: v.small[1] as u16,
        server: h,
        server_port: v.small[2] as u16,
        user_agent: i,
        request_id: j,
    };
    let params = SamplingParams {
        n: v.small[5],
        max_tokens: v.some(v.small[6]),
        temperature: v.some(v.real[1]),
        top_p: v.some(v.real[2]),
        top_k: v.some(v.n[4].cast_signed()),
        seed: v.some(v.n[5].cast_signed()),
        frequency_penalty: v.some(v.real[3]),
        presence_penalty: v.some(v.real[4]),
        stop: v.text.iter().map(String::as_str).collect(),
    };
    let sequence_add = SequenceAdd {
        t_ns,
        arrival_time: v.real[0],
        http_id,
        internal_id: a,
        external_id: b,
        parent_id: c,
        index: v.small[1],
        prompt_tokens: v.small[2],
        kind: v.pick([SequenceKind::Generate, SequenceKind::Pool]),
        model: k,
        params,
    };
    let process =
        Process { t_ns, pid: v.small[0], role: a, engine: b, engine_version: c, engine_generation: d, python: e };
    let outcome = v.pick([HttpOutcome::Complete, HttpOutcome::Disconnected, HttpOutcome::Raised]);
    let state = v.pick([ProbeState::Live, ProbeState::Missing, ProbeState::NotApplicable, ProbeState::Removed]);
    let mut records = vec![
        Record::Process(process),
        Record::Probe(Probe { t_ns, name: a, state, detail: b }),
        Record::Fault(Fault { t_ns, name: a, error: b }),
        Record::HttpStart(http_start),
        Record::HttpBody(v.body()),
        Record::HttpResponse(HttpResponse { t_ns, http_id, status: v.small[1] as u16, content_type: a }),
        Record::HttpChunk(v.body()),
        Record::HttpEnd(HttpEnd { t_ns, http_id, outcome, error: a }),
        Record::SequenceAdd(sequence_add),
        Record::Queued(Queued { t_ns, key, engine_index, depth: v.small[1] }),
        Record::Preempted(Preempted { t_ns, key, engine_index }),
        Record::Finished(Finished { t_ns, key, engine_index, reason: v.finish() }),
    ];
    records.extend(engine_records(v));
    records
}

/// The records that hold lists.
fn engine_records(v: &Values) -> [Record<'_>; 6] {
    let (t_ns, engine_index) = (v.n[0], v.small[0]);
    let keys = v.list.iter().map(|(n, _)| SequenceKey(*n));
    let front = |key| FrontOutput { key, first: v.flag, finish: v.some(v.finish()) };
    let output = |&(n, tokens): &(u64, u32)| StepOutput {
        key: SequenceKey(n),
        tokens,
        cached_tokens: v.some(tokens),
        finish: v.some(v.finish()),
    };
    let quantity = v.pick([Quantity::Swapped, Quantity::PromptTokens, Quantity::TokenUsage, Quantity::StatReports]);
    let member = |&(n, tokens): &(u64, u32)| Member { key: SequenceKey(n), tokens };
    [
        Record::Sample(Sample {
            t_ns,
            engine_index,
            figures: v.real.iter().map(|&value| Figure { quantity, value }).collect(),
        }),
        Record::FrontOutputs(FrontOutputs { t_ns, outputs: keys.clone().map(front).collect() }),
        Record::SequenceAbort(SequenceAbort { t_ns, keys: keys.collect() }),
        Record::Engine(Engine {
            t_ns,
            engine_index,
            served_models: v.text.iter().map(String::as_str).collect(),
            max_model_len: v.small[1],
            max_num_seqs: v.small[2],
            max_num_batched_tokens: v.small[3],
            num_gpu_blocks: v.small[4],
            block_size: v.small[5],
        }),
        Record::Step(Step {
            t_ns,
            schedule_ns: v.small[1],
            engine_index,
            step: v.n[1],
            running: v.small[2],
            waiting: v.small[3],
            deferred: v.small[4],
            kv_usage: f32::from_bits(v.small[5] & 0x3fff_ffff),
            members: v.list.iter().map(member).collect(),
        }),
        Record::StepOutputs(StepOutputs {
            t_ns,
            engine_index,
            step: v.n[1],
            prefix_queries: v.n[2],
            prefix_hits: v.n[3],
            outputs: v.list.iter().map(output).collect::<Cow<'_, [_]>>(),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_record_comes_out_of_the_ring_as_it_went_in(values in values()) {
        let written = records(&values);
        let kinds: HashSet<_> = written.iter().map(std::mem::discriminant).collect();
        prop_assert_eq!(kinds.len(), KINDS);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path(), 1 << 16).unwrap();
        for record in &written {
            prop_assert!(writer.write(record));
        }
        let mut reader = Reader::open(writer.path()).unwrap();
        let mut expected = written.iter();
        let drained = reader.drain(usize::MAX, |record| assert_eq!(Some(&record), expected.next()));
        prop_assert_eq!(drained.records, KINDS);
    }
}

#[test]
fn a_key_is_the_same_in_every_process_and_release_of_one_format() {
    assert_eq!(SequenceKey::of(""), SequenceKey(0x0338_dc4b_e2ce_cdae));
    assert_eq!(SequenceKey::of("chatcmpl-5f0c9f2a8a0e4c35-0"), SequenceKey(0x59ba_0e83_6d9b_7d9e));
}

//! Joins the records of all processes of a launch into requests.
//!
//! Records of one process come in order; between processes no order is given. What an engine says of
//! a sequence before the front end named it waits a short while. Everything is bounded.

mod pending;
mod state;

use std::collections::{HashMap, VecDeque};

use tachograph_ring::Record;
use tachograph_ring::record::{
    HttpBody, HttpEnd, HttpId, HttpOutcome, HttpResponse, HttpStart, SequenceAdd, SequenceKey, Step, StepOutputs,
};

use crate::body::answer::Answer;
use crate::body::asked::Asked;
use crate::body::text::ContentPolicy;
use crate::clock::Clock;
use crate::health::{Health, Unit};
use crate::request::{Closed, Edge, EdgeStart, Request, Trace};
use crate::sequence::{End, Fact, Sequence};
use pending::{Pending, Recent};
use state::{Open, Steps};

/// Most requests open at once: far above what an engine runs and queues; each costs a few KiB.
pub const MAX_OPEN_REQUESTS: usize = 16_384;
/// Most sequences of one request: choices times prompts.
pub const MAX_SEQUENCES: usize = 1024;
/// How long after its HTTP end a request waits for the ends of its sequences, nanoseconds.
pub const GRACE_NS: u64 = 1_000_000_000;
/// An arrival stamp further than this from the record that carries it is not believed, nanoseconds.
const MAX_ARRIVAL_DISTANCE_NS: u64 = 3600 * 1_000_000_000;

/// A ring, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(pub u32);

/// What a request is known by while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// A request at the edge of a process.
    Http(Source, HttpId),
    /// Sequences of one parent that came another way.
    Alone(SequenceKey),
}

/// A sequence's place, and the process that computes it.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: Key,
    index: usize,
    engine: Option<Source>,
}

/// A process that writes records.
#[derive(Clone, Copy, Debug)]
struct Process {
    clock: Clock,
    last_ns: u64,
    /// Its first record was read by this recorder, so nothing of it is unknown but what was lost.
    whole: bool,
}

/// What comes out of joining.
#[derive(Clone, Debug)]
pub enum Joined {
    /// A sequence got its first token.
    FirstToken {
        /// Rank of its engine.
        engine_index: u32,
        /// Length of its prompt.
        prompt_tokens: u32,
    },
    /// The engine made more of a sequence that a stop string had ended.
    Surplus {
        /// Rank of the engine.
        engine_index: u32,
        /// Tokens that nobody was given.
        tokens: u32,
    },
    /// A request ended.
    Request(Box<Request>),
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Of message text.
    pub content: ContentPolicy,
    /// Token events of a sequence (level 2), else 0.
    pub token_events: usize,
}

/// The join.
pub struct Join {
    keep: Keep,
    health: Health,
    processes: HashMap<Source, Process>,
    requests: HashMap<Key, Open>,
    sequences: HashMap<SequenceKey, Place>,
    pending: Pending,
    ended: Recent<SequenceKey>,
    /// Of these, those that a stop string ended.
    stopped: Recent<SequenceKey>,
    /// Requests that were not taken since too many were open, or that were closed before their end.
    refused: Recent<Key>,
    steps: HashMap<u32, Steps>,
    /// Requests whose HTTP ended before their sequences, with the time until which they wait.
    closing: VecDeque<(u64, Key)>,
    /// The last [`Join::tick`].
    now_ns: u64,
    out: Vec<Joined>,
}

impl Join {
    /// A join without any request.
    #[must_use]
    pub fn new(keep: Keep, health: Health) -> Self {
        Self {
            keep,
            pending: Pending::new(health.clone()),
            health,
            processes: HashMap::new(),
            requests: HashMap::new(),
            sequences: HashMap::new(),
            ended: Recent::default(),
            stopped: Recent::default(),
            refused: Recent::default(),
            steps: HashMap::new(),
            closing: VecDeque::new(),
            now_ns: 0,
            out: Vec::new(),
        }
    }

    /// A process is observed from now on; `whole` where none of its records were read before.
    pub fn open_source(&mut self, source: Source, clock: Clock, whole: bool) {
        self.processes.insert(source, Process { clock, last_ns: 0, whole });
    }

    /// What was joined since the last call.
    pub fn take(&mut self) -> Vec<Joined> {
        std::mem::take(&mut self.out)
    }

    /// Requests that are open.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Take one record of a process.
    pub fn apply(&mut self, source: Source, record: &Record<'_>) {
        if let Some(process) = self.processes.get_mut(&source) {
            process.last_ns = process.last_ns.max(time_ns(record));
        }
        match record {
            Record::HttpStart(start) => self.http_start(source, start),
            Record::HttpBody(body) => self.http_body(source, body),
            Record::HttpResponse(response) => self.http_response(source, response),
            Record::HttpChunk(chunk) => self.http_chunk(source, chunk),
            Record::HttpEnd(end) => self.http_end(source, end),
            Record::SequenceAdd(add) => self.sequence_add(source, add),
            Record::Step(step) => self.step(source, step),
            Record::StepOutputs(outputs) => self.step_outputs(source, outputs),
            Record::Queued(q) => {
                self.fact(q.key, q.t_ns, Some((source, q.engine_index)), Fact::Queued { depth: q.depth });
            }
            Record::Preempted(p) => self.fact(p.key, p.t_ns, Some((source, p.engine_index)), Fact::Preempted),
            Record::Finished(f) => {
                self.fact(f.key, f.t_ns, Some((source, f.engine_index)), Fact::Finished(f.reason));
            }
            Record::FrontOutputs(front) => {
                for output in front.outputs.iter() {
                    if let Some(reason) = output.finish {
                        self.fact(output.key, front.t_ns, None, Fact::FrontFinish(reason));
                    }
                }
            }
            Record::SequenceAbort(abort) => {
                abort.keys.iter().for_each(|&key| self.fact(key, abort.t_ns, None, Fact::AbortAsked));
            }
            Record::Process(_) | Record::Probe(_) | Record::Fault(_) | Record::Engine(_) | Record::Sample(_) => {}
        }
    }

    /// Let time pass: close what waited long enough. `now_ns` is monotonic.
    pub fn tick(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        while self.closing.front().is_some_and(|&(until_ns, _)| until_ns <= now_ns) {
            if let Some((_, key)) = self.closing.pop_front() {
                self.finish(key, None);
            }
        }
        self.pending.expire(now_ns);
    }

    /// A process is gone: what it had open ends with what is known.
    pub fn close_source(&mut self, source: Source) {
        let last_ns = self.processes.remove(&source).map_or(0, |p| p.last_ns);
        let served: Vec<Place> = self.sequences.values().filter(|p| p.engine == Some(source)).copied().collect();
        for place in served {
            if let Some(sequence) = self.sequence(place) {
                sequence.close(last_ns, End::Died);
            }
            self.finish_if_over(place.key);
        }
        let held: Vec<Key> = self.requests.iter().filter(|(_, open)| open.source == source).map(|(k, _)| *k).collect();
        for key in held {
            let closed = self.requests.get(&key).is_some_and(|open| open.http_end_ns.is_none());
            self.finish(key, closed.then_some(Closed::EngineDied));
        }
    }

    /// Recording stops while the engine goes on: what is open ends with what is known.
    pub fn close_all(&mut self) {
        let keys: Vec<Key> = self.requests.keys().copied().collect();
        for key in keys {
            let closed = self.requests.get(&key).is_some_and(|open| open.http_end_ns.is_none());
            self.finish(key, closed.then_some(Closed::Unobserved));
            // Its end may come yet: of a request that is told already.
            self.refused.insert(key);
        }
    }

    fn sequence(&mut self, place: Place) -> Option<&mut Sequence> {
        self.requests.get_mut(&place.key)?.request.sequences.get_mut(place.index)
    }

    fn http_start(&mut self, source: Source, start: &HttpStart<'_>) {
        let key = Key::Http(source, start.http_id);
        if self.requests.contains_key(&key) {
            return;
        }
        if self.requests.len() >= MAX_OPEN_REQUESTS {
            self.health.drop(Unit::Requests, "too_many_open", 1);
            self.refused.insert(key);
            return;
        }
        let request = self.new_request(source, Trace::from(start), start.t_ns, Some(EdgeStart::from(start)));
        self.requests.insert(key, Open::new(source, request));
    }

    fn new_request(&self, source: Source, trace: Trace, start_ns: u64, start: Option<EdgeStart>) -> Request {
        Request {
            clock: self.processes.get(&source).map(|p| p.clock).unwrap_or_default(),
            trace,
            edge: Edge { start, ..Edge::default() },
            asked: Asked::default(),
            answer: Answer::new(false, self.keep.content),
            sequences: Vec::new(),
            start_ns,
            end_ns: start_ns,
            closed: None,
            incomplete: false,
        }
    }

    fn at_edge(&mut self, source: Source, id: HttpId, t_ns: u64) -> Option<&mut Request> {
        let open = self.requests.get_mut(&Key::Http(source, id))?;
        open.last_ns = open.last_ns.max(t_ns);
        Some(&mut open.request)
    }

    fn http_body(&mut self, source: Source, body: &HttpBody<'_>) {
        let content = self.keep.content;
        if let Some(request) = self.at_edge(source, body.http_id, body.t_ns) {
            request.edge.request_bytes = Some(body.len);
            request.edge.request_kept = body.bytes.len() as u64;
            request.asked = Asked::parse(body.bytes, content);
        }
    }

    fn http_response(&mut self, source: Source, response: &HttpResponse<'_>) {
        let content = self.keep.content;
        if let Some(request) = self.at_edge(source, response.http_id, response.t_ns) {
            request.edge.status = Some(response.status);
            request.answer = Answer::new(response.content_type.starts_with("text/event-stream"), content);
        }
    }

    fn http_chunk(&mut self, source: Source, chunk: &HttpBody<'_>) {
        if let Some(request) = self.at_edge(source, chunk.http_id, chunk.t_ns) {
            let edge = &mut request.edge;
            edge.response_bytes = edge.response_bytes.saturating_add(chunk.len);
            edge.response_kept = edge.response_kept.saturating_add(chunk.bytes.len() as u64);
            if chunk.len > 0 {
                edge.first_chunk_ns = edge.first_chunk_ns.or(Some(chunk.t_ns));
            }
            request.answer.push(chunk.bytes, chunk.t_ns);
        }
    }

    fn http_end(&mut self, source: Source, end: &HttpEnd<'_>) {
        let key = Key::Http(source, end.http_id);
        let Some(open) = self.requests.get_mut(&key) else {
            if !self.refused.remove(&key) {
                let whole = self.processes.get(&source).is_some_and(|p| p.whole);
                self.health.drop(Unit::Requests, if whole { "start_lost" } else { "recorder_restart" }, 1);
            }
            return;
        };
        open.last_ns = open.last_ns.max(end.t_ns);
        open.http_end_ns = Some(end.t_ns);
        open.request.edge.outcome = Some(end.outcome);
        end.error.clone_into(&mut open.request.edge.error);
        if open.is_over() {
            self.finish(key, None);
        } else {
            // An application may return long after the last byte, to which the end is dated back.
            self.closing.push_back((end.t_ns.max(self.now_ns).saturating_add(GRACE_NS), key));
        }
    }

    fn sequence_add(&mut self, source: Source, add: &SequenceAdd<'_>) {
        let sequence_key = SequenceKey::of(add.internal_id);
        if self.sequences.contains_key(&sequence_key) {
            return;
        }
        if add.index == SequenceAdd::WARM_UP {
            self.pending.take(sequence_key);
            self.ended.insert(sequence_key);
            return;
        }
        let parent = if add.parent_id.is_empty() { add.internal_id } else { add.parent_id };
        let key = match add.http_id {
            // The parent may have come at the edge of another process.
            0 => {
                let parent = SequenceKey::of(parent);
                self.sequences.get(&parent).map_or(Key::Alone(parent), |place| place.key)
            }
            id => Key::Http(source, id),
        };
        let clock = self.processes.get(&source).map(|p| p.clock).unwrap_or_default();
        let arrival_ns = clock.mono(add.arrival_time, add.t_ns, MAX_ARRIVAL_DISTANCE_NS);
        if !self.requests.contains_key(&key) {
            if self.requests.len() >= MAX_OPEN_REQUESTS {
                self.health.drop(Unit::Requests, "too_many_open", 1);
                return;
            }
            let start_ns = arrival_ns.unwrap_or(add.t_ns).min(add.t_ns);
            let trace = state::new_trace(add.internal_id, clock.wall(add.t_ns));
            let mut request = self.new_request(source, trace, start_ns, None);
            request.incomplete = add.http_id != 0;
            self.requests.insert(key, Open::new(source, request));
        }
        let Some(open) = self.requests.get_mut(&key) else { return };
        if open.request.sequences.len() >= MAX_SEQUENCES {
            self.health.drop(Unit::Details, "too_many_sequences", 1);
            return;
        }
        open.last_ns = open.last_ns.max(add.t_ns);
        // The engine stamps the arrival inside the request: before its start it cannot be.
        let arrival_ns = arrival_ns.unwrap_or(open.request.start_ns).max(open.request.start_ns);
        let index = open.request.sequences.len();
        open.request.sequences.push(Sequence::new(add, arrival_ns, self.keep.content.capture));
        self.sequences.insert(sequence_key, Place { key, index, engine: None });
        self.ended.remove(&sequence_key);
        for early in self.pending.take(sequence_key) {
            self.fact(sequence_key, early.t_ns, early.engine, early.fact);
        }
    }

    fn step(&mut self, source: Source, step: &Step<'_>) {
        let waiting = step.waiting.saturating_add(step.deferred);
        let batch = u32::try_from(step.members.len()).unwrap_or(u32::MAX);
        self.steps.entry(step.engine_index).or_default().push(step.step, batch, waiting);
        for member in step.members.iter() {
            let fact = Fact::Member { step: step.step, tokens: member.tokens, schedule_ns: step.schedule_ns };
            self.fact(member.key, step.t_ns, Some((source, step.engine_index)), fact);
        }
    }

    fn step_outputs(&mut self, source: Source, outputs: &StepOutputs<'_>) {
        let steps = self.steps.get(&outputs.engine_index);
        let (batch, waiting) = steps.and_then(|s| s.find(outputs.step)).unwrap_or_default();
        for output in outputs.outputs.iter() {
            let fact = Fact::Output {
                step: outputs.step,
                tokens: output.tokens,
                cached: output.cached_tokens,
                finish: output.finish,
                batch,
                waiting,
            };
            self.fact(output.key, outputs.t_ns, Some((source, outputs.engine_index)), fact);
        }
    }

    fn fact(&mut self, key: SequenceKey, t_ns: u64, engine: Option<(Source, u32)>, fact: Fact) {
        let Some(place) = self.sequences.get_mut(&key) else {
            match (&fact, engine) {
                _ if !self.ended.contains(&key) => self.pending.push(key, pending::Early { t_ns, engine, fact }),
                (&Fact::Output { tokens, .. }, Some((_, engine_index))) if self.stopped.contains(&key) => {
                    self.out.push(Joined::Surplus { engine_index, tokens });
                }
                _ => {}
            }
            return;
        };
        place.engine = engine.map(|(source, _)| source).or(place.engine);
        let place = *place;
        let events = self.keep.token_events;
        let Some(sequence) = self.sequence(place) else { return };
        sequence.engine_index = engine.map(|(_, index)| index).or(sequence.engine_index);
        let first = sequence.apply(t_ns, &fact, events);
        let (ended, prompt_tokens) = (sequence.is_ended(), sequence.prompt_tokens);
        if first && let Some((_, engine_index)) = engine {
            self.out.push(Joined::FirstToken { engine_index, prompt_tokens });
        }
        if ended {
            self.finish_if_over(place.key);
        }
    }

    fn finish_if_over(&mut self, key: Key) {
        let alone = matches!(key, Key::Alone(_));
        if self.requests.get(&key).is_some_and(|open| (alone || open.http_end_ns.is_some()) && open.is_over()) {
            self.finish(key, None);
        }
    }

    /// Build the request out of what is known.
    fn finish(&mut self, key: Key, closed: Option<Closed>) {
        let Some(Open { mut request, http_end_ns, last_ns, .. }) = self.requests.remove(&key) else { return };
        let end_ns = http_end_ns.unwrap_or(last_ns);
        let disconnected = request.edge.outcome == Some(HttpOutcome::Disconnected);
        if request.sequences.len() > 1 {
            for parent in state::take_parents(&mut request.sequences) {
                self.sequences.remove(&parent.key);
                self.ended.insert(parent.key);
            }
        }
        for sequence in &mut request.sequences {
            self.sequences.remove(&sequence.key);
            self.ended.insert(sequence.key);
            let (end, known) = state::end_of(sequence, closed, disconnected);
            request.incomplete |= !sequence.is_ended() && !known;
            sequence.close(end_ns, end);
            if sequence.is_stopped() {
                self.stopped.insert(sequence.key);
            }
            self.health.drop(Unit::Details, "too_many_tokens", sequence.tokens.left_out());
            self.health.drop(Unit::Details, "too_many_stages", sequence.stages_left_out.into());
        }
        let last_end_ns = request.sequences.iter().map(|s| s.end_ns).max().unwrap_or(0);
        request.end_ns = http_end_ns.unwrap_or(last_ns.max(last_end_ns)).max(request.start_ns);
        request.closed = closed;
        request.answer.end(u32::try_from(request.choices()).unwrap_or(1));
        // Where there is one sequence the client was told how many tokens its answer has, if it was told to the end.
        // The scheduler runs ahead only of a stop string; what some engines say of other answers is too little.
        let told = request.answer.usage.completion_tokens.filter(|&n| n > 0);
        let whole = !disconnected && closed.is_none() && request.edge.response_cut().is_none();
        if let ([only], Some(told), true) = (request.sequences.as_mut_slice(), told, whole)
            && only.is_stopped()
        {
            only.truncate(told);
        }
        self.out.push(Joined::Request(Box::new(request)));
    }
}

/// When a record was made, monotonic nanoseconds.
#[must_use]
pub fn time_ns(record: &Record<'_>) -> u64 {
    match record {
        Record::Process(r) => r.t_ns,
        Record::Probe(r) => r.t_ns,
        Record::Fault(r) => r.t_ns,
        Record::HttpStart(r) => r.t_ns,
        Record::HttpBody(r) | Record::HttpChunk(r) => r.t_ns,
        Record::HttpResponse(r) => r.t_ns,
        Record::HttpEnd(r) => r.t_ns,
        Record::SequenceAdd(r) => r.t_ns,
        Record::FrontOutputs(r) => r.t_ns,
        Record::SequenceAbort(r) => r.t_ns,
        Record::Engine(r) => r.t_ns,
        Record::Queued(r) => r.t_ns,
        Record::Step(r) => r.t_ns,
        Record::Preempted(r) => r.t_ns,
        Record::StepOutputs(r) => r.t_ns,
        Record::Finished(r) => r.t_ns,
        Record::Sample(r) => r.t_ns,
    }
}

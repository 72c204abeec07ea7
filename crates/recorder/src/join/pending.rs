//! What waits for a sequence to be named, and what is remembered of those that are over.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use tachograph_ring::record::SequenceKey;

use super::Source;
use crate::health::{Health, Unit};
use crate::sequence::Fact;

/// Most sequences waited for at once.
const MAX_WAITING: usize = 4096;
/// Most facts kept of one of them: a sequence is named before its first steps, if at all.
const MAX_FACTS: usize = 256;
/// How long is waited, nanoseconds: the front end's record is made before the engine's first one.
const WAIT_NS: u64 = 2_000_000_000;
/// How long a sequence that never was named is remembered after its last fact, nanoseconds.
const FORGET_NS: u64 = 10_000_000_000;
/// Most keys remembered of what is over: late facts come within a step or two.
const MAX_RECENT: usize = 8192;

/// A fact that came before its sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Early {
    pub(super) t_ns: u64,
    pub(super) engine: Option<(Source, u32)>,
    pub(super) fact: Fact,
}

#[derive(Debug)]
struct Waiting {
    first_ns: u64,
    last_ns: u64,
    /// None once the waiting was given up.
    facts: Option<Vec<Early>>,
}

/// Facts whose sequence is not known yet.
pub(super) struct Pending {
    health: Health,
    waiting: HashMap<SequenceKey, Waiting>,
    next_expiry_ns: u64,
}

impl Pending {
    pub(super) fn new(health: Health) -> Self {
        Self { health, waiting: HashMap::new(), next_expiry_ns: 0 }
    }

    pub(super) fn push(&mut self, key: SequenceKey, early: Early) {
        if self.waiting.len() >= MAX_WAITING && !self.waiting.contains_key(&key) {
            self.health.drop(Unit::Details, "unknown_sequence", 1);
            return;
        }
        let new = || Waiting { first_ns: early.t_ns, last_ns: early.t_ns, facts: Some(Vec::new()) };
        let waiting = self.waiting.entry(key).or_insert_with(new);
        waiting.last_ns = waiting.last_ns.max(early.t_ns);
        match &mut waiting.facts {
            Some(facts) if facts.len() < MAX_FACTS => facts.push(early),
            _ => self.health.drop(Unit::Details, "unknown_sequence", 1),
        }
    }

    pub(super) fn take(&mut self, key: SequenceKey) -> Vec<Early> {
        self.waiting.remove(&key).and_then(|w| w.facts).unwrap_or_default()
    }

    /// Give up what waited too long; the time is monotonic.
    pub(super) fn expire(&mut self, now_ns: u64) {
        if self.waiting.is_empty() || now_ns < self.next_expiry_ns {
            return;
        }
        self.next_expiry_ns = now_ns.saturating_add(WAIT_NS / 4);
        let health = &self.health;
        self.waiting.retain(|_, waiting| {
            if now_ns.saturating_sub(waiting.first_ns) > WAIT_NS
                && let Some(facts) = waiting.facts.take()
            {
                health.drop(Unit::Details, "unknown_sequence", facts.len() as u64);
            }
            now_ns.saturating_sub(waiting.last_ns) <= FORGET_NS
        });
    }
}

/// The last keys of something, bounded.
#[derive(Debug)]
pub(super) struct Recent<K> {
    set: HashSet<K>,
    order: VecDeque<K>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { set: HashSet::new(), order: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash> Recent<K> {
    pub(super) fn insert(&mut self, key: K) {
        if self.set.insert(key) {
            self.order.push_back(key);
        }
        if self.order.len() > MAX_RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.set.contains(key)
    }

    pub(super) fn remove(&mut self, key: &K) -> bool {
        self.set.remove(key)
    }
}

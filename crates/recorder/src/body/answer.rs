//! What was answered, gathered from a whole body or from the chunks of a stream.

mod shape;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json;
use super::message::Writer;
use super::piece::{Piece, Usage};
use super::sse::Sse;
use super::text::{ContentPolicy, Text};

/// Most choices and tool calls kept: OpenAI's own limit of `n` and of tools is 128.
pub const MAX_CHOICES: u32 = 128;
/// Most scores kept of a ranking: as many as there are choices, and more than anybody reads.
pub const MAX_SCORES: usize = 128;
/// Longest whole body kept until its end: what comes later is not parsed.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// One choice.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The answer.
    pub text: Text,
    /// The reasoning before it.
    pub reasoning: Text,
    /// Tool calls, by index.
    pub calls: BTreeMap<u32, Call>,
    /// Why it ended.
    pub finish_reason: Option<String>,
}

/// Score of a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Index of the document in the request.
    pub index: u64,
    /// How well it fits.
    pub score: f64,
}

/// A tool call.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Its id.
    pub id: Option<String>,
    /// Name of the function.
    pub name: String,
    /// Arguments.
    pub arguments: Text,
}

/// An answer under construction.
#[derive(Clone, Debug)]
pub struct Answer {
    policy: ContentPolicy,
    sse: Option<Sse>,
    whole: Vec<u8>,
    /// The id that the client is given.
    pub id: Option<String>,
    /// Model that answers.
    pub model: Option<String>,
    /// Choices by index.
    pub choices: BTreeMap<u32, Choice>,
    /// Token counts.
    pub usage: Usage,
    /// Token counts of each answer of a batch, where they come apart.
    usages: BTreeMap<u32, Usage>,
    /// Scores of documents, in the order of the answer; at most [`MAX_SCORES`].
    pub scores: Vec<Score>,
    /// Length of the vectors.
    pub dimensions: Option<u64>,
    /// Class of an error in the body or in the middle of a stream.
    pub error: Option<String>,
    /// First chunk with content, monotonic nanoseconds.
    pub first_content_ns: Option<u64>,
    /// First chunk with reasoning.
    pub first_reasoning_ns: Option<u64>,
    /// First chunk with an answer.
    pub first_answer_ns: Option<u64>,
}

impl Answer {
    /// An empty answer; `streamed` where it comes as server-sent events.
    #[must_use]
    pub fn new(streamed: bool, policy: ContentPolicy) -> Self {
        Self {
            policy,
            sse: streamed.then(Sse::default),
            whole: Vec::new(),
            id: None,
            model: None,
            choices: BTreeMap::new(),
            usage: Usage::default(),
            usages: BTreeMap::new(),
            scores: Vec::new(),
            dimensions: None,
            error: None,
            first_content_ns: None,
            first_reasoning_ns: None,
            first_answer_ns: None,
        }
    }

    /// Whether it comes as server-sent events.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.sse.is_some()
    }

    /// Take a chunk of the body, sent at `t_ns`.
    pub fn push(&mut self, bytes: &[u8], t_ns: u64) {
        if let Some(mut sse) = self.sse.take() {
            sse.push(bytes, |data| {
                // A chunk that is no JSON is `[DONE]`, or not ours to judge.
                if let Ok(piece) = serde_json::from_slice::<Piece>(data) {
                    self.take(piece, 0, Some(t_ns));
                }
            });
            self.sse = Some(sse);
        } else {
            let room = MAX_BODY_BYTES - self.whole.len();
            self.whole.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The body is over. `choices`: answers to each prompt of a batch, which count it once.
    pub fn end(&mut self, choices: u32) {
        let whole = std::mem::take(&mut self.whole);
        if let Some(body) = json::parse(&whole) {
            self.take_body(body);
        }
        let answers = self.usages.iter().map(|(&index, &usage)| match index % choices.max(1) {
            0 => usage,
            _ => Usage { prompt_tokens: None, prompt_tokens_details: None, ..usage },
        });
        self.usage = self.usage.or(answers.reduce(Usage::plus).unwrap_or_default());
    }

    fn answered(&mut self, t_ns: Option<u64>) {
        self.first_content_ns = self.first_content_ns.or(t_ns);
        self.first_answer_ns = self.first_answer_ns.or(t_ns);
    }

    fn add_text(&mut self, index: u32, text: &str, t_ns: Option<u64>) {
        if !text.is_empty() && index < MAX_CHOICES {
            self.answered(t_ns);
            self.choices.entry(index).or_default().text.push(text, self.policy);
        }
    }

    fn add_reasoning(&mut self, index: u32, text: &str, t_ns: Option<u64>) {
        if !text.is_empty() && index < MAX_CHOICES {
            self.first_content_ns = self.first_content_ns.or(t_ns);
            self.first_reasoning_ns = self.first_reasoning_ns.or(t_ns);
            self.choices.entry(index).or_default().reasoning.push(text, self.policy);
        }
    }

    fn stopped(&mut self, index: u32, reason: Option<String>) {
        if let Some(reason) = reason.filter(|_| index < MAX_CHOICES) {
            self.choices.entry(index).or_default().finish_reason = Some(reason);
        }
    }

    /// Whether any choice reasoned.
    #[must_use]
    pub fn has_reasoning(&self) -> bool {
        self.choices.values().any(|c| !c.reasoning.is_empty())
    }

    /// Output messages with the true length of the longest part cut; none while content is off or where nothing was
    /// said. `only_reasoning`: the reasoning parts alone.
    #[must_use]
    pub fn messages(&self, only_reasoning: bool) -> Option<(String, Option<u64>)> {
        if !self.policy.capture {
            return None;
        }
        let mut writer = Writer::new(self.policy);
        let mut messages = Vec::new();
        for choice in self.choices.values() {
            let mut parts = Vec::new();
            if !choice.reasoning.is_empty() {
                parts.push(json!({"type": "reasoning", "content": writer.gathered(&choice.reasoning)}));
            }
            if !only_reasoning {
                if !choice.text.is_empty() {
                    parts.push(json!({"type": "text", "content": writer.gathered(&choice.text)}));
                }
                for call in choice.calls.values() {
                    parts.push(writer.gathered_call(call.id.as_deref(), &call.name, &call.arguments));
                }
            }
            // A choice that ended without a word is an answer too: its message has no parts.
            if !parts.is_empty() || (!only_reasoning && choice.finish_reason.is_some()) {
                let mut message = json!({"role": "assistant", "parts": parts});
                if let (Some(reason), Value::Object(fields)) = (&choice.finish_reason, &mut message) {
                    fields.insert("finish_reason".into(), reason.clone().into());
                }
                messages.push(message);
            }
        }
        (!messages.is_empty()).then(|| (Value::Array(messages).to_string(), writer.longest_cut()))
    }
}

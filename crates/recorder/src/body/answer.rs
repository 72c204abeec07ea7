//! What was answered, gathered from a whole body or from the chunks of a stream.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::json;
use super::message::Writer;
use super::piece::{Content, Delta, Message, MetaInfo, Piece, PieceChoice, PieceHead, ToolCall, Usage};
use super::sse::Sse;
use super::text::{ContentPolicy, Text};

/// Most choices and tool calls kept: OpenAI's own limit of `n` and of tools is 128.
pub const MAX_CHOICES: u32 = 128;
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
    /// Token counts of each answer of `/generate`.
    generated: BTreeMap<u32, Usage>,
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
            generated: BTreeMap::new(),
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
                    self.take(piece, Some(t_ns));
                }
            });
            self.sse = Some(sse);
        } else {
            let room = MAX_BODY_BYTES - self.whole.len();
            self.whole.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
    }

    /// The body is over.
    pub fn end(&mut self) {
        let whole = std::mem::take(&mut self.whole);
        match json::parse(&whole) {
            // `/generate` answers several prompts with a list.
            Some(Value::Array(list)) => {
                for (index, one) in (0..MAX_CHOICES).zip(list) {
                    if let Ok(piece) = Piece::deserialize(one) {
                        self.take(Piece { index: piece.index.or(Some(index)), ..piece }, None);
                    }
                }
            }
            Some(body) => {
                if let Ok(piece) = Piece::deserialize(body) {
                    self.take(piece, None);
                }
            }
            None => {}
        }
    }

    fn take(&mut self, piece: Piece, t_ns: Option<u64>) {
        self.take_head(&piece);
        if let Some(told) = &piece.meta_info {
            let text = piece.text.as_ref().and_then(Value::as_str).unwrap_or_default();
            self.take_generated(piece.index.unwrap_or(0), text, told, t_ns);
            return;
        }
        for choice in piece.choices.into_iter().flatten() {
            self.take_choice(choice, t_ns);
        }
        match (piece.r#type.as_deref(), piece.delta) {
            (Some("response.output_text.delta"), Some(Delta::Text(text))) => self.add_text(0, &text, t_ns),
            (Some(kind), Some(Delta::Text(text))) if kind.starts_with("response.reasoning") => {
                self.add_reasoning(0, &text, t_ns);
            }
            (_, Some(Delta::Block(block))) => {
                self.add_reasoning(0, block.thinking.as_deref().unwrap_or_default(), t_ns);
                self.add_text(0, block.text.as_deref().unwrap_or_default(), t_ns);
                self.stopped(0, block.stop_reason);
            }
            _ => {}
        }
        self.stopped(0, piece.stop_reason);
        // A stream's last event repeats the whole response: its text is known by then.
        if t_ns.is_none() {
            let blocks = [piece.output, piece.content];
            blocks.iter().flatten().filter_map(Value::as_array).flatten().for_each(|block| self.take_block(block));
            if let Some(Value::String(text)) = piece.text {
                self.add_text(0, &text, t_ns);
            }
        }
    }

    fn take_head(&mut self, piece: &Piece) {
        let message = piece.message.as_ref().and_then(|m| match m {
            PieceHead::Piece(piece) => Some(piece.as_ref()),
            PieceHead::Other(_) => None,
        });
        for head in [Some(piece), piece.response.as_deref(), message].into_iter().flatten() {
            self.id = self.id.take().or_else(|| head.id.clone());
            self.model = self.model.take().or_else(|| head.model.clone());
            if let Some(error) = head.error.as_ref().filter(|e| !e.is_null()) {
                self.error = Some(error_class(error));
            }
            if let Some(usage) = head.usage {
                let known = self.usage;
                self.usage = Usage {
                    prompt_tokens: usage.prompt_tokens.or(known.prompt_tokens),
                    completion_tokens: usage.completion_tokens.or(known.completion_tokens),
                    prompt_tokens_details: usage.prompt_tokens_details.or(known.prompt_tokens_details),
                    completion_tokens_details: usage.completion_tokens_details.or(known.completion_tokens_details),
                    reasoning_tokens: usage.reasoning_tokens.or(known.reasoning_tokens),
                };
            }
        }
    }

    fn take_choice(&mut self, choice: PieceChoice, t_ns: Option<u64>) {
        let index = choice.index.unwrap_or(0);
        for message in [choice.delta, choice.message].into_iter().flatten() {
            self.take_message(index, message, t_ns);
        }
        self.add_text(index, choice.text.as_deref().unwrap_or_default(), t_ns);
        self.stopped(index, choice.finish_reason);
    }

    fn take_message(&mut self, index: u32, message: Message, t_ns: Option<u64>) {
        let reasoning = message.reasoning.or(message.reasoning_content);
        self.add_reasoning(index, reasoning.as_deref().unwrap_or_default(), t_ns);
        if let Some(Content::Text(text)) = message.content {
            self.add_text(index, &text, t_ns);
        }
        self.add_text(index, message.refusal.as_deref().unwrap_or_default(), t_ns);
        for (position, call) in message.tool_calls.into_iter().flatten().enumerate() {
            self.take_call(index, u32::try_from(position).unwrap_or(MAX_CHOICES), call, t_ns);
        }
    }

    fn take_call(&mut self, index: u32, position: u32, call: ToolCall, t_ns: Option<u64>) {
        let at = call.index.unwrap_or(position);
        if at >= MAX_CHOICES {
            return;
        }
        self.answered(t_ns);
        let policy = self.policy;
        let Some(choice) = self.choice(index) else { return };
        let kept = choice.calls.entry(at).or_default();
        kept.id = kept.id.take().or(call.id);
        let function = call.function.unwrap_or_default();
        kept.name.push_str(function.name.as_deref().unwrap_or_default());
        kept.arguments.push(function.arguments.as_deref().unwrap_or_default(), policy);
    }

    /// A block of a whole body of the responses or messages route.
    fn take_block(&mut self, block: &Value) {
        let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "message" | "reasoning" => {
                let is_reasoning = text("type") == "reasoning";
                for part in block.get("content").and_then(Value::as_array).into_iter().flatten() {
                    let text = part.get("text").and_then(Value::as_str).unwrap_or_default();
                    if is_reasoning { self.add_reasoning(0, text, None) } else { self.add_text(0, text, None) }
                }
            }
            "text" => self.add_text(0, text("text"), None),
            "thinking" => self.add_reasoning(0, text("thinking"), None),
            "function_call" | "tool_use" => {
                let arguments = block.get("arguments").and_then(Value::as_str).map(str::to_owned);
                let arguments = arguments.or_else(|| block.get("input").map(Value::to_string));
                let function = super::piece::Function { name: Some(text("name").to_owned()), arguments };
                let id = block.get("call_id").or_else(|| block.get("id")).and_then(Value::as_str).map(str::to_owned);
                let next = self.choices.get(&0).map_or(0, |c| u32::try_from(c.calls.len()).unwrap_or(MAX_CHOICES));
                self.take_call(0, next, ToolCall { index: None, id, function: Some(function) }, None);
            }
            _ => {}
        }
    }

    /// An answer of `/generate`; in a stream its text is repeated from the beginning, unless the server sends deltas.
    fn take_generated(&mut self, index: u32, text: &str, told: &MetaInfo, t_ns: Option<u64>) {
        let Some(choice) = self.choice(index) else { return };
        let added = choice.text.added(text).to_owned();
        self.add_text(index, &added, t_ns);
        self.stopped(index, told.finish_reason.as_ref().and_then(|reason| reason.r#type.clone()));
        self.id = self.id.take().or_else(|| told.id.clone());
        self.generated.insert(index, Usage::from(told));
        self.usage = self.generated.values().copied().reduce(Usage::plus).unwrap_or_default();
    }

    fn choice(&mut self, index: u32) -> Option<&mut Choice> {
        (index < MAX_CHOICES).then(|| self.choices.entry(index).or_default())
    }

    fn answered(&mut self, t_ns: Option<u64>) {
        self.first_content_ns = self.first_content_ns.or(t_ns);
        self.first_answer_ns = self.first_answer_ns.or(t_ns);
    }

    fn add_text(&mut self, index: u32, text: &str, t_ns: Option<u64>) {
        let policy = self.policy;
        if !text.is_empty() {
            self.answered(t_ns);
            if let Some(choice) = self.choice(index) {
                choice.text.push(text, policy);
            }
        }
    }

    fn add_reasoning(&mut self, index: u32, text: &str, t_ns: Option<u64>) {
        let policy = self.policy;
        if !text.is_empty() {
            self.first_content_ns = self.first_content_ns.or(t_ns);
            self.first_reasoning_ns = self.first_reasoning_ns.or(t_ns);
            if let Some(choice) = self.choice(index) {
                choice.reasoning.push(text, policy);
            }
        }
    }

    fn stopped(&mut self, index: u32, reason: Option<String>) {
        if let Some(reason) = reason
            && let Some(choice) = self.choice(index)
        {
            choice.finish_reason = Some(reason);
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
        let mut writer = Writer::new(self.policy);
        if !self.policy.capture {
            return None;
        }
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

/// The class of an error; its message may carry content and is not kept.
fn error_class(error: &Value) -> String {
    let field = |key: &str| match error.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(code)) => Some(code.to_string()),
        _ => None,
    };
    field("type").or_else(|| field("code")).unwrap_or_else(|| "error".to_owned())
}

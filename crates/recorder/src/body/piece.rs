//! The shapes in which engines answer: whole bodies and stream chunks of the chat, completion, responses, messages,
//! embedding and `/generate` routes, in one type, since each is recognised by the fields that it has.

use serde::Deserialize;
use serde_json::Value;

/// A response body, or one chunk of a streamed one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Piece {
    /// The id that the client is given.
    pub id: Option<String>,
    /// Model that answers.
    pub model: Option<String>,
    /// Choices of chat and completion routes.
    pub choices: Option<Vec<PieceChoice>>,
    /// Token counts.
    pub usage: Option<Usage>,
    /// An error, in the body or in the middle of a stream.
    pub error: Option<Value>,
    /// Type of an event of the responses and messages routes.
    pub r#type: Option<String>,
    /// What an event adds: a text (responses) or an object (messages).
    pub delta: Option<Delta>,
    /// The whole response, in an event of the responses route.
    pub response: Option<Box<Piece>>,
    /// The message's head, in an event of the messages route.
    pub message: Option<PieceHead>,
    /// Output items of the responses route.
    pub output: Option<Value>,
    /// Content blocks of the messages route.
    pub content: Option<Value>,
    /// Why the messages route stopped.
    pub stop_reason: Option<String>,
    /// Text of `/generate`.
    pub text: Option<Value>,
    /// What `/generate` tells beside its text.
    pub meta_info: Option<MetaInfo>,
    /// Place of the answer among several, in a stream of `/generate`.
    pub index: Option<u32>,
}

/// `meta_info` of SGLang's `/generate` (`TokenizerManager._handle_batch_output`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetaInfo {
    /// The engine's id.
    pub id: Option<String>,
    /// Why it ended; null while it goes on.
    pub finish_reason: Option<MetaReason>,
    /// Prompt tokens.
    pub prompt_tokens: Option<u64>,
    /// Tokens so far.
    pub completion_tokens: Option<u64>,
    /// Prompt tokens from the cache.
    pub cached_tokens: Option<u64>,
    /// Of the tokens, those spent on reasoning.
    pub reasoning_tokens: Option<u64>,
}

/// Why an answer of `/generate` ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetaReason {
    /// `stop`, `length` or `abort`.
    pub r#type: Option<String>,
}

/// Head of a message; in other bodies `message` is a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum PieceHead {
    /// The message.
    Piece(Box<Piece>),
    /// Something else.
    Other(serde::de::IgnoredAny),
}

/// One choice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PieceChoice {
    /// Its index.
    pub index: Option<u32>,
    /// What a chat chunk adds.
    pub delta: Option<Message>,
    /// The whole chat message.
    pub message: Option<Message>,
    /// Text of a completion.
    pub text: Option<String>,
    /// Why it ended.
    pub finish_reason: Option<String>,
}

/// A chat message, or what a chunk adds to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Text.
    pub content: Option<Content>,
    /// Reasoning (vLLM ≥ 0.11.2).
    pub reasoning: Option<String>,
    /// Reasoning (older vLLM, SGLang); the same text where both are there.
    pub reasoning_content: Option<String>,
    /// Tool calls.
    pub tool_calls: Option<Vec<ToolCall>>,
    /// A refusal.
    pub refusal: Option<String>,
}

/// Text, or something that is not text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Text.
    Text(String),
    /// Other parts.
    Other(serde::de::IgnoredAny),
}

/// A tool call, or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCall {
    /// Index among the calls of the message.
    pub index: Option<u32>,
    /// Its id.
    pub id: Option<String>,
    /// The function.
    pub function: Option<Function>,
}

/// Function of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function {
    /// Name.
    pub name: Option<String>,
    /// Arguments, JSON in a text.
    pub arguments: Option<String>,
}

/// What an event adds.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Delta {
    /// Text of the responses route.
    Text(String),
    /// A block's delta of the messages route.
    Block(Block),
    /// Something else.
    Other(serde::de::IgnoredAny),
}

/// A block's delta.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Block {
    /// Text.
    pub text: Option<String>,
    /// Reasoning.
    pub thinking: Option<String>,
    /// Why the message stopped.
    pub stop_reason: Option<String>,
}

/// Token counts, in the spelling of either API family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens.
    #[serde(alias = "input_tokens")]
    pub prompt_tokens: Option<u64>,
    /// Generated tokens.
    #[serde(alias = "output_tokens")]
    pub completion_tokens: Option<u64>,
    /// Details of the prompt.
    #[serde(alias = "input_tokens_details")]
    pub prompt_tokens_details: Option<UsageDetails>,
    /// Details of the output.
    #[serde(alias = "output_tokens_details")]
    pub completion_tokens_details: Option<UsageDetails>,
    /// Spent on reasoning, as SGLang tells it beside the details.
    pub reasoning_tokens: Option<u64>,
}

/// Details of a token count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UsageDetails {
    /// From the prefix cache.
    pub cached_tokens: Option<u64>,
    /// Spent on reasoning.
    pub reasoning_tokens: Option<u64>,
}

impl From<&MetaInfo> for Usage {
    fn from(told: &MetaInfo) -> Self {
        let details = |cached_tokens, reasoning_tokens| UsageDetails { cached_tokens, reasoning_tokens };
        Self {
            prompt_tokens: told.prompt_tokens,
            completion_tokens: told.completion_tokens,
            prompt_tokens_details: told.cached_tokens.map(|n| details(Some(n), None)),
            completion_tokens_details: told.reasoning_tokens.map(|n| details(None, Some(n))),
            reasoning_tokens: None,
        }
    }
}

impl Usage {
    /// The counts of two answers together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.map_or(b, |a| Some(a.saturating_add(b.unwrap_or(0))));
        let details = |a: Option<UsageDetails>, b: Option<UsageDetails>| match (a, b) {
            (Some(a), Some(b)) => Some(UsageDetails {
                cached_tokens: sum(a.cached_tokens, b.cached_tokens),
                reasoning_tokens: sum(a.reasoning_tokens, b.reasoning_tokens),
            }),
            (a, b) => a.or(b),
        };
        Self {
            prompt_tokens: sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens: sum(self.completion_tokens, other.completion_tokens),
            prompt_tokens_details: details(self.prompt_tokens_details, other.prompt_tokens_details),
            completion_tokens_details: details(self.completion_tokens_details, other.completion_tokens_details),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
        }
    }
}

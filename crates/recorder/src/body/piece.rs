//! The shapes in which engines answer: whole bodies and stream chunks of the chat, completion, responses, messages,
//! embedding and `/generate` routes, in one type, since each is recognised by the fields that it has.

use serde::Deserialize;
use serde::de::IgnoredAny;
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
    /// Its tokens: all so far, or those of this piece.
    pub output_ids: Option<Vec<IgnoredAny>>,
    /// What `/generate` and its like say of an answer.
    pub meta_info: Option<MetaInfo>,
    /// Index of an answer of `/generate` in its batch, or of a content block of the messages route.
    pub index: Option<u32>,
    /// Index of an item of the responses route.
    pub output_index: Option<u32>,
    /// An item that begins in an event of the responses route.
    pub item: Option<Value>,
    /// A block that begins in an event of the messages route.
    pub content_block: Option<Value>,
    /// Vectors, scores or classes.
    pub data: Option<Value>,
    /// Ranked documents.
    pub results: Option<Value>,
    /// Scores (SGLang).
    pub scores: Option<Value>,
    /// Score of one document (SGLang).
    pub score: Option<f64>,
    /// One vector (SGLang).
    pub embedding: Option<Value>,
}

/// What SGLang's native routes say of one answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetaInfo {
    /// The engine's request id.
    pub id: Option<String>,
    /// Why it ended: an object with `type`, or a text in old versions.
    pub finish_reason: Option<Value>,
    /// Prompt tokens.
    pub prompt_tokens: Option<u64>,
    /// Generated tokens so far.
    pub completion_tokens: Option<u64>,
    /// Of the prompt's, from the prefix cache.
    pub cached_tokens: Option<u64>,
    /// Of the generated, spent on reasoning.
    pub reasoning_tokens: Option<u64>,
}

/// Head of a message; in other bodies `message` is a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum PieceHead {
    /// The message.
    Piece(Box<Piece>),
    /// Something else.
    Other(IgnoredAny),
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
    Other(IgnoredAny),
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
    Other(IgnoredAny),
}

/// A block's delta.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Block {
    /// Text.
    pub text: Option<String>,
    /// Reasoning.
    pub thinking: Option<String>,
    /// A piece of a tool call's arguments.
    pub partial_json: Option<String>,
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
    /// Spent on reasoning, beside the details (SGLang).
    pub reasoning_tokens: Option<u64>,
    /// From the prefix cache (messages route).
    pub cache_read_input_tokens: Option<u64>,
}

impl Usage {
    /// What a later report says, and what it leaves unsaid as it was known before.
    #[must_use]
    pub fn or(self, known: Self) -> Self {
        Self {
            prompt_tokens: self.prompt_tokens.or(known.prompt_tokens),
            completion_tokens: self.completion_tokens.or(known.completion_tokens),
            prompt_tokens_details: self.prompt_tokens_details.or(known.prompt_tokens_details),
            completion_tokens_details: self.completion_tokens_details.or(known.completion_tokens_details),
            reasoning_tokens: self.reasoning_tokens.or(known.reasoning_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.or(known.cache_read_input_tokens),
        }
    }

    /// The sum of two answers of one batch.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0))).or(b);
        let cached_tokens = sum(self.cached(), other.cached());
        let details = UsageDetails { cached_tokens, reasoning_tokens: None };
        Self {
            prompt_tokens: sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens: sum(self.completion_tokens, other.completion_tokens),
            prompt_tokens_details: cached_tokens.map(|_| details),
            completion_tokens_details: None,
            reasoning_tokens: sum(self.reasoning(), other.reasoning()),
            cache_read_input_tokens: None,
        }
    }

    /// Prompt tokens. The messages route counts those from the cache apart.
    #[must_use]
    pub fn prompt(&self) -> Option<u64> {
        self.prompt_tokens.map(|n| n.saturating_add(self.cache_read_input_tokens.unwrap_or(0)))
    }

    /// Prompt tokens from the prefix cache.
    #[must_use]
    pub fn cached(&self) -> Option<u64> {
        self.prompt_tokens_details.and_then(|d| d.cached_tokens).or(self.cache_read_input_tokens)
    }

    /// Generated tokens spent on reasoning. SGLang says 0 also where nothing was looked for.
    #[must_use]
    pub fn reasoning(&self) -> Option<u64> {
        let detail = self.completion_tokens_details.and_then(|d| d.reasoning_tokens);
        detail.or(self.reasoning_tokens.filter(|&n| n > 0))
    }
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

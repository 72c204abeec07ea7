//! How the pieces of each route's answer are taken.

use serde::Deserialize;
use serde_json::Value;

use super::super::piece::{
    Content, Delta, Function, Message, MetaInfo, Piece, PieceChoice, PieceHead, Usage, UsageDetails,
};
use super::super::text::Text;
use super::{Answer, MAX_CHOICES, MAX_SCORES, Score};

impl Answer {
    /// A whole body: an object, or a list of them for a batch of SGLang's native routes.
    pub(super) fn take_body(&mut self, body: Value) {
        let pieces = match body {
            Value::Array(list) => list,
            one => vec![one],
        };
        for (position, one) in pieces.into_iter().enumerate().filter(|(_, one)| one.is_object()) {
            if let Ok(piece) = Piece::deserialize(one) {
                self.take(piece, u32::try_from(position).unwrap_or(MAX_CHOICES), None);
            }
        }
    }

    /// A piece; `position` is its place in a batch that is not streamed.
    pub(super) fn take(&mut self, mut piece: Piece, position: u32, t_ns: Option<u64>) {
        self.take_head(&piece);
        for choice in piece.choices.take().into_iter().flatten() {
            self.take_choice(choice, t_ns);
        }
        self.take_event(&mut piece, t_ns);
        self.stopped(0, piece.stop_reason.take());
        if let Some(meta) = piece.meta_info.take() {
            self.take_native(&piece, meta, position, t_ns);
        } else if t_ns.is_none() {
            // A stream's last event repeats the whole response: its text is known by then.
            let blocks = [piece.output.take(), piece.content.take()];
            blocks.iter().flatten().filter_map(Value::as_array).flatten().for_each(|block| self.take_block(block));
            match piece.text.take() {
                Some(Value::String(text)) => self.add_text(0, &text, None),
                Some(Value::Array(texts)) => {
                    texts
                        .iter()
                        .filter_map(Value::as_str)
                        .zip(0..)
                        .for_each(|(text, at)| self.add_text(at, text, None));
                }
                _ => {}
            }
        }
        self.take_pooled(&piece, position);
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
                self.usage = usage.or(self.usage);
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
        for (call, position) in message.tool_calls.into_iter().flatten().zip(0..) {
            let function = call.function.unwrap_or_default();
            self.add_call((index, call.index.unwrap_or(position)), call.id, &function, t_ns);
        }
    }

    /// An event of the responses, messages or transcriptions route.
    fn take_event(&mut self, piece: &mut Piece, t_ns: Option<u64>) {
        let item = piece.output_index.unwrap_or(0);
        match (piece.r#type.as_deref(), piece.delta.take()) {
            (Some("response.output_text.delta" | "response.refusal.delta" | "transcript.text.delta"), delta) => {
                self.add_text(0, text_of(delta.as_ref()), t_ns);
            }
            (
                Some(
                    "response.function_call_arguments.delta"
                    | "response.custom_tool_call_input.delta"
                    | "response.mcp_call_arguments.delta",
                ),
                delta,
            ) => {
                let arguments = Some(text_of(delta.as_ref()).to_owned());
                self.add_call((0, item), None, &Function { name: None, arguments }, t_ns);
            }
            (Some(kind), delta) if kind.starts_with("response.reasoning") => {
                self.add_reasoning(0, text_of(delta.as_ref()), t_ns);
            }
            (Some("response.output_item.added"), _) => self.begin_call(item, piece.item.as_ref(), t_ns),
            (Some("content_block_start"), _) => {
                self.begin_call(piece.index.unwrap_or(0), piece.content_block.as_ref(), t_ns);
            }
            (Some("content_block_delta" | "message_delta"), Some(Delta::Block(block))) => {
                self.add_reasoning(0, block.thinking.as_deref().unwrap_or_default(), t_ns);
                self.add_text(0, block.text.as_deref().unwrap_or_default(), t_ns);
                self.stopped(0, block.stop_reason);
                if block.partial_json.is_some() {
                    let function = Function { name: None, arguments: block.partial_json };
                    self.add_call((0, piece.index.unwrap_or(0)), None, &function, t_ns);
                }
            }
            _ => {}
        }
    }

    /// A call that begins in an event: its name and id; its arguments follow.
    fn begin_call(&mut self, at: u32, item: Option<&Value>, t_ns: Option<u64>) {
        let Some(item) = item else { return };
        if is_call(item) {
            let function = Function { name: string(item, "name"), arguments: None };
            self.add_call((0, at), string(item, "call_id").or_else(|| string(item, "id")), &function, t_ns);
        }
    }

    fn add_call(&mut self, (index, at): (u32, u32), id: Option<String>, function: &Function, t_ns: Option<u64>) {
        if at >= MAX_CHOICES || index >= MAX_CHOICES {
            return;
        }
        self.answered(t_ns);
        let kept = self.choices.entry(index).or_default().calls.entry(at).or_default();
        kept.id = kept.id.take().or(id);
        kept.name.push_str(function.name.as_deref().unwrap_or_default());
        kept.arguments.push(function.arguments.as_deref().unwrap_or_default(), self.policy);
    }

    /// A block of a whole body of the responses or messages route.
    fn take_block(&mut self, block: &Value) {
        let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        let texts = |key: &str| {
            let parts = block.get(key).and_then(Value::as_array).into_iter().flatten();
            parts.filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>()
        };
        match text("type") {
            "message" => texts("content").iter().for_each(|text| self.add_text(0, text, None)),
            "reasoning" => {
                let (said, summary) = (texts("content"), texts("summary"));
                let said = if said.is_empty() { summary } else { said };
                said.iter().for_each(|text| self.add_reasoning(0, text, None));
            }
            "text" => self.add_text(0, text("text"), None),
            "thinking" => self.add_reasoning(0, text("thinking"), None),
            _ if is_call(block) => {
                let arguments = string(block, "arguments").or_else(|| block.get("input").map(Value::to_string));
                let id = string(block, "call_id").or_else(|| string(block, "id"));
                let next = self.choices.get(&0).map_or(0, |c| u32::try_from(c.calls.len()).unwrap_or(MAX_CHOICES));
                self.add_call((0, next), id, &Function { name: string(block, "name"), arguments }, None);
            }
            _ => {}
        }
    }

    /// One answer of SGLang's native routes, or what there is of it so far.
    fn take_native(&mut self, piece: &Piece, meta: MetaInfo, position: u32, t_ns: Option<u64>) {
        let index = piece.index.unwrap_or(position);
        if index >= MAX_CHOICES {
            return;
        }
        if let Some(Value::String(text)) = &piece.text
            && !text.is_empty()
        {
            self.answered(t_ns);
            let ids = piece.output_ids.as_ref().map(|ids| ids.len() as u64).filter(|&n| n > 0);
            let kept = &mut self.choices.entry(index).or_default().text;
            // A stream repeats all of the text in each event, unless it was told to send only what is new.
            let is_new_part = match (ids, meta.completion_tokens) {
                (Some(ids), Some(all)) => ids < all,
                _ => !text.starts_with(kept.kept()),
            };
            if is_new_part {
                kept.push(text, self.policy);
            } else {
                *kept = Text::of(text, self.policy);
            }
        }
        self.id = self.id.take().or(meta.id);
        let reason = meta.finish_reason.as_ref();
        let reason = reason.and_then(|r| r.get("type").unwrap_or(r).as_str()).map(str::to_owned);
        self.stopped(index, reason);
        let details = |cached_tokens, reasoning_tokens| Some(UsageDetails { cached_tokens, reasoning_tokens });
        let usage = Usage {
            prompt_tokens: meta.prompt_tokens,
            completion_tokens: meta.completion_tokens,
            prompt_tokens_details: meta.cached_tokens.and_then(|n| details(Some(n), None)),
            reasoning_tokens: meta.reasoning_tokens,
            ..Usage::default()
        };
        self.usages.insert(index, usage);
    }

    /// Vectors, scores and classes.
    fn take_pooled(&mut self, piece: &Piece, position: u32) {
        let length = |vector: &Value| vector.as_array().map(|v| v.len() as u64).filter(|&n| n > 0);
        self.dimensions = self.dimensions.or_else(|| piece.embedding.as_ref().and_then(length));
        if let Some(score) = piece.score {
            self.add_score(piece.index.unwrap_or(position).into(), score);
        }
        let lists = [&piece.data, &piece.results, &piece.scores];
        for list in lists.into_iter().flatten().filter_map(Value::as_array) {
            for (one, place) in list.iter().zip(0u64..) {
                let at = one.get("index").and_then(Value::as_u64).unwrap_or(place);
                // SGLang gives one score for each label; where there is one label it is the document's.
                let number = match one {
                    Value::Array(labels) => labels.first().filter(|_| labels.len() == 1),
                    _ => one.get("relevance_score").or_else(|| one.get("score")),
                };
                if let Some(score) = number.and_then(Value::as_f64) {
                    self.add_score(at, score);
                }
                self.dimensions = self.dimensions.or_else(|| one.get("embedding").and_then(length));
                if let Some(label) = one.get("label").and_then(Value::as_str) {
                    self.add_text(u32::try_from(at).unwrap_or(MAX_CHOICES), label, None);
                }
            }
        }
    }

    fn add_score(&mut self, index: u64, score: f64) {
        if self.scores.len() < MAX_SCORES {
            self.scores.push(Score { index, score });
        }
    }
}

fn is_call(item: &Value) -> bool {
    let calls = ["function_call", "custom_tool_call", "mcp_call", "tool_use"];
    item.get("type").and_then(Value::as_str).is_some_and(|kind| calls.contains(&kind))
}

fn string(item: &Value, key: &str) -> Option<String> {
    item.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text_of(delta: Option<&Delta>) -> &str {
    match delta {
        Some(Delta::Text(text)) => text,
        _ => "",
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

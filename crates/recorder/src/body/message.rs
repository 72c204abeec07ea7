//! Messages in the shape of the GenAI conventions: `[{"role", "parts": [{"type", "content"}]}]`
//! (<https://github.com/open-telemetry/semantic-conventions-genai>, `gen_ai.input.messages`).

use serde_json::{Value, json};

use super::text::{ContentPolicy, Text};

/// Turns what a request or response carries into messages, under one content policy.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    policy: ContentPolicy,
    longest_cut: Option<u64>,
}

impl Writer {
    /// A writer under a policy.
    #[must_use]
    pub fn new(policy: ContentPolicy) -> Self {
        Self { policy, longest_cut: None }
    }

    /// True length in characters of the longest part that was cut.
    #[must_use]
    pub fn longest_cut(&self) -> Option<u64> {
        self.longest_cut
    }

    /// A text that was gathered piece by piece.
    pub fn gathered(&mut self, text: &Text) -> String {
        let (text, cut) = text.marked(self.policy);
        self.longest_cut = self.longest_cut.max(cut);
        text
    }

    /// A text, cut where it is too long.
    pub fn text(&mut self, text: &str) -> String {
        self.gathered(&Text::of(text, self.policy))
    }

    /// Any JSON: as it is, or its text cut where that is too long.
    pub fn json(&mut self, value: &Value) -> Value {
        let value = self.word(Some(value));
        let policy = ContentPolicy { redaction: None, ..self.policy };
        let (marked, cut) = Text::of(&value.to_string(), policy).marked(policy);
        self.longest_cut = self.longest_cut.max(cut);
        if cut.is_some() { Value::String(marked) } else { value }
    }

    /// What is short by its nature: a role, a name, an id.
    fn word(&self, value: Option<&Value>) -> Value {
        let Some(value) = value else { return Value::Null };
        self.policy.redaction.map_or_else(|| value.clone(), |redaction| redaction.value(value))
    }

    /// A name or an id: never cut, since a part of it names nothing.
    fn named(&self, name: &str) -> Value {
        self.word(Some(&name.into()))
    }

    /// A message with one text part.
    pub fn plain(&mut self, role: &str, text: &str) -> Value {
        json!({"role": role, "parts": [{"type": "text", "content": self.text(text)}]})
    }

    /// A message of the chat, messages or responses routes, or an item of the last.
    pub fn chat(&mut self, message: &Value) -> Value {
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        match text("type") {
            Some("function_call" | "custom_tool_call") => {
                json!({"role": "assistant", "parts": [self.tool_call(message)]})
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let id = text("call_id").unwrap_or_default();
                json!({"role": "tool", "parts": [self.tool_response(id, message.get("output"))]})
            }
            Some("reasoning") => json!({"role": "assistant", "parts": self.reasoning(message)}),
            _ => self.turn(message),
        }
    }

    fn turn(&mut self, message: &Value) -> Value {
        let role = message.get("role").filter(|role| role.is_string());
        let role = role.map_or_else(|| "user".into(), |role| self.word(Some(role)));
        let mut parts = Vec::new();
        for key in ["reasoning", "reasoning_content"] {
            if let Some(text) = message.get(key).and_then(Value::as_str).filter(|_| parts.is_empty()) {
                parts.push(json!({"type": "reasoning", "content": self.text(text)}));
            }
        }
        match message.get("tool_call_id").and_then(Value::as_str) {
            Some(id) => parts.push(self.tool_response(id, message.get("content"))),
            // An input of SGLang's embeddings has its text beside its image.
            None => self.content(message.get("content").or_else(|| message.get("text")), &mut parts),
        }
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            parts.push(self.tool_call(call));
        }
        json!({"role": role, "parts": parts})
    }

    /// Parts of a reasoning item: its text, or else its summary.
    fn reasoning(&mut self, item: &Value) -> Vec<Value> {
        let texts = |key: &str| item.get(key).and_then(Value::as_array).into_iter().flatten();
        let said = |part: &Value| part.get("text").and_then(Value::as_str).map(str::to_owned);
        let mut all: Vec<String> = texts("content").filter_map(said).collect();
        if all.is_empty() {
            all = texts("summary").filter_map(said).collect();
        }
        all.iter().map(|text| json!({"type": "reasoning", "content": self.text(text)})).collect()
    }

    /// Parts of a message's content: a text, or a list of typed parts.
    pub fn content(&mut self, content: Option<&Value>, parts: &mut Vec<Value>) {
        match content {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => parts.push(json!({"type": "text", "content": self.text(text)})),
            Some(Value::Array(list)) => parts.extend(list.iter().map(|part| self.part(part))),
            Some(other) => parts.push(self.json(other)),
        }
    }

    fn part(&mut self, part: &Value) -> Value {
        let text = |key: &str| part.get(key).and_then(Value::as_str);
        match (text("type"), part) {
            (_, Value::String(whole)) => json!({"type": "text", "content": self.text(whole)}),
            (Some("text" | "input_text" | "output_text"), _) => {
                json!({"type": "text", "content": self.text(text("text").unwrap_or_default())})
            }
            (Some("thinking"), _) => {
                json!({"type": "reasoning", "content": self.text(text("thinking").unwrap_or_default())})
            }
            (Some("tool_use"), _) => self.tool_call(part),
            (Some("tool_result"), _) => {
                self.tool_response(text("tool_use_id").unwrap_or_default(), part.get("content"))
            }
            (Some(kind), _) => match kind.split_once('_').map_or(kind, |(modality, _)| modality) {
                modality @ ("image" | "audio" | "video") => self.media(modality, part),
                _ => self.json(part),
            },
            (None, _) => match text("text") {
                Some(text) => json!({"type": "text", "content": self.text(text)}),
                None => self.json(part),
            },
        }
    }

    /// An image, audio or video: where it is, never its bytes.
    fn media(&mut self, modality: &str, part: &Value) -> Value {
        let source = ["image_url", "audio_url", "video_url", "source"].iter().find_map(|k| part.get(*k));
        let uri = source.and_then(|s| s.get("url").unwrap_or(s).as_str());
        match uri {
            Some(uri) if !uri.starts_with("data:") => {
                json!({"type": "uri", "modality": modality, "uri": self.text(uri)})
            }
            Some(data) => {
                let mime = data.split([';', ',']).next().and_then(|head| head.strip_prefix("data:"));
                json!({"type": "blob", "modality": modality, "mime_type": mime.map(|m| self.named(m)),
                    "content": format!("…[cut, {} characters]", data.chars().count())})
            }
            None => json!({"type": "blob", "modality": modality, "content": "…[cut]"}),
        }
    }

    /// A call in the shape of any route.
    fn tool_call(&mut self, call: &Value) -> Value {
        let function = call.get("function").unwrap_or(call);
        let arguments = function.get("arguments").or_else(|| function.get("input"));
        let id = self.word(call.get("call_id").or_else(|| call.get("id")));
        json!({"type": "tool_call", "id": id, "name": self.word(function.get("name")),
            "arguments": arguments.map(|v| self.arguments(v))})
    }

    /// Arguments come as JSON in a text; whole ones are unpacked.
    fn arguments(&mut self, arguments: &Value) -> Value {
        match arguments.as_str() {
            Some(text) => {
                let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
                self.json(&value)
            }
            None => self.json(arguments),
        }
    }

    fn tool_response(&mut self, id: &str, content: Option<&Value>) -> Value {
        let response = match content {
            Some(Value::String(text)) => Value::String(self.text(text)),
            Some(other) => self.json(other),
            None => Value::Null,
        };
        json!({"type": "tool_call_response", "id": self.named(id), "response": response})
    }

    /// Tool definitions: flat, as the conventions have them.
    pub fn tools(&mut self, tools: &[Value]) -> Value {
        let flat = tools.iter().map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let parameters = function.get("parameters").or_else(|| function.get("input_schema"));
            json!({
                "type": tool.get("type").map_or_else(|| "function".into(), |kind| self.word(Some(kind))),
                "name": self.word(function.get("name")),
                "description": function.get("description").and_then(Value::as_str).map(|d| self.text(d)),
                "parameters": parameters.map(|p| self.json(p)),
            })
        });
        Value::Array(flat.collect())
    }

    /// A gathered tool call of a response. Patterns see its arguments decoded, where they are whole.
    pub fn gathered_call(&mut self, id: Option<&str>, name: &str, arguments: &Text) -> Value {
        let whole = Some(arguments.kept()).filter(|_| arguments.is_whole());
        let arguments = match whole.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            Some(value) => self.json(&value),
            None => Value::String(self.gathered(arguments)),
        };
        let id = id.map(|id| self.named(id));
        json!({"type": "tool_call", "id": id, "name": self.named(name), "arguments": arguments})
    }
}

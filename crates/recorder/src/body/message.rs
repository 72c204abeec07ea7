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
        let (marked, cut) = text.marked(self.policy);
        self.longest_cut = self.longest_cut.max(cut);
        marked
    }

    /// A text, cut where it is too long.
    pub fn text(&mut self, text: &str) -> String {
        self.gathered(&Text::of(text, self.policy))
    }

    /// Any JSON: as it is, or its text cut where that is too long.
    pub fn json(&mut self, value: &Value) -> Value {
        let value = self.policy.redaction.map_or_else(|| value.clone(), |redaction| redaction.value(value));
        let policy = ContentPolicy { redaction: None, ..self.policy };
        let (marked, cut) = Text::of(&value.to_string(), policy).marked(policy);
        self.longest_cut = self.longest_cut.max(cut);
        if cut.is_some() { Value::String(marked) } else { value }
    }

    /// A message with one text part.
    pub fn plain(&mut self, role: &str, text: &str) -> Value {
        json!({"role": role, "parts": [{"type": "text", "content": self.text(text)}]})
    }

    /// A chat message of the OpenAI or Anthropic shape.
    pub fn chat(&mut self, message: &Value) -> Value {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("user");
        let mut parts = Vec::new();
        for key in ["reasoning", "reasoning_content"] {
            if let Some(text) = message.get(key).and_then(Value::as_str).filter(|_| parts.is_empty()) {
                parts.push(json!({"type": "reasoning", "content": self.text(text)}));
            }
        }
        match message.get("tool_call_id").and_then(Value::as_str) {
            Some(id) => parts.push(self.tool_response(id, message.get("content"))),
            None => self.content(message.get("content"), &mut parts),
        }
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            parts.push(self.tool_call(call));
        }
        json!({"role": role, "parts": parts})
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
            (Some("tool_use"), _) => json!({"type": "tool_call", "id": part.get("id"), "name": self.name(part),
                "arguments": part.get("input").map(|v| self.json(v))}),
            (Some("tool_result"), _) => {
                self.tool_response(text("tool_use_id").unwrap_or_default(), part.get("content"))
            }
            (Some(kind), _) => match kind.split_once('_').map_or(kind, |(modality, _)| modality) {
                modality @ ("image" | "audio" | "video") => self.media(modality, part),
                _ => self.json(part),
            },
            (None, _) => self.json(part),
        }
    }

    /// An image, audio or video: where it is, never its bytes.
    fn media(&mut self, modality: &str, part: &Value) -> Value {
        let source = ["image_url", "audio_url", "video_url"].iter().find_map(|k| part.get(*k));
        let uri = source.and_then(|s| s.get("url").unwrap_or(s).as_str());
        match uri {
            Some(uri) if !uri.starts_with("data:") => {
                json!({"type": "uri", "modality": modality, "uri": self.text(uri)})
            }
            Some(data) => {
                let mime = data.split([';', ',']).next().and_then(|head| head.strip_prefix("data:"));
                json!({"type": "blob", "modality": modality, "mime_type": mime,
                    "content": format!("…[cut, {} characters]", data.chars().count())})
            }
            None => json!({"type": "blob", "modality": modality, "content": "…[cut]"}),
        }
    }

    fn tool_call(&mut self, call: &Value) -> Value {
        let function = call.get("function").unwrap_or(call);
        json!({"type": "tool_call", "id": call.get("id"), "name": self.name(function),
            "arguments": function.get("arguments").map(|v| self.arguments(v))})
    }

    /// The name of a function.
    fn name(&self, function: &Value) -> Option<String> {
        function.get("name").and_then(Value::as_str).map(|name| self.policy.clean(name).into_owned())
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
        json!({"type": "tool_call_response", "id": id, "response": response})
    }

    /// Tool definitions: flat, as the conventions have them.
    pub fn tools(&mut self, tools: &[Value]) -> Value {
        let flat = tools.iter().map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let parameters = function.get("parameters").or_else(|| function.get("input_schema"));
            json!({
                "type": tool.get("type").cloned().unwrap_or_else(|| "function".into()),
                "name": self.name(function),
                "description": function.get("description").and_then(Value::as_str).map(|d| self.text(d)),
                "parameters": parameters.map(|p| self.json(p)),
            })
        });
        Value::Array(flat.collect())
    }

    /// A gathered tool call of a response.
    pub fn gathered_call(&mut self, id: Option<&str>, name: &str, arguments: &Text) -> Value {
        let text = self.gathered(arguments);
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        json!({"type": "tool_call", "id": id, "name": self.policy.clean(name), "arguments": value})
    }
}

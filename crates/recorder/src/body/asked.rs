//! What a request's body asked for.

use serde_json::{Value, json};

use super::json;
use super::message::Writer;
use super::text::ContentPolicy;

/// Parameters and messages of a request, as far as its body says them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Model.
    pub model: Option<String>,
    /// Whether the response shall be streamed.
    pub stream: Option<bool>,
    /// Choices.
    pub n: Option<i64>,
    /// Longest output in tokens.
    pub max_tokens: Option<i64>,
    /// Temperature.
    pub temperature: Option<f64>,
    /// Nucleus size.
    pub top_p: Option<f64>,
    /// Top-k.
    pub top_k: Option<i64>,
    /// Seed.
    pub seed: Option<i64>,
    /// Frequency penalty.
    pub frequency_penalty: Option<f64>,
    /// Presence penalty.
    pub presence_penalty: Option<f64>,
    /// Length of the vectors that were asked for.
    pub dimensions: Option<i64>,
    /// How vectors shall be encoded.
    pub encoding: Option<String>,
    /// Stop strings; empty while content is off.
    pub stop: Vec<String>,
    /// Whether it has chat messages.
    pub is_chat: bool,
    /// Input messages, JSON; none while content is off.
    pub input: Option<String>,
    /// System instructions, JSON.
    pub system: Option<String>,
    /// Tool definitions, JSON.
    pub tools: Option<String>,
    /// True length of the longest part that was cut.
    pub cut_length: Option<u64>,
}

impl Asked {
    /// Read a body; one that says nothing gives the default.
    #[must_use]
    pub fn parse(bytes: &[u8], policy: ContentPolicy) -> Self {
        let Some(body) = json::parse(bytes) else { return Self::default() };
        // `/generate` has its parameters in an object of their own, a batch in a list of them.
        let sampling = body.get("sampling_params").map(|own| own.get(0).unwrap_or(own));
        let field = |key: &str| body.get(key).or_else(|| sampling?.get(key)).filter(|v| !v.is_null());
        let int = |key: &str| field(key).and_then(Value::as_i64);
        let float = |key: &str| field(key).and_then(Value::as_f64);
        let max_tokens = ["max_completion_tokens", "max_tokens", "max_output_tokens", "max_new_tokens"];
        let mut asked = Self {
            model: field("model").and_then(Value::as_str).map(str::to_owned),
            stream: field("stream").and_then(Value::as_bool),
            n: int("n"),
            max_tokens: max_tokens.iter().find_map(|key| int(key)),
            temperature: float("temperature"),
            top_p: float("top_p"),
            top_k: int("top_k"),
            seed: int("seed"),
            frequency_penalty: float("frequency_penalty"),
            presence_penalty: float("presence_penalty"),
            dimensions: int("dimensions"),
            encoding: field("encoding_format").and_then(Value::as_str).map(str::to_owned),
            is_chat: body.get("messages").is_some_and(Value::is_array),
            ..Self::default()
        };
        if policy.capture {
            asked.stop = stop_strings(field("stop").or_else(|| field("stop_sequences")), policy);
            asked.take_content(&body, policy);
        }
        asked
    }

    fn take_content(&mut self, body: &Value, policy: ContentPolicy) {
        let mut writer = Writer::new(policy);
        self.input = input(body, &mut writer).map(|v| v.to_string());
        let system = body.get("instructions").or_else(|| body.get("system"));
        let mut parts = Vec::new();
        writer.content(system, &mut parts);
        self.system = (!parts.is_empty()).then(|| Value::Array(parts).to_string());
        let tools = body.get("tools").and_then(Value::as_array).filter(|t| !t.is_empty());
        self.tools = tools.map(|t| writer.tools(t).to_string());
        self.cut_length = writer.longest_cut();
    }
}

fn stop_strings(stop: Option<&Value>, policy: ContentPolicy) -> Vec<String> {
    match stop {
        Some(Value::String(one)) => vec![policy.clean(one).into_owned()],
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).map(|one| policy.clean(one).into_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// Input messages of any route.
fn input(body: &Value, writer: &mut Writer) -> Option<Value> {
    if let Some(messages) = body.get("messages").and_then(Value::as_array) {
        return Some(messages.iter().map(|m| writer.chat(m)).collect());
    }
    let any = |keys: &[&str]| keys.iter().filter_map(|key| body.get(*key)).find(|v| !v.is_null());
    // What is ranked, in the words of every version of the rerank and score routes.
    let query = any(&["query", "queries", "text_1", "data_1"]);
    let documents = any(&["documents", "items", "text_2", "data_2"]);
    if let (Some(query), Some(documents)) = (query, documents) {
        return Some(pair(writer, query, documents));
    }
    let prompt = any(&["prompt", "input", "text", "texts", "inputs"]);
    match (prompt, body.get("input_ids").or_else(|| body.get("prompt_token_ids"))) {
        (Some(prompt), _) => Some(prompts(writer, prompt)),
        (None, Some(ids)) => Some(prompts(writer, ids)),
        (None, None) => None,
    }
}

fn pair(writer: &mut Writer, query: &Value, documents: &Value) -> Value {
    let mut parts = Vec::new();
    for side in [query, documents] {
        writer.content(Some(side), &mut parts);
    }
    json!([{"role": "user", "parts": parts}])
}

/// One prompt or several: text, token ids, or messages of the responses route.
fn prompts(writer: &mut Writer, prompt: &Value) -> Value {
    match prompt {
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_number) => {
            json!([token_note(list.len())])
        }
        Value::Array(list) => list
            .iter()
            .map(|one| match one {
                Value::String(text) => writer.plain("user", text),
                Value::Array(ids) => token_note(ids.len()),
                message => writer.chat(message),
            })
            .collect(),
        Value::String(text) => json!([writer.plain("user", text)]),
        other => json!([{"role": "user", "parts": [writer.json(other)]}]),
    }
}

/// Token ids say nothing to a reader: their number does.
fn token_note(len: usize) -> Value {
    json!({"role": "user", "parts": [{"type": "text", "content": format!("[{len} token ids]")}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: ContentPolicy = ContentPolicy { capture: true, max_chars: 8, redaction: None };

    fn input_of(body: &Value) -> String {
        Asked::parse(body.to_string().as_bytes(), ON).input.unwrap_or_default()
    }

    #[test]
    fn chat_messages_keep_text_reasoning_tools_and_the_place_of_media() {
        let body = json!({"messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": [{"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "http://x/y"}}]},
            {"role": "assistant", "content": null, "reasoning": "hm", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ]});
        expect_test::expect![[r#"[{"role":"system","parts":[{"type":"text","content":"be kind"}]},{"role":"user","parts":[{"type":"text","content":"look"},{"type":"blob","modality":"image","mime_type":"image/png","content":"…[cut, 26 characters]"},{"type":"uri","modality":"image","uri":"http://x…[cut, 2 characters]"}]},{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"42"}]}]"#]]
        .assert_eq(&input_of(&body));
    }

    #[test]
    fn a_prompt_is_one_user_message_and_token_ids_are_their_number() {
        assert_eq!(input_of(&json!({"prompt": "hi"})), r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#);
        assert_eq!(
            input_of(&json!({"prompt": [[1, 2, 3], "b"]})),
            concat!(
                r#"[{"role":"user","parts":[{"type":"text","content":"[3 token ids]"}]},"#,
                r#"{"role":"user","parts":[{"type":"text","content":"b"}]}]"#
            )
        );
        assert!(input_of(&json!({"prompt": [1, 2]})).contains("[2 token ids]"));
    }

    #[test]
    fn parameters_are_read_and_wrong_types_are_left_out() {
        let asked =
            Asked::parse(br#"{"model":"m","n":2,"temperature":"hot","stop":["a",1],"stream":true,"top_k":null}"#, ON);
        assert_eq!((asked.model.as_deref(), asked.n, asked.temperature), (Some("m"), Some(2), None));
        assert_eq!((asked.stop, asked.stream, asked.top_k), (vec!["a".to_owned()], Some(true), None));
    }

    #[test]
    fn with_content_off_only_parameters_are_read() {
        let off = ContentPolicy { capture: false, max_chars: 8, redaction: None };
        let asked = Asked::parse(br#"{"n":2,"messages":[{"role":"user","content":"x"}],"stop":"x","tools":[{}]}"#, off);
        assert_eq!(asked, Asked { n: Some(2), is_chat: true, ..Asked::default() });
    }

    #[test]
    fn a_cut_body_gives_what_is_there() {
        let asked = Asked::parse(br#"{"model":"m","messages":[{"role":"user","content":"Hel"#, ON);
        assert_eq!(asked.input.as_deref(), Some(r#"[{"role":"user","parts":[{"type":"text","content":"Hel"}]}]"#));
    }
}

//! Named patterns whose matches never leave the engine's host (`TACHOGRAPH_REDACT`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// A file longer than this is no list of patterns, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What to look for, in the order of the names, and what stands in its place.
#[derive(Debug)]
pub struct Redaction {
    patterns: Vec<(Regex, String)>,
}

/// `[patterns]`: a regular expression by name, or a table with its replacement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    patterns: BTreeMap<String, Pattern>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Pattern {
    Alone(String),
    #[serde(rename_all = "snake_case")]
    With {
        pattern: String,
        replacement: String,
    },
}

impl Redaction {
    /// Read the file at `path`.
    ///
    /// # Errors
    /// Why it cannot be used, in words; it never quotes more of the file than the name of a pattern.
    pub fn read(path: &Path) -> Result<Self, String> {
        let length = path.metadata().map_err(|e| format!("it cannot be read: {e}"))?.len();
        if length > MAX_FILE_BYTES {
            return Err(format!("it is longer than {MAX_FILE_BYTES} bytes: {length}"));
        }
        Self::parse(&std::fs::read_to_string(path).map_err(|e| format!("it cannot be read: {e}"))?)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| format!("it is no TOML with [patterns]: {}", e.message()))?;
        if file.patterns.is_empty() {
            return Err("it has no patterns".to_owned());
        }
        let compiled = file.patterns.into_iter().map(|(name, pattern)| {
            let (pattern, replacement) = match pattern {
                Pattern::Alone(pattern) => (pattern, format!("[redacted:{name}]")),
                Pattern::With { pattern, replacement } => (pattern, replacement),
            };
            let regex = Regex::new(&pattern).map_err(|_| format!("a pattern is no regular expression: {name}"))?;
            if regex.is_match("") {
                return Err(format!("a pattern matches the empty text: {name}"));
            }
            Ok((regex, replacement))
        });
        Ok(Self { patterns: compiled.collect::<Result<_, String>>()? })
    }

    /// The text without what the patterns match.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for (pattern, replacement) in &self.patterns {
            if let Cow::Owned(new) = pattern.replace_all(&clean, regex::NoExpand(replacement)) {
                clean = Cow::Owned(new);
            }
        }
        clean
    }

    /// The query of a URL; decoded where only that shows what has to go.
    #[must_use]
    pub fn query(&self, query: &str) -> String {
        let spaced = query.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
        match self.text(&decoded) {
            Cow::Owned(clean) => clean,
            Cow::Borrowed(_) => self.text(query).into_owned(),
        }
    }

    /// The same for every text inside a value; names of fields, too, may carry what was said.
    #[must_use]
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Array(list) => list.iter().map(|one| self.value(one)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(k, v)| (self.text(k).into_owned(), self.value(v))).collect())
            }
            // A number may be a secret: its digits are looked at as text.
            Value::Number(number) => {
                let digits = number.to_string();
                match self.text(&digits) {
                    Cow::Owned(clean) if clean != digits => Value::String(clean),
                    _ => value.clone(),
                }
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;
    use serde_json::json;

    const FILE: &str = "[patterns]\nemail = '[a-z.]+@[a-z.]+'\ncard = { pattern = '\\d{16}', replacement = '$1#' }\n";

    #[test]
    fn a_match_is_replaced_by_the_name_of_its_pattern_or_by_what_the_file_says() {
        let redaction = Redaction::parse(FILE).unwrap();
        assert_eq!(redaction.text("mail a.b@c.de, pay 4111111111111111"), "mail [redacted:email], pay $1#");
        assert!(matches!(redaction.text("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn texts_names_and_numbers_inside_a_value_are_looked_at() {
        let value = json!({"a@b.c": ["x@y.z", 4_111_111_111_111_111_u64, 7, null]});
        let clean = Redaction::parse(FILE).unwrap().value(&value);
        assert_eq!(clean, json!({"[redacted:email]": ["[redacted:email]", "$1#", 7, null]}));
    }

    #[test]
    fn a_query_is_looked_at_also_as_it_is_meant() {
        let redaction = Redaction::parse(FILE).unwrap();
        assert_eq!(redaction.query("to=a%40b.cd&n=1"), "to=[redacted:email]&n=1");
        assert_eq!(redaction.query("n=a%20b"), "n=a%20b");
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_quotes_no_pattern() {
        for (text, why) in [
            ("patterns = 1", "it is no TOML with [patterns]"),
            ("[patterns]\n", "it has no patterns"),
            ("[patterns]\nbad = 's3cret('\n", "a pattern is no regular expression: bad"),
            ("[patterns]\nany = 'a*'\n", "a pattern matches the empty text: any"),
            ("[other]\n", "it is no TOML with [patterns]"),
        ] {
            let error = Redaction::parse(text).unwrap_err();
            assert!(error.starts_with(why) && !error.contains("s3cret"), "{error}");
        }
        assert!(Redaction::read(Path::new("/nowhere/at/all")).unwrap_err().starts_with("it cannot be read"));
    }
}

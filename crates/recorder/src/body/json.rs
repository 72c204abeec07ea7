//! JSON that may be cut off in the middle.

use serde_json::Value;

/// The value of a JSON text, or of the longest part of a cut one that makes sense.
///
/// A string that was cut is kept as far as it goes; a number, name or literal that was cut is left
/// out, since its beginning says something else than the whole.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Some(value);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The cut went through a character; what stands before it is good.
        Err(e) => std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()?,
    };
    let scan = Scan::of(text);
    let whole = scan.in_string.then(|| scan.close(text));
    whole.and_then(|t| serde_json::from_str(&t).ok()).or_else(|| {
        let prefix = text.get(..scan.safe)?;
        serde_json::from_str(&Scan::of(prefix).close(prefix)).ok()
    })
}

/// Where a prefix of a JSON text stands.
struct Scan {
    /// Closing brackets still due, innermost last.
    closers: Vec<char>,
    in_string: bool,
    /// Start of an escape sequence that is not complete, or that wants a second one.
    open_escape: Option<usize>,
    /// Length of the longest prefix that ends behind a whole value.
    safe: usize,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self { closers: Vec::new(), in_string: false, open_escape: None, safe: 0 };
        for (i, c) in text.char_indices() {
            if scan.in_string {
                scan.string_char(text, i, c);
                continue;
            }
            match c {
                '"' => scan.in_string = true,
                '{' | '[' => {
                    scan.closers.push(if c == '{' { '}' } else { ']' });
                    scan.safe = i + 1;
                }
                '}' | ']' => {
                    scan.closers.pop();
                    scan.safe = i + 1;
                }
                ',' => scan.safe = i,
                _ => {}
            }
        }
        scan
    }

    fn string_char(&mut self, text: &str, i: usize, c: char) {
        if let Some(start) = self.open_escape {
            let escape = text.get(start..i + c.len_utf8()).unwrap_or_default();
            let is_unicode = escape.as_bytes().get(1) == Some(&b'u');
            let high_surrogate = is_unicode
                && escape.get(2..6).and_then(|h| u32::from_str_radix(h, 16).ok()).is_some_and(|n| n >> 10 == 0x36);
            let whole = if !is_unicode {
                2
            } else if high_surrogate {
                12
            } else {
                6
            };
            if escape.len() >= whole {
                self.open_escape = None;
            }
        } else if c == '\\' {
            self.open_escape = Some(i);
        } else if c == '"' {
            self.in_string = false;
        }
    }

    fn close(&self, text: &str) -> String {
        let mut closed = text.get(..self.open_escape.unwrap_or(text.len())).unwrap_or(text).to_owned();
        if self.in_string {
            closed.push('"');
        }
        closed.extend(self.closers.iter().rev());
        closed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_cut_string_is_kept_as_far_as_it_goes() {
        assert_eq!(
            parse(br#"{"model":"m","messages":[{"role":"user","content":"Hel"#).unwrap(),
            json!({"model": "m", "messages": [{"role": "user", "content": "Hel"}]})
        );
    }

    #[test]
    fn a_cut_number_name_or_literal_is_left_out() {
        for cut in [r#"{"a":1,"b":12"#, r#"{"a":1,"b"#, r#"{"a":1,"b":tr"#, r#"{"a":1,"b":"#, r#"{"a":1,"#] {
            assert_eq!(parse(cut.as_bytes()).unwrap(), json!({"a": 1}), "{cut}");
        }
    }

    #[test]
    fn a_cut_escape_is_left_out() {
        for cut in [r#"["a\"#, r#"["a\u00"#, r#"["a\ud83d"#, r#"["a\ud83d\ude"#] {
            assert_eq!(parse(cut.as_bytes()).unwrap(), json!(["a"]), "{cut}");
        }
    }

    #[test]
    fn a_cut_character_is_left_out() {
        assert_eq!(parse(&"[\"aé".as_bytes()[..4]).unwrap(), json!(["a"]));
    }

    #[test]
    fn what_is_no_json_is_nothing() {
        assert_eq!((parse(b""), parse(b"hello"), parse(b"\xff\xfe")), (None, None, None));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "(\\PC|[\"\\\\\n]){0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_prefix_of_an_object_is_an_object(value in value(), at in any::<prop::sample::Index>()) {
            let text = json!({ "k": value }).to_string();
            let cut = at.index(text.len()).max(1);
            prop_assert!(parse(&text.as_bytes()[..cut]).is_some_and(|v| v.is_object()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}

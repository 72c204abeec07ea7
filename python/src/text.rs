//! Text as it enters a record: UTF-8 and bounded.

use std::borrow::Cow;

/// Longest name, path, header or message in bytes; more than any that is meant to be read.
pub(crate) const TEXT_LIMIT: usize = 2048;

/// The longest beginning of `text` that is at most `limit` bytes of whole characters.
pub(crate) fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text;
    }
    let end = text.floor_char_boundary(limit);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.split_at(end).0),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// Bytes from the network as text: what is not UTF-8 is replaced.
pub(crate) fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    cut(String::from_utf8_lossy(bytes), TEXT_LIMIT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé".into(), 2), "a");
        assert_eq!(cut("aé".into(), 3), "aé");
        assert_eq!(cut("é".into(), 0), "");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        assert_eq!(from_bytes(b"caf\xe9"), "caf\u{fffd}");
    }

    proptest! {
        #[test]
        fn a_cut_is_the_longest_beginning_within_the_limit(text in ".{0,40}", limit in 0..100usize) {
            let expected = (0..=limit.min(text.len())).rev().find_map(|end| text.get(..end));
            prop_assert_eq!(Some(&*cut(Cow::Borrowed(&text), limit)), expected);
            prop_assert_eq!(Some(&*cut(Cow::Owned(text.clone()), limit)), expected);
        }
    }
}

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

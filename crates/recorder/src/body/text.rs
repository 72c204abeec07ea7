//! Message text under the content settings: kept up to a length, counted beyond it, or counted only.

use std::borrow::Cow;

use super::redaction::Redaction;

/// Characters kept beyond the limit where a pattern may match across it: half a secret is a secret.
const REDACTION_MARGIN_CHARS: usize = 4096;

/// What of message text is kept.
#[derive(Clone, Copy, Debug)]
pub struct ContentPolicy {
    /// Whether any text is kept at all.
    pub capture: bool,
    /// Longest part kept, in characters.
    pub max_chars: usize,
    /// What is taken out of it; settings live as long as the recorder.
    pub redaction: Option<&'static Redaction>,
}

impl ContentPolicy {
    /// A text without what the patterns match.
    #[must_use]
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redaction.map_or(Cow::Borrowed(text), |redaction| redaction.text(text))
    }

    fn kept_chars(&self) -> usize {
        if self.redaction.is_some() { self.max_chars.saturating_add(REDACTION_MARGIN_CHARS) } else { self.max_chars }
    }
}

/// A text that grows piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    kept: String,
    kept_chars: usize,
    chars: u64,
}

impl Text {
    /// A whole text.
    #[must_use]
    pub fn of(text: &str, policy: ContentPolicy) -> Self {
        let mut whole = Self::default();
        whole.push(text, policy);
        whole
    }

    /// Append a piece.
    pub fn push(&mut self, piece: &str, policy: ContentPolicy) {
        let room = if policy.capture { policy.kept_chars().saturating_sub(self.kept_chars) } else { 0 };
        let chars = piece.chars().count();
        self.chars += chars as u64;
        if room >= chars {
            self.kept.push_str(piece);
            self.kept_chars += chars;
        } else if room > 0 {
            self.kept.extend(piece.chars().take(room));
            self.kept_chars += room;
        }
    }

    /// What was kept of it, as it came.
    #[must_use]
    pub fn kept(&self) -> &str {
        &self.kept
    }

    /// Whether all of it was kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.chars == self.kept_chars as u64
    }

    /// Whether nothing was ever pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// The text as it may leave, with a mark at its end where it was cut, and its true length in characters then.
    #[must_use]
    pub fn marked(&self, policy: ContentPolicy) -> (String, Option<u64>) {
        let clean = policy.clean(&self.kept);
        let beyond = self.chars - self.kept_chars as u64;
        let clean_chars = clean.chars().count() as u64 + beyond;
        let room = if policy.capture { policy.max_chars } else { 0 };
        let left_out = clean_chars.saturating_sub(room as u64);
        if left_out == 0 {
            return (clean.into_owned(), None);
        }
        let mut text: String = clean.chars().take(room).collect();
        text.push_str(&format!("…[cut, {left_out} characters]"));
        (text, Some(self.chars))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed expectation is a failed test

    use super::*;

    const FOUR: ContentPolicy = ContentPolicy { capture: true, max_chars: 4, redaction: None };

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_by_how_much() {
        let mut text = Text::of("añb", FOUR);
        text.push("çdef", FOUR);
        assert_eq!(text.marked(FOUR), ("añbç…[cut, 3 characters]".to_owned(), Some(7)));
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_whole() {
        assert_eq!(Text::of("añbç", FOUR).marked(FOUR), ("añbç".to_owned(), None));
    }

    #[test]
    fn with_content_off_nothing_is_kept_but_the_length() {
        let off = ContentPolicy { capture: false, max_chars: 100, redaction: None };
        let text = Text::of("secret", off);
        assert_eq!((text.kept.as_str(), text.marked(off).1), ("", Some(6)));
    }

    #[test]
    fn a_secret_across_pieces_or_across_the_limit_is_taken_out_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[patterns]\nkey = 'sk-[a-z]+'").unwrap();
        let redaction: &'static Redaction = Box::leak(Box::new(Redaction::read(file.path()).unwrap()));
        let policy = ContentPolicy { capture: true, max_chars: 6, redaction: Some(redaction) };
        let mut text = Text::of("a sk-ab", policy);
        text.push("cdef b", policy);
        assert_eq!(text.marked(policy), ("a [red…[cut, 12 characters]".to_owned(), Some(13)));
    }
}

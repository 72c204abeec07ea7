//! Message text under the content settings: kept up to a length, counted beyond it, or counted only.

/// What of message text is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentPolicy {
    /// Whether any text is kept at all.
    pub capture: bool,
    /// Longest part kept, in characters.
    pub max_chars: usize,
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
        let room = if policy.capture { policy.max_chars.saturating_sub(self.kept_chars) } else { 0 };
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

    /// Whether nothing was ever pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chars == 0
    }

    /// The true length in characters, where the text was cut.
    #[must_use]
    pub fn cut_length(&self) -> Option<u64> {
        (self.chars > self.kept_chars as u64).then_some(self.chars)
    }

    /// The text, with a mark at its end where it was cut.
    #[must_use]
    pub fn marked(&self) -> String {
        let left_out = self.chars - self.kept_chars as u64;
        if left_out == 0 { self.kept.clone() } else { format!("{}…[cut, {left_out} characters]", self.kept) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: ContentPolicy = ContentPolicy { capture: true, max_chars: 4 };

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_by_how_much() {
        let mut text = Text::of("añb", FOUR);
        text.push("çdef", FOUR);
        assert_eq!((text.marked().as_str(), text.cut_length()), ("añbç…[cut, 3 characters]", Some(7)));
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_whole() {
        assert_eq!((Text::of("añbç", FOUR).marked().as_str(), Text::of("añbç", FOUR).cut_length()), ("añbç", None));
    }

    #[test]
    fn with_content_off_nothing_is_kept_but_the_length() {
        let text = Text::of("secret", ContentPolicy { capture: false, max_chars: 100 });
        assert_eq!((text.kept.as_str(), text.cut_length()), ("", Some(6)));
    }
}

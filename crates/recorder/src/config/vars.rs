//! Reading single variables.

use std::str::FromStr;
use std::time::Duration;

/// A source of variables. An empty value counts as none, as OpenTelemetry wants it.
#[derive(Clone, Copy)]
pub(super) struct Vars<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Vars<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        match self.text(name).map(|v| v.to_ascii_lowercase()).as_deref() {
            None => default,
            Some("true" | "1" | "on" | "yes") => true,
            Some("false" | "0" | "off" | "no") => false,
            Some(other) => {
                tracing::warn!("{name} is neither true nor false, {default} is used: {other}");
                default
            }
        }
    }

    pub(super) fn number<T: FromStr + Copy + std::fmt::Display>(&self, name: &str, default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            tracing::warn!("{name} is no number, {default} is used: {text}");
            default
        })
    }

    pub(super) fn millis(&self, name: &str, default: Duration) -> Duration {
        Duration::from_millis(self.number(name, u64::try_from(default.as_millis()).unwrap_or(u64::MAX)))
    }

    /// `key=value,key=value`, percent-encoded; what has no key is left out.
    pub(super) fn list(&self, name: &str) -> Vec<(String, String)> {
        let decode = |part: &str| percent_encoding::percent_decode_str(part.trim()).decode_utf8_lossy().into_owned();
        let text = self.text(name).unwrap_or_default();
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(k, v)| (decode(k), decode(v))).filter(|(k, _)| !k.is_empty()).collect()
    }
}

//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), incrementally.

/// Longest event kept: a chunk with the log probabilities of many tokens is far below.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// A parser that is fed chunks as they were sent; where they are split makes no difference.
#[derive(Clone, Debug, Default)]
pub struct Sse {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// Data of the event that is not complete yet.
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    /// The event outgrew the limit and is left out.
    oversize: bool,
    left_out: u64,
}

impl Sse {
    /// Take a chunk; `event` is called with the data of each event that it completes.
    pub fn push(&mut self, bytes: &[u8], mut event: impl FnMut(&[u8])) {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|&b| b == b'\n' || b == b'\r') {
            let (line, tail) = rest.split_at(end);
            self.append(line);
            self.end_line(&mut event);
            rest = match tail {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.append(rest);
    }

    /// Events that were left out because they were too long.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn append(&mut self, part: &[u8]) {
        if self.line.len() + self.data.len() + part.len() > MAX_EVENT_BYTES {
            self.oversize = true;
        }
        if !self.oversize {
            self.line.extend_from_slice(part);
        } else if self.line.is_empty() && !part.is_empty() {
            // One byte says that the line is not the empty one that ends the event.
            self.line.push(b':');
        }
    }

    fn end_line(&mut self, event: &mut impl FnMut(&[u8])) {
        if self.line.is_empty() {
            self.end_event(event);
            return;
        }
        if let Some(value) = self.line.strip_prefix(b"data").filter(|_| !self.oversize) {
            let value = match value {
                [] => Some(value),
                [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
                _ => None,
            };
            if let Some(value) = value {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
        }
        self.line.clear();
    }

    fn end_event(&mut self, event: &mut impl FnMut(&[u8])) {
        if self.oversize {
            self.left_out += 1;
        } else if self.has_data {
            event(&self.data);
        }
        self.data.clear();
        self.has_data = false;
        self.oversize = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<String> {
        let (mut sse, mut out) = (Sse::default(), Vec::new());
        for chunk in chunks {
            sse.push(chunk, |data| out.push(String::from_utf8_lossy(data).into_owned()));
        }
        out
    }

    #[test]
    fn an_event_is_its_data_lines_joined() {
        assert_eq!(
            events(&[b": hi\nevent: x\ndata: a\ndata:b\ndata\n\ndata: [DONE]\r\n\r\ndata: open\n"]),
            ["a\nb\n", "[DONE]"]
        );
    }

    #[test]
    fn an_event_beyond_the_limit_is_left_out_and_counted_and_the_next_one_is_read() {
        let (mut sse, mut seen) = (Sse::default(), Vec::new());
        sse.push(b"data: ", |_| ());
        for _ in 0..=MAX_EVENT_BYTES / 65536 {
            sse.push(&[b'x'; 65536], |_| ());
        }
        sse.push(b"\n\ndata: y\n\n", |data| seen.push(data.to_vec()));
        assert_eq!((seen, sse.left_out()), (vec![b"y".to_vec()], 1));
    }

    proptest! {
        #[test]
        fn where_chunks_are_split_makes_no_difference(
            text in "(data: ?[a-zé]{0,5}|event: x|:|data|dat)?((\r\n|\n|\r){1,2}(data: ?[a-zé]{0,5}|id: 1|)?){0,12}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(events(&chunks), events(&[bytes]));
        }
    }
}

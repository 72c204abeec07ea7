//! What of one request's bodies is kept, and how the request ended.

use std::borrow::Cow;

use tachograph_ring::record::HttpOutcome;

/// Exceptions that say that the client has gone: Starlette's, uvicorn's.
const DISCONNECTS: [&str; 2] = ["ClientDisconnect", "ClientDisconnected"];

/// A whole body: what was kept of it, and its true length.
pub(crate) type Body<'a> = (Cow<'a, [u8]>, u64);

/// One request and its response, while they pass.
pub(crate) struct Exchange {
    request_room: usize,
    response_room: usize,
    request: Vec<u8>,
    request_len: u64,
    request_whole: bool,
    response_whole: bool,
    disconnected: bool,
    ended: bool,
}

impl Exchange {
    /// `room`: bytes that may be kept of the request's body, and of the response's; 0 while content is off.
    pub(crate) fn new(room: usize) -> Self {
        Self {
            request_room: room,
            response_room: room,
            request: Vec::new(),
            request_len: 0,
            request_whole: false,
            response_whole: false,
            disconnected: false,
            ended: false,
        }
    }

    /// Takes a piece of the request's body; gives the body once, when the last piece is there.
    pub(crate) fn request_piece<'a>(&mut self, piece: &'a [u8], last: bool) -> Option<Body<'a>> {
        if self.request_whole {
            return None;
        }
        self.request_len += piece.len() as u64;
        let kept = keep(&mut self.request_room, piece);
        if last && self.request.is_empty() {
            self.request_whole = true;
            return Some((Cow::Borrowed(kept), self.request_len));
        }
        self.request.extend_from_slice(kept);
        self.request_whole = last;
        last.then(|| (Cow::Owned(std::mem::take(&mut self.request)), self.request_len))
    }

    /// Takes a piece of the response's body; gives what is to be kept of it.
    pub(crate) fn response_piece<'a>(&mut self, piece: &'a [u8], last: bool) -> &'a [u8] {
        self.response_whole |= last;
        keep(&mut self.response_room, piece)
    }

    /// The client has gone. After the whole response that means nothing.
    pub(crate) fn disconnect(&mut self) {
        self.disconnected |= !self.response_whole;
    }

    /// Whether the last piece of the response was sent.
    pub(crate) fn is_complete(&self) -> bool {
        self.response_whole
    }

    /// How the request ended, said once. `error`: class of the application's exception, empty if it returned.
    pub(crate) fn end(&mut self, error: &str) -> Option<HttpOutcome> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let left = DISCONNECTS.contains(&error);
        let gone = self.disconnected || (!self.response_whole && left);
        Some(match (gone, self.response_whole && (left || error.is_empty())) {
            (true, _) => HttpOutcome::Disconnected,
            (false, true) => HttpOutcome::Complete,
            // An application that returns without the whole response has failed, if without an exception.
            (false, false) => HttpOutcome::Raised,
        })
    }
}

/// The beginning of `piece` for which there is room.
fn keep<'a>(room: &mut usize, piece: &'a [u8]) -> &'a [u8] {
    let (kept, _) = piece.split_at_checked(*room).unwrap_or((piece, &[]));
    *room -= kept.len();
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_body_in_one_piece_is_given_at_once() {
        let mut exchange = Exchange::new(100);
        assert_eq!(exchange.request_piece(b"whole", true), Some((Cow::Borrowed(&b"whole"[..]), 5)));
        assert_eq!(exchange.request_piece(b"", true), None, "only once");
    }

    #[test]
    fn a_body_in_pieces_is_given_with_the_last_and_cut_at_the_limit_with_its_true_length() {
        let mut exchange = Exchange::new(5);
        assert_eq!(exchange.request_piece(b"abc", false), None);
        assert_eq!(exchange.request_piece(b"defg", false), None);
        assert_eq!(exchange.request_piece(b"hi", true), Some((Cow::Borrowed(&b"abcde"[..]), 9)));
    }

    #[test]
    fn without_room_only_lengths_are_kept() {
        let mut exchange = Exchange::new(0);
        assert_eq!(exchange.request_piece(b"secret", false), None);
        assert_eq!(exchange.request_piece(b"secret", true), Some((Cow::Borrowed(&b""[..]), 12)));
        assert_eq!(exchange.response_piece(b"secret", true), b"");
    }

    #[test]
    fn the_responses_limit_is_a_total_and_does_not_depend_on_the_requests() {
        let mut exchange = Exchange::new(5);
        exchange.request_piece(b"abcdef", true);
        assert_eq!(exchange.response_piece(b"abc", false), b"abc");
        assert_eq!(exchange.response_piece(b"def", false), b"de");
        assert_eq!(exchange.response_piece(b"ghi", false), b"");
        assert!(!exchange.is_complete());
        exchange.response_piece(b"", true);
        assert!(exchange.is_complete());
    }

    /// How a request ends after these events.
    fn outcome(whole: bool, disconnected: bool, error: &str) -> HttpOutcome {
        let mut exchange = Exchange::new(0);
        if whole {
            exchange.response_piece(b"", true);
        }
        if disconnected {
            exchange.disconnect();
        }
        let outcome = exchange.end(error).unwrap();
        assert_eq!(exchange.end(""), None, "said once");
        outcome
    }

    #[test]
    fn the_outcome_tells_a_whole_response_from_a_client_that_left_and_a_failure() {
        use HttpOutcome::{Complete, Disconnected, Raised};
        assert_eq!(outcome(true, false, ""), Complete);
        assert_eq!(outcome(true, true, ""), Complete, "a client may leave after the whole response");
        assert_eq!(outcome(false, true, ""), Disconnected);
        assert_eq!(outcome(false, true, "CancelledError"), Disconnected);
        assert_eq!(outcome(false, false, "ClientDisconnect"), Disconnected);
        assert_eq!(outcome(true, false, "ClientDisconnect"), Complete, "the server noticed it late");
        assert_eq!(outcome(false, false, "ValueError"), Raised);
        assert_eq!(outcome(true, false, "ValueError"), Raised, "in a background task, say");
        assert_eq!(outcome(false, false, ""), Raised, "returned without the whole response");
    }
}

//! From bytes to messages of JSON-RPC 2.0: where a line ends, and what is a
//! message. Knows no socket and no session. What is no message is answered here,
//! in words of ours: nothing of it is repeated, because it may be a secret.

use agent_client_protocol::{RawJsonRpcMessage, TransportFrame};
use serde_json::{Value, json};

/// Largest message, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Codes of JSON-RPC 2.0.
const PARSE_ERROR: i32 = -32700;
pub(crate) const INVALID_REQUEST: i32 = -32600;

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Message(RawJsonRpcMessage),
    /// No message: the text that answers it.
    Refused(String),
    /// Nothing, or a broken answer, which nobody waits for.
    Nothing,
}

/// A line of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Whole(Vec<u8>),
    /// It had more bytes than were wanted, and they are gone.
    TooLong,
}

impl Line {
    pub(crate) fn decode(&self) -> Frame {
        match self {
            Self::Whole(bytes) => decode(bytes),
            Self::TooLong => too_large(),
        }
    }
}

/// One frame.
pub(crate) fn decode(bytes: &[u8]) -> Frame {
    if bytes.len() > FRAME_BYTES_MAX {
        return too_large();
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refused(PARSE_ERROR, "a message is text in UTF-8");
    };
    if text.trim().is_empty() {
        return Frame::Nothing;
    }
    match TransportFrame::parse_json(text) {
        TransportFrame::Single(message) => Frame::Message(message),
        TransportFrame::Malformed { .. } | _ => match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(_)) => refused(INVALID_REQUEST, "send messages one by one, and not in an array"),
            Ok(value) if is_answer(&value) => Frame::Nothing,
            Ok(_) => refused(INVALID_REQUEST, "this is no message of JSON-RPC 2.0"),
            Err(_) => refused(PARSE_ERROR, "this is no JSON"),
        },
    }
}

fn is_answer(value: &Value) -> bool {
    value.get("method").is_none() && (value.get("result").is_some() || value.get("error").is_some())
}

fn too_large() -> Frame {
    let words = format!("a message may have {FRAME_BYTES_MAX} bytes");
    refused(INVALID_REQUEST, &words)
}

fn refused(code: i32, why: &str) -> Frame {
    Frame::Refused(refusal(&Value::Null, code, why))
}

/// The text of an answer that refuses.
pub(crate) fn refusal(id: &Value, code: i32, why: &str) -> String {
    let message = match code {
        PARSE_ERROR => "Parse error",
        _ => "Invalid request",
    };
    let error = json!({ "code": code, "message": message, "data": why });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// Finds the lines in what is read of a stream, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// The lines that end in `piece`. No more than a largest message is kept of
    /// one that does not.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut parts = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.add(part);
            if parts.peek().is_some() {
                lines.push(self.end());
            }
        }
        lines
    }

    /// The last line, where the stream ended without ending it.
    pub(crate) fn rest(&mut self) -> Option<Line> {
        (self.is_too_long || !self.begun.is_empty()).then(|| self.end())
    }

    fn add(&mut self, part: &[u8]) {
        if self.is_too_long || self.begun.len() + part.len() > FRAME_BYTES_MAX {
            self.is_too_long = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Line {
        let whole = std::mem::take(&mut self.begun);
        match std::mem::take(&mut self.is_too_long) {
            true => Line::TooLong,
            false => Line::Whole(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Code of the refusal, or what else it is.
    fn check(text: &[u8], expect: Result<&str, i64>) {
        let got = match decode(text) {
            Frame::Message(RawJsonRpcMessage::Request(_)) => Ok("request"),
            Frame::Message(RawJsonRpcMessage::Notification(_)) => Ok("notification"),
            Frame::Message(RawJsonRpcMessage::Response(_)) => Ok("response"),
            Frame::Nothing => Ok("nothing"),
            Frame::Refused(answer) => {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                assert_eq!(answer["id"], Value::Null);
                assert!(!answer.to_string().contains("s3cret"), "{answer}");
                Err(answer["error"]["code"].as_i64().unwrap())
            }
        };
        assert_eq!(got, expect, "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn frames() {
        check(br#"{"jsonrpc":"2.0","id":1,"method":"a"}"#, Ok("request"));
        check(
            br#"{"jsonrpc":"2.0","id":"x","method":"a","params":{}}"#,
            Ok("request"),
        );
        check(br#"{"jsonrpc":"2.0","id":null,"method":"a"}"#, Ok("request"));
        check(
            br#"{"jsonrpc":"2.0","id":9223372036854775807,"method":"a"}"#,
            Ok("request"),
        );
        check(
            br#"{"jsonrpc":"2.0","method":"a","params":[1]}"#,
            Ok("notification"),
        );
        check(br#"{"jsonrpc":"2.0","id":1,"result":null}"#, Ok("response"));
        check(
            br#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"a"}}"#,
            Ok("response"),
        );
        check(b" \r\n\t", Ok("nothing"));
        check(br#"{"id":1,"result":null,"error":{}}"#, Ok("nothing"));
        for id in ["1.5", "1.0e0", "true", "{}", "[]", "9223372036854775808"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"s3cret"}}"#);
            check(text.as_bytes(), Err(-32600));
        }
        for text in [
            "[]",
            "17",
            "null",
            "\"s3cret\"",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
        ] {
            check(text.as_bytes(), Err(-32600));
        }
        check(br#"[{"jsonrpc":"2.0","id":1,"method":"s3cret"}]"#, Err(-32600));
        check(br#"{"jsonrpc":"2.0","id":1,"method":7}"#, Err(-32600));
        check(
            br#"{"jsonrpc":"2.0","id":1,"method":"a","params":"s3cret"}"#,
            Err(-32600),
        );
        check(br#"{"s3cret"#, Err(-32700));
        check(b"{\"s3cret\":\"\xff\"}", Err(-32700));
        check("[".repeat(10_000).as_bytes(), Err(-32700));
        check(&vec![b' '; FRAME_BYTES_MAX + 1], Err(-32600));
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_and_the_next_is_read() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; FRAME_BYTES_MAX / 2];
        for _ in 0..5 {
            assert_eq!(lines.take(&piece), []);
            assert!(lines.begun.len() <= FRAME_BYTES_MAX);
        }
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(lines.take(b"x\nabc\nd"), [Line::TooLong, whole("abc")]);
        assert_eq!(lines.rest(), Some(whole("d")));
        assert_eq!(lines.rest(), None);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_are_cut(text in vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200), cuts in vec(0_usize..200, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut lines = Lines::default();
            let mut found: Vec<Line> = cuts.windows(2).flat_map(|cut| lines.take(&text[cut[0]..cut[1]])).collect();
            found.extend(lines.rest());
            let mut expect: Vec<Line> = text.split(|byte| *byte == b'\n').map(|line| Line::Whole(line.to_vec())).collect();
            if expect.last() == Some(&Line::Whole(Vec::new())) {
                expect.pop();
            }
            prop_assert_eq!(found, expect);
        }

        #[test]
        fn any_bytes_are_a_message_or_refused(bytes in vec(any::<u8>(), 0..300)) {
            if let Frame::Refused(answer) = decode(&bytes) {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                prop_assert_eq!(&answer["id"], &Value::Null);
            }
        }
    }
}

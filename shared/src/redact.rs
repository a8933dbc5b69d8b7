//! Removes what must not be kept from text that is about to be logged,
//! persisted or sent: keys and tokens that a person pasted or a tool printed.
//!
//! It errs on the side of hiding: a replaced harmless word is a nuisance, a
//! stored key is a leak.

use std::borrow::Cow;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Prefixes that make the rest of a word a credential, whatever follows.
const TOKEN_PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
];

/// Prefixes with which names begin, too, that are made of words:
/// `sk-toggleable__content`, `npm_config_user_agent`.
const NAME_PREFIXES: &[&str] = &["sk-", "gsk_", "npm_", "pypi-"];

/// Shortest word that counts as a credential behind such a prefix, in bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// Replaces credentials in `text`; borrows when there are none.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut hits: Vec<(usize, usize)> = Vec::new();
    private_keys(text, &mut hits);
    words(text, &mut hits);
    url_passwords(text, &mut hits);
    if hits.is_empty() {
        return Cow::Borrowed(text);
    }
    hits.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in hits {
        if start < at {
            continue;
        }
        out.push_str(&text[at..start]);
        out.push_str(REDACTED);
        at = end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

fn private_keys(text: &str, hits: &mut Vec<(usize, usize)>) {
    let mut from = 0;
    while let Some(begin) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let line_end = text[begin..].find('\n').map_or(text.len(), |at| begin + at);
        if !text[begin..line_end].contains("PRIVATE KEY") {
            from = line_end;
            continue;
        }
        // A block that is cut off is hidden to the end: half a key is a leak too.
        let end = text[line_end..].find("-----END ").map_or(text.len(), |at| {
            let at = line_end + at;
            text[at..].find('\n').map_or(text.len(), |nl| at + nl)
        });
        hits.push((begin, end));
        from = end;
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=')
}

/// Whether this is made of words of small letters, none of them long.
fn is_of_words(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.all(|word| word.len() < TOKEN_BYTES_MIN && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn words(text: &str, hits: &mut Vec<(usize, usize)>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    // Where the word `Bearer` ended, if it was the one before.
    let mut bearer: Option<usize> = None;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        let word = &text[start..at];
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| word.starts_with(prefix));
        let token = word.len() >= TOKEN_BYTES_MIN
            && (begins(TOKEN_PREFIXES) || begins(NAME_PREFIXES) && !is_of_words(word));
        let jwt = word.starts_with("eyJ") && word.matches('.').count() == 2;
        // Source code says `Bearer` without a token behind it, and prose goes on
        // with a word that has no digit.
        let borne = bearer.is_some_and(|end| text[end..start].bytes().all(|byte| byte == b' '))
            && word.len() >= TOKEN_BYTES_MIN
            && word.bytes().any(|byte| byte.is_ascii_digit());
        if token || jwt || borne {
            hits.push((start, at));
        }
        bearer = word.eq_ignore_ascii_case("bearer").then_some(at);
    }
}

fn url_passwords(text: &str, hits: &mut Vec<(usize, usize)>) {
    for (scheme, _) in text.match_indices("://") {
        let start = scheme + 3;
        let rest = &text[start..];
        let authority = rest
            .find(|c: char| c == '/' || c.is_whitespace() || c == '"')
            .map_or(rest, |at| &rest[..at]);
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some(colon) = user.find(':')
            && !matches!(&user[colon + 1..], "" | REDACTED)
        {
            hits.push((start + colon + 1, start + user.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &str) {
        assert_eq!(redact(input), expect);
        assert!(matches!(redact(expect), Cow::Borrowed(_)), "nothing is left");
    }

    #[test]
    fn credentials_go_and_the_rest_stays() {
        check("nothing here", "nothing here");
        check("key sk-abcdefghijklmnopqrstuv end", "key [redacted] end");
        check(
            "Authorization: Bearer abcdef0123456789abcdef",
            "Authorization: Bearer [redacted]",
        );
        check(
            "\"Bearer\",\n  \"another_long_word_2\"",
            "\"Bearer\",\n  \"another_long_word_2\"",
        );
        check(
            "a bearer authentication_middleware",
            "a bearer authentication_middleware",
        );
        check("postgres://me:secret@host/db", "postgres://me:[redacted]@host/db");
        check("https://host/path@2", "https://host/path@2");
        check("sk-short", "sk-short");
        check("div.sk-toggleable__content", "div.sk-toggleable__content");
        check("sk-toggleable__content", "sk-toggleable__content");
        check("npm_config_user_agent", "npm_config_user_agent");
        check("npm_config_user_agent1", "[redacted]");
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nrest",
            "[redacted]\nrest",
        );
        check(
            "-----BEGIN PUBLIC KEY-----\nabc",
            "-----BEGIN PUBLIC KEY-----\nabc",
        );
        check("eyJhbGciOi.eyJzdWIi.sflKxwRJ", "[redacted]");
    }
}

//! As much of HTTP as asking a program on this machine needs.
//!
//! HTTP/1.0 on purpose: such an answer is never chunked and ends with the
//! connection.

use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Limit of each wait: to connect, to send, for the next bytes.
const WAIT: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A status and a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// For example 200.
    pub status: u16,
    /// As text; what is not UTF-8 is replaced.
    pub body: String,
}

/// `GET base + path`, where `base` is `http://host:port`.
pub fn get(base: &str, path: &str) -> anyhow::Result<Answer> {
    let mut bytes = Vec::new();
    send(base, "GET", path, "application/json", "")?
        .take(BYTES_MAX)
        .read_to_end(&mut bytes)?;
    parse(&bytes)
}

/// `POST` of JSON.
pub fn post(base: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
    let mut bytes = Vec::new();
    send(base, "POST", path, "application/json", &body.to_string())?
        .take(BYTES_MAX)
        .read_to_end(&mut bytes)?;
    parse(&bytes)
}

/// `GET` of server-sent events: the connection, headers first.
pub fn events(base: &str, path: &str) -> anyhow::Result<TcpStream> {
    send(base, "GET", path, "text/event-stream", "")
}

fn send(base: &str, method: &str, path: &str, accept: &str, body: &str) -> anyhow::Result<TcpStream> {
    let (host, prefix) = split(base)?;
    let address = host
        .to_socket_addrs()?
        .next()
        .with_context(|| format!("{host} has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    write!(
        stream,
        "{method} {prefix}{path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(stream)
}

/// `GET` of JSON; any status but 200 is an error that carries the body.
pub fn get_json(base: &str, path: &str) -> anyhow::Result<Value> {
    let answer = get(base, path).with_context(|| format!("GET {base}{path}"))?;
    if answer.status != 200 {
        bail!(
            "GET {base}{path} answered {}: {}",
            answer.status,
            answer.body.trim()
        );
    }
    serde_json::from_str(&answer.body).with_context(|| format!("GET {base}{path} did not answer JSON"))
}

fn split(base: &str) -> anyhow::Result<(String, &str)> {
    let rest = base
        .strip_prefix("http://")
        .with_context(|| format!("{base}: only http:// can be asked"))?;
    let (host, prefix) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let port_given = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if port_given {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    Ok((host, prefix.trim_end_matches('/')))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer has no header")?;
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("not HTTP: {}", head.lines().next().unwrap_or_default()))?;
    Ok(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        fn check(base: &str, expect: Option<(&str, &str)>) {
            let got = split(base).ok();
            assert_eq!(got, expect.map(|(host, prefix)| (host.to_owned(), prefix)));
        }
        check("http://127.0.0.1:11434", Some(("127.0.0.1:11434", "")));
        check("http://box/ollama/", Some(("box:80", "/ollama")));
        check("http://[::1]:7/", Some(("[::1]:7", "")));
        check("https://box", None);
    }

    #[test]
    fn answers() {
        let answer = parse(b"HTTP/1.1 503 Busy\r\nA: b\r\n\r\n{\"a\":1}\r\n\r\n").unwrap();
        assert_eq!(
            answer,
            Answer {
                status: 503,
                body: "{\"a\":1}\r\n\r\n".to_owned()
            }
        );
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse(b"").is_err());
    }
}

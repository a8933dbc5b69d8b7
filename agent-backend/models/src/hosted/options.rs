//! What a hosted provider is told once.

use std::{path::PathBuf, time::Duration};

use crate::{Error, Key};

/// Whose interface a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostedKind {
    /// OpenAI's chat completions, which Groq, vLLM, llama.cpp's server, LM
    /// Studio, OpenRouter and many others speak.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
}

impl HostedKind {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// Where the company itself answers.
    pub fn url(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
        }
    }

    /// The path below a host that all servers of the interface have.
    fn path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Anthropic => "v1",
            Self::Gemini => "v1beta",
        }
    }
}

/// Options of a session with a hosted model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedOptions {
    /// Name in the configuration.
    pub name: String,
    /// Whose interface it speaks.
    pub kind: HostedKind,
    /// Address up to `/chat/completions`, `/messages` or `/models`. One without
    /// a path gets the interface's usual one (`/v1`, `/v1beta`).
    pub url: String,
    /// The model that answers.
    pub model: String,
    /// The key, where the server wants one.
    pub key: Option<Key>,
    /// Its context in tokens, prompt and answer together. It is not sent: the
    /// server has its own, which this must not exceed.
    pub context_tokens: u32,
    /// Headers to send beside the interface's own. The values are treated as
    /// secrets.
    pub headers: Vec<(String, Key)>,
    /// A file of certificates (PEM) to trust beside the web's authorities.
    pub ca_file: Option<PathBuf>,
    /// Most time to open a connection.
    pub connect_timeout: Duration,
    /// Most time from a call to the first piece of its answer. Signs of life
    /// without a piece do not count.
    pub first_byte_timeout: Duration,
    /// Most time between two pieces of an answer; signs of life count.
    pub idle_timeout: Duration,
    /// Most time for a whole answer.
    pub total_timeout: Duration,
    /// Most time for a question about the server itself.
    pub status_timeout: Duration,
}

impl HostedOptions {
    /// The defaults for a model on the company's own server.
    pub fn new(kind: HostedKind, model: impl Into<String>) -> Self {
        Self {
            name: kind.as_str().to_owned(),
            kind,
            url: kind.url().to_owned(),
            model: model.into(),
            key: None,
            context_tokens: 32_768,
            headers: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(1800),
            status_timeout: Duration::from_secs(10),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let name = &self.name;
        let model = self.model.trim();
        let reason = if model.is_empty() {
            format!("the model of {name} has no name")
        } else if self.kind == HostedKind::Gemini && !model.bytes().all(is_path) {
            // The name is part of an address there.
            format!("the model of {name} has a name with characters that no model of Google has")
        } else if self.context_tokens == 0 {
            format!("context_tokens of {name} must be at least 1")
        } else {
            return Ok(());
        };
        Err(Error::Invalid { reason })
    }

    /// The address with the usual path where it has none.
    pub(super) fn address(&self) -> String {
        let url = self.url.trim_end_matches('/');
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        if after_scheme.contains('/') || after_scheme.is_empty() {
            url.to_owned()
        } else {
            format!("{url}/{}", self.kind.path())
        }
    }
}

fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        fn check(kind: HostedKind, url: &str, expect: &str) {
            let options = HostedOptions {
                url: url.to_owned(),
                ..HostedOptions::new(kind, "m")
            };
            assert_eq!(options.address(), expect);
        }
        check(HostedKind::OpenAi, "http://host:8080", "http://host:8080/v1");
        check(HostedKind::OpenAi, "http://host:8080/", "http://host:8080/v1");
        check(
            HostedKind::OpenAi,
            "http://host/openai/v1/",
            "http://host/openai/v1",
        );
        check(HostedKind::Gemini, "http://host", "http://host/v1beta");
        check(HostedKind::Anthropic, "http://host", "http://host/v1");
        check(HostedKind::Anthropic, "host", "host/v1");
    }
}

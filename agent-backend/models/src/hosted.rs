//! Models on somebody's server: OpenAI and all who speak its interface,
//! Anthropic, Gemini.
//!
//! Owns: what is sent to each of them and how their answers are read, within
//! limits of time and size. The three interfaces are pure modules; they share
//! one stream. Why none of it is a library's: `docs/adr/0011-genai.md`.

mod adapt;
mod anthropic;
mod examine;
mod gemini;
mod openai;
mod options;
mod reader;
mod signed;
mod status;
mod stream;
mod thinking;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    adapt::{Known, Without},
    reader::Reader,
    stream::{Limits, Sent},
    thinking::Wish,
};
use crate::{
    ChatRequest, ChunkStream, Context, Error, Finding, Health, Identity, Loaded, Locality, Phase, Provider,
    Thinking, context,
    http::{Address, Http, Speaks},
    request,
};
pub use options::{HostedKind, HostedOptions};

/// A request as one server is asked it.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    request: &'a ChatRequest,
    /// Most tokens to generate, thoughts included.
    tokens_max: Option<u32>,
    /// What is said of thinking.
    wish: Wish,
    /// What the server does not take.
    without: Without,
}

/// A model on somebody's server. Requests may run at the same time.
#[derive(Debug)]
pub struct Hosted {
    identity: Identity,
    options: HostedOptions,
    http: Arc<Http>,
    known: Known,
}

impl Hosted {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL is not `http` or `https` with a host, the
    /// model has no name, the key or a header cannot be sent, or `ca_file` holds
    /// no certificates.
    pub fn new(options: HostedOptions) -> Result<Self, Error> {
        options.check()?;
        let http = Http::new(&Address {
            whose: &options.name,
            speaks: match options.kind {
                HostedKind::OpenAi => Speaks::OpenAi,
                HostedKind::Anthropic => Speaks::Anthropic,
                HostedKind::Gemini => Speaks::Gemini,
            },
            url: &options.address(),
            key: options.key.as_ref(),
            headers: &options.headers,
            ca_file: options.ca_file.as_deref(),
            connect_timeout: options.connect_timeout,
            idle_timeout: options.idle_timeout,
        })?;
        Ok(Self {
            identity: Identity {
                provider: options.name.clone(),
                model: options.model.clone(),
                context_tokens: options.context_tokens,
            },
            options,
            http: Arc::new(http),
            known: Known::default(),
        })
    }

    /// The options it was built with.
    pub fn options(&self) -> &HostedOptions {
        &self.options
    }

    fn path(&self) -> String {
        match self.options.kind {
            HostedKind::OpenAi => "chat/completions".to_owned(),
            HostedKind::Anthropic => "messages".to_owned(),
            HostedKind::Gemini => gemini::path(&self.options.model),
        }
    }

    fn body(&self, request: &ChatRequest, wish: Wish, without: Without) -> Result<Value, Error> {
        let HostedOptions {
            kind,
            model,
            context_tokens,
            ..
        } = &self.options;
        // Thoughts count for the limit of an answer.
        let thoughts = wish.grants(request.thinking).tokens_max(*context_tokens);
        let tokens_max = request.tokens_max.map(|answer| answer.saturating_add(thoughts));
        let asked = Asked {
            request,
            tokens_max,
            wish,
            without,
        };
        Ok(match kind {
            HostedKind::OpenAi => openai::body(model, &asked),
            HostedKind::Anthropic => anthropic::body(model, *context_tokens, &asked),
            HostedKind::Gemini => gemini::body(&asked)?,
        })
    }

    fn reader(&self, request: &ChatRequest) -> Box<dyn Reader> {
        match self.options.kind {
            HostedKind::OpenAi => Box::new(openai::OpenAiReader::default()),
            HostedKind::Anthropic => Box::new(anthropic::AnthropicReader::new(request)),
            HostedKind::Gemini => Box::new(gemini::GeminiReader::default()),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            first_byte: self.options.first_byte_timeout,
            idle: self.options.idle_timeout,
            total: self.options.total_timeout,
        }
    }

    /// Sends the call, once more for each field that the server does not take.
    async fn send(&self, request: &ChatRequest) -> Result<reqwest::Response, Error> {
        let path = self.path();
        let limits = self.limits();
        let (phase, limit) = if limits.total < limits.first_byte {
            (Phase::Total, limits.total)
        } else {
            (Phase::FirstByte, limits.first_byte)
        };
        let mut without = self.known.get();
        loop {
            let wish = Wish::new(self.options.kind, request.thinking, without);
            let body = self.body(request, wish, without)?;
            let response = self.http.post(&path, &body, phase, limit).await?;
            match self.http.accepted(response, &self.options.model).await {
                Ok(response) => return Ok(response),
                Err(error) => match adapt::adapt(without, request, wish, &error) {
                    Some(more) => {
                        tracing::info!(provider = %self.options.name, %error, "a field is left out from now on");
                        without = more;
                        self.known.add(more);
                    }
                    None => return Err(error),
                },
            }
        }
    }
}

#[async_trait]
impl Provider for Hosted {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn locality(&self) -> Locality {
        self.http.locality()
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChunkStream, Error> {
        request::check(&request)?;
        let context = Context {
            requested: self.options.context_tokens,
            loaded: None,
            sent_tokens_min: context::request_tokens_min(&request),
            used_tokens: None,
        };
        // What cannot fit is refused here, before it is paid for.
        context.check()?;
        let begin = Instant::now();
        let response = self.send(&request).await?;
        let response = self.http.streamed(response, &self.options.model).await?;
        Ok(stream::chunks(Sent {
            http: Arc::clone(&self.http),
            model: self.options.model.clone(),
            response,
            reader: self.reader(&request),
            context,
            limits: self.limits(),
            begin,
        }))
    }

    /// Some of these servers begin anew, some repeat the beginning, some refuse:
    /// none of them says which.
    async fn continues(&self) -> Result<bool, Error> {
        Ok(false)
    }

    /// All models of Anthropic and Google do; of the many that speak OpenAI's interface,
    /// few do, and none says so.
    async fn sees_images(&self) -> Result<bool, Error> {
        Ok(match self.options.kind {
            HostedKind::Anthropic | HostedKind::Gemini => true,
            HostedKind::OpenAi => false,
        })
    }

    async fn grants(&self, wanted: Thinking) -> Thinking {
        Wish::new(self.options.kind, wanted, self.known.get()).grants(wanted)
    }

    /// There is nothing to load; the server is asked what it says about the
    /// model.
    async fn preload(&self) -> Result<Loaded, Error> {
        status::preload(self).await
    }

    async fn health(&self) -> Result<Health, Error> {
        status::health(self).await
    }

    async fn examine(&self) -> Vec<Finding> {
        examine::examine(self).await
    }
}

#[cfg(test)]
mod tests;

/// A number as it was written: 0.2 and not 0.20000000298.
fn decimal(number: f32) -> Value {
    number
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, |number| json!(number))
}

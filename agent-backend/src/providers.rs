//! Who answers: the providers of the configuration, and for each role the chain
//! of those that are asked.

mod reach;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use agents::edit::Format;
use futures::future::join_all;
use models::{
    Hosted, HostedKind, HostedOptions, Identity, NumCtx, Ollama, OllamaOptions, Provider, Residence,
    Thinking,
    routing::{Chain, Link, LinkOptions, Policy, Pool, Price},
};
use shared::error::Code;

pub use self::reach::Reach;
use crate::{
    config::{self, Config, Kind, ModelProvider, OLLAMA},
    error::Error,
    keys,
    sizes::Sizes,
    wiring,
};

/// The role of those that name none.
pub const DEFAULT_ROLE: &str = "default";

/// Makes a provider of another model.
pub type OtherModel = Arc<dyn Fn(&str) -> Result<Arc<Link>, Error> + Send + Sync>;

/// Whether a model sees pictures. What is the better of two is the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// It does not.
    Blind,
    /// Nobody has said so: its server does not answer, or not in time.
    Unknown,
    /// It does.
    Sees,
}

impl From<bool> for Sight {
    fn from(sees: bool) -> Self {
        if sees { Self::Sees } else { Self::Blind }
    }
}

/// The chains of all roles.
#[derive(Clone)]
pub struct Models {
    roles: BTreeMap<String, Arc<Chain>>,
    default: Arc<Chain>,
    /// Every provider once, in the order of their names.
    links: Vec<Arc<Link>>,
    /// How they are asked to write edits, by their qualified names; those that
    /// say it.
    formats: BTreeMap<String, Format>,
    /// How much they think, by their qualified names.
    thinking: BTreeMap<String, Thinking>,
    /// Whether they see pictures, by their qualified names; those of which the
    /// configuration says it.
    images: BTreeMap<String, bool>,
    other: OtherModel,
}

impl Models {
    /// Those of the configuration, `ollama` being the one of the section of
    /// this name.
    pub fn new(config: &Config, ollama: Arc<Ollama>) -> Result<Self, Error> {
        let invalid = |reason: String| Error::user(Code::ConfigInvalid, reason);
        config::check_roles(&config.providers, &config.roles).map_err(invalid)?;
        let mut links: BTreeMap<&str, Arc<Link>> = BTreeMap::new();
        let first = ollama.residence().cloned().unwrap_or_default();
        let mut servers = Servers::from([(address(&ollama.options().url), first.clone())]);
        links.insert(OLLAMA, Arc::new(Link::new(ollama, LinkOptions::default())));
        for (name, provider) in &config.providers {
            provider.check(name).map_err(invalid)?;
            let made = make(config, &mut servers, name, provider)?;
            links.insert(name, Arc::new(Link::new(made, options(provider))));
        }
        let policy = policy(config);
        let chain = |role: &str, names: &[String]| {
            let chain = names.iter().filter_map(|name| links.get(name.as_str()).cloned());
            Chain::new(role, chain.collect(), policy.clone())
                .ok_or_else(|| invalid(format!("roles.{role} names no provider")))
        };
        let default = match config.roles.get(DEFAULT_ROLE) {
            Some(names) => chain(DEFAULT_ROLE, names)?,
            None => chain(DEFAULT_ROLE, &[OLLAMA.to_owned()])?,
        };
        let roles = config
            .roles
            .iter()
            .map(|(role, names)| Ok((role.clone(), chain(role, names)?)));
        let roles = roles.collect::<Result<_, Error>>()?;
        let (mut formats, mut thinking, mut images) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let named = config.providers.iter();
        let named =
            named.map(|(name, it)| (name.as_str(), &it.model, it.edit_format, it.thinking, it.images));
        let it = &config.ollama;
        let ollama = (OLLAMA, &it.model, it.edit_format, it.thinking, it.images);
        for (provider, model, format, thinks, sees) in named.chain([ollama]) {
            let name = format!("{provider}/{model}");
            if let Some(format) = format {
                formats.insert(name.clone(), format);
            }
            if let Some(sees) = sees {
                images.insert(name.clone(), sees);
            }
            thinking.insert(name, thinks);
        }
        let config = config.clone();
        Ok(Self {
            roles,
            default,
            formats,
            thinking,
            images,
            links: links.into_values().collect(),
            other: Arc::new(move |name| {
                let mut config = config.clone();
                name.clone_into(&mut config.ollama.model);
                let ollama = wiring::ollama(&config)?.with_residence(first.clone());
                Ok(Arc::new(Link::new(Arc::new(ollama), LinkOptions::default())))
            }),
        })
    }

    /// The chain of a role.
    pub fn chain(&self, role: &str) -> &Arc<Chain> {
        self.roles.get(role).unwrap_or(&self.default)
    }

    /// The chains of the roles that are configured, and the one of all others.
    pub fn chains(&self) -> impl Iterator<Item = &Arc<Chain>> {
        self.roles.values().chain([&self.default])
    }

    /// The providers that a role may come to, each once: those that matter.
    pub fn used(&self) -> Vec<&Arc<Link>> {
        let mut used: Vec<&Arc<Link>> = Vec::new();
        for link in self.chains().flat_map(|chain| chain.links()) {
            if !used.iter().any(|known| Arc::ptr_eq(known, link)) {
                used.push(link);
            }
        }
        used
    }

    /// How a model is asked to write edits, where the configuration says it.
    pub fn edit_format(&self, who: &Identity) -> Option<Format> {
        self.formats.get(&qualified(who)).copied()
    }

    /// How much a model is to think, as the configuration says it.
    pub fn thinking(&self, who: &Identity) -> Thinking {
        self.thinking.get(&qualified(who)).copied().unwrap_or_default()
    }

    /// Whether the model of a link sees pictures: as the configuration says it, or its
    /// server within this time.
    pub async fn sight(&self, link: &Arc<Link>, limit: Duration) -> Sight {
        if let Some(sees) = self.images.get(&qualified(link.identity())) {
            return (*sees).into();
        }
        let provider = link.provider().clone();
        // It goes on after the time, so that the answer is known when it is asked for again.
        let asked = tokio::spawn(async move { provider.sees_images().await });
        match tokio::time::timeout(limit, asked).await {
            Ok(Ok(Ok(sees))) => sees.into(),
            Ok(Ok(Err(error))) => {
                tracing::debug!(provider = %link.identity().provider, %error, "whether it sees pictures is unknown");
                Sight::Unknown
            }
            Ok(Err(_)) | Err(_) => Sight::Unknown,
        }
    }

    /// How far a picture reaches along the chain of a role, as far as that is known within
    /// this time.
    pub async fn reach(&self, role: &str, limit: Duration) -> Reach {
        let links = self.chain(role).links();
        let sights = join_all(links.iter().map(|link| self.sight(link, limit))).await;
        let localities = links.iter().map(|link| link.provider().locality());
        Reach::along(&localities.zip(sights).collect::<Vec<_>>())
    }

    /// Every provider, once.
    pub fn links(&self) -> &[Arc<Link>] {
        &self.links
    }

    /// The provider whose model plans and is loaded at the start.
    pub fn orchestrator(&self) -> &Arc<Link> {
        self.chain("orchestrator").first()
    }

    /// The same, with one model for all roles: by its name, or by its
    /// provider's and its own with a `/` between them.
    pub fn with_model(&self, model: &str) -> Result<Self, Error> {
        let known = self.links.iter().find(|link| {
            let who = link.identity();
            who.model == model || qualified(who) == model
        });
        let link = match known {
            Some(link) => link.clone(),
            None => (self.other)(model)?,
        };
        let chain = Chain::new(DEFAULT_ROLE, vec![link], Policy::default());
        let default = chain.ok_or_else(|| Error::internal("a chain of one provider is empty"))?;
        Ok(Self {
            roles: BTreeMap::new(),
            default,
            ..self.clone()
        })
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models")
            .field("roles", &self.roles)
            .field("default", &self.default)
            .finish_non_exhaustive()
    }
}

/// What a person chooses a model by.
pub fn qualified(who: &Identity) -> String {
    format!("{}/{}", who.provider, who.model)
}

fn policy(config: &Config) -> Policy {
    let config::Routing {
        retries,
        back_off_ms,
        retry_after_max_ms,
        wait_max_ms,
    } = config.routing;
    Policy {
        retries,
        back_off: Duration::from_millis(back_off_ms),
        retry_after_max: Duration::from_millis(retry_after_max_ms),
        wait_max: Duration::from_millis(wait_max_ms),
        ..Policy::default()
    }
}

fn options(provider: &ModelProvider) -> LinkOptions {
    let usual = LinkOptions::default();
    LinkOptions {
        price: provider
            .price
            .map(|config::Price { prompt, answer }| Price { prompt, answer }),
        parallel: provider.parallel.map(std::num::NonZero::get),
        total_timeout: provider
            .timeouts
            .total_ms
            .map_or(usual.total_timeout, Duration::from_millis),
    }
}

/// What is known of the memory of each Ollama, by its address: providers of
/// several models may share one.
type Servers = BTreeMap<String, Residence>;

fn address(url: &str) -> String {
    url.trim_end_matches('/').to_lowercase()
}

fn make(
    config: &Config,
    servers: &mut Servers,
    name: &str,
    provider: &ModelProvider,
) -> Result<Arc<dyn Provider>, Error> {
    match provider.kind {
        Kind::Ollama => ollama(config, servers, name, provider),
        Kind::OpenAi => hosted(name, provider, HostedKind::OpenAi),
        Kind::Anthropic => hosted(name, provider, HostedKind::Anthropic),
        Kind::Gemini => hosted(name, provider, HostedKind::Gemini),
    }
}

fn ollama(
    config: &Config,
    servers: &mut Servers,
    name: &str,
    provider: &ModelProvider,
) -> Result<Arc<dyn Provider>, Error> {
    let usual = OllamaOptions::default();
    let waits = provider.timeouts;
    let context = wiring::context(config, provider.num_ctx.unwrap_or(config.ollama.num_ctx));
    let mut host = |url: &String, num_ctx: NumCtx| {
        let ollama = Ollama::new(OllamaOptions {
            name: name.to_owned(),
            url: url.clone(),
            model: provider.model.clone(),
            num_ctx,
            embed_model: None,
            connect_timeout: wait(waits.connect_ms, usual.connect_timeout),
            load_timeout: wait(waits.load_ms, usual.load_timeout),
            first_byte_timeout: wait(waits.first_byte_ms, usual.first_byte_timeout),
            idle_timeout: wait(waits.idle_ms, usual.idle_timeout),
            ..OllamaOptions::default()
        })?
        .with_session(Arc::new(Sizes::new(config)))
        .with_residence(servers.entry(address(url)).or_default().clone());
        Ok::<_, Error>(Arc::new(ollama) as Arc<dyn Provider>)
    };
    if provider.urls.is_empty() {
        return host(provider.url.as_ref().unwrap_or(&usual.url), context);
    }
    // All hosts of a pool carry one number, and other machines do not tell theirs.
    let hosts = provider.urls.iter().map(|url| host(url, context.fixed()));
    let hosts = hosts.collect::<Result<_, _>>()?;
    let pool = Pool::new(name, hosts).ok_or_else(|| Error::internal("a pool has no hosts"))?;
    Ok(Arc::new(pool))
}

fn hosted(name: &str, provider: &ModelProvider, kind: HostedKind) -> Result<Arc<dyn Provider>, Error> {
    let usual = HostedOptions::new(kind, provider.model.clone());
    let whose = format!("the provider `{name}`");
    let key = keys::read(provider.key_env.as_deref(), provider.key_file.as_deref(), &whose);
    let key = key.unwrap_or_else(|error| {
        // The others answer in the meantime; this one will say what it misses.
        tracing::warn!(code = %error.code, %error, "a provider has no key");
        None
    });
    let waits = provider.timeouts;
    let made = Hosted::new(HostedOptions {
        name: name.to_owned(),
        url: provider.url.clone().unwrap_or(usual.url),
        key,
        context_tokens: provider.context_tokens.unwrap_or(usual.context_tokens),
        ca_file: provider.ca_file.clone(),
        connect_timeout: wait(waits.connect_ms, usual.connect_timeout),
        first_byte_timeout: wait(waits.first_byte_ms, usual.first_byte_timeout),
        idle_timeout: wait(waits.idle_ms, usual.idle_timeout),
        total_timeout: wait(waits.total_ms, usual.total_timeout),
        ..HostedOptions::new(kind, provider.model.clone())
    })?;
    Ok(Arc::new(made))
}

fn wait(ms: Option<u64>, usual: Duration) -> Duration {
    ms.map_or(usual, Duration::from_millis)
}

//! Configuration of the backend: `backend.yaml` in the configuration folder,
//! then `AGENTIC_IDE_…` variables, then the command line.

mod mcp;
mod memory;
mod models;
mod providers;
mod sandbox;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use shared::{
    config::{Prefix, Source},
    paths,
    telemetry::LogFormat,
};

pub use self::{
    mcp::{ClientServers, Mcp, McpServer, servers as mcp_servers},
    memory::{GpuSource, Memory},
    models::{Cpu, Embedding, Provider, Rerank, Runtime},
    providers::{Kind, ModelProvider, NumCtx, OLLAMA, Price, Routing, Timeouts, check_roles},
    sandbox::{Checks, Engine, EngineKind, ImageLanguage, Sandbox, Without},
};

/// Default port of everything the backend serves.
pub const PORT: u16 = 8000;

/// Configuration of the backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address that REST, streams, gRPC and ACP listen on.
    pub listen: SocketAddr,
    /// Token that every request must carry; needed to listen beyond this machine.
    pub auth_token: Option<String>,
    /// Where the journal is kept, unless `journal.url` names a server, and what
    /// else the backend keeps.
    pub data_dir: PathBuf,
    /// Where the journal is kept if not in the data folder.
    pub journal: Journal,
    /// Workspace of requests that name none.
    pub workspace: Option<PathBuf>,
    /// Folder of further workflow definitions (`*.yaml`).
    pub workflows_dir: Option<PathBuf>,
    /// The model server.
    pub ollama: Ollama,
    /// Further model providers by their names.
    pub providers: BTreeMap<String, ModelProvider>,
    /// Who answers a role, the best first; `default` for those not named, which
    /// is Ollama alone by default.
    pub roles: BTreeMap<String, Vec<String>>,
    /// What is done when a call of a model fails.
    pub routing: Routing,
    /// The memory that models run in.
    pub memory: Memory,
    /// The vector database.
    pub qdrant: Qdrant,
    /// How code is found for a request.
    pub retrieval: Retrieval,
    /// What is run of a proposal before a person is asked.
    pub checks: Checks,
    /// Where it runs.
    pub sandbox: Sandbox,
    /// How models call tools.
    pub mcp: Mcp,
    /// Servers of tools by their names.
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How code is found for a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retrieval {
    /// The profile: `best`, `flow6` or one of `profiles`.
    pub profile: String,
    /// Further profiles by name; what one leaves out is as in `best`.
    pub profiles: BTreeMap<String, retrieval::Profile>,
    /// The embedding model.
    pub embedding: Embedding,
    /// The reranking model.
    pub rerank: Rerank,
    /// Who puts questions to the search beside the request itself.
    pub agentic: Agentic,
    /// Longest wait for the model's questions, milliseconds.
    pub agentic_wait_ms: u64,
}

/// Where the journal is kept if not in the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// `postgres://…`: a database that several backends share.
    pub url: Option<String>,
    /// How long a backend that is not heard of is believed to live,
    /// milliseconds. Then the others take its workflows over.
    pub lease_ms: u64,
    /// What becomes of finished workflows.
    pub retention: Retention,
}

/// What becomes of finished workflows. By default they stay for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Those are deleted whose last event is older than so many days.
    pub days: Option<u32>,
    /// The oldest ones are deleted as long as the journal takes more, in MiB.
    pub megabytes: Option<u64>,
    /// Folder that they are exported to before, as `workflows import` reads them.
    pub export_dir: Option<PathBuf>,
}

/// The model server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ollama {
    /// Base URL.
    pub url: String,
    /// Model that plans and writes code.
    pub model: String,
    /// How it is asked to write edits; by default as models of its name write
    /// them best.
    pub edit_format: Option<agents::edit::Format>,
    /// How much it thinks before it answers, unless a workflow says otherwise; by
    /// default as the server has it.
    pub thinking: ::models::Thinking,
    /// Whether it sees pictures; by default as the server says.
    pub images: Option<bool>,
    /// Model that embeds text, unless `retrieval.embedding` names another; none
    /// searches by keyword alone.
    pub embed_model: Option<String>,
    /// Context window in tokens, the same for every request, because another
    /// one makes the server load the model anew; `auto` for what the model can
    /// read and the memory holds.
    pub num_ctx: NumCtx,
    /// Most tokens of a context that is `auto`, of every Ollama.
    pub num_ctx_max: u32,
    /// Most tokens of one answer.
    pub answer_tokens_max: u32,
}

/// The vector database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Qdrant {
    /// gRPC URL.
    pub url: String,
    /// Key, where the server wants one.
    pub api_key: Option<String>,
    /// Tokens of code that are packed for the model.
    pub context_tokens: usize,
}

/// Who puts questions to the search beside the request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agentic {
    /// The model, with one more call before the search; the rules where it fails.
    #[default]
    Auto,
    /// Rules alone: points of a list, and what a failed attempt named.
    Rules,
    /// Nobody; what failed changes nothing.
    Off,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self {
            profile: "best".to_owned(),
            profiles: BTreeMap::new(),
            embedding: Embedding::default(),
            rerank: Rerank::default(),
            agentic: Agentic::default(),
            agentic_wait_ms: 20_000,
        }
    }
}

impl Retrieval {
    /// A profile by its name. With a reranking model, one that does not say
    /// how it reranks does so as `rerank` has it.
    pub fn named(&self, name: &str) -> Result<retrieval::Profile, retrieval::Error> {
        let mut profile = retrieval::Profile::named(name, &self.profiles)?;
        let Rerank {
            model,
            dir,
            budget_ms,
            pairs,
            weight,
            cpu: _,
        } = &self.rerank;
        if model.is_some() || dir.is_some() {
            profile.rerank.get_or_insert(retrieval::profile::Rerank {
                budget_ms: *budget_ms,
                pairs: *pairs,
                weight: *weight,
            });
            profile.check()?;
        }
        Ok(profile)
    }
}

impl Config {
    /// Whether a model is configured, as `PROVIDER/MODEL`.
    pub fn has_model(&self, model: &str) -> bool {
        let named = self.providers.iter();
        let named = named.map(|(provider, it)| (provider.as_str(), it.model.as_str()));
        let mut all = named.chain([(OLLAMA, self.ollama.model.as_str())]);
        all.any(|(provider, name)| {
            let rest = model.strip_prefix(provider);
            rest.and_then(|rest| rest.strip_prefix('/')) == Some(name)
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            auth_token: None,
            data_dir: paths::data_dir().join("backend"),
            journal: Journal::default(),
            workspace: None,
            workflows_dir: None,
            ollama: Ollama::default(),
            providers: BTreeMap::new(),
            roles: BTreeMap::new(),
            routing: Routing::default(),
            memory: Memory::default(),
            qdrant: Qdrant::default(),
            retrieval: Retrieval::default(),
            checks: Checks::default(),
            sandbox: Sandbox::default(),
            mcp: Mcp::default(),
            mcp_servers: BTreeMap::new(),
            log_format: LogFormat::default(),
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            url: None,
            lease_ms: 15_000,
            retention: Retention::default(),
        }
    }
}

impl Default for Ollama {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:11434".to_owned(),
            model: "mistral:7b-instruct-v0.3-q4_K_M".to_owned(),
            edit_format: None,
            thinking: ::models::Thinking::ProviderDefault,
            images: None,
            embed_model: Some("nomic-embed-text".to_owned()),
            num_ctx: NumCtx::Auto,
            num_ctx_max: 32_768,
            answer_tokens_max: 4_096,
        }
    }
}

impl Default for Qdrant {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:6334".to_owned(),
            api_key: None,
            context_tokens: 2_500,
        }
    }
}

/// Reads the configuration; `named` is a file the person gave.
pub fn load(named: Option<&PathBuf>) -> Result<Config, shared::config::Error> {
    let usual = paths::config_dir().join("backend.yaml");
    let source = named.map_or(Source::Usual(&usual), |path| Source::Named(path));
    shared::config::load(source, Prefix::Shared("AGENTIC_IDE_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_yaml_has_for_booleans() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backend.yaml");
        let text = "retrieval: { agentic: off }\nollama: { thinking: off }\n\
                    mcp: { built_in: off, client_servers: none }\nmcp_servers: { a: { disabled: on } }\n";
        std::fs::write(&file, text).unwrap();
        let got = load(Some(&file)).unwrap();
        let mut expect = Config::default();
        expect.retrieval.agentic = Agentic::Off;
        expect.ollama.thinking = ::models::Thinking::Off;
        expect.mcp.built_in = false;
        expect.mcp.client_servers = Some(ClientServers::None);
        let a = McpServer {
            disabled: true,
            ..McpServer::default()
        };
        expect.mcp_servers = BTreeMap::from([("a".to_owned(), a)]);
        assert_eq!(got, expect);
    }
}

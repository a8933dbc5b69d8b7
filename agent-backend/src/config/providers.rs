//! The model providers and who answers which role. What does not fit together
//! is refused with the key's name.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf};

use agents::edit::Format;
use models::Thinking;
use serde::{Deserialize, Serialize};

/// Name of the provider that the section `ollama` describes.
pub const OLLAMA: &str = "ollama";

/// The role that is no role: its model is part of the index.
const EMBED: &str = "embed";

/// Whose interface a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ollama's own.
    Ollama,
    /// OpenAI's, which many servers speak.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Gemini,
}

/// Context of an Ollama.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumCtx {
    /// What the model can read and the memory holds.
    #[default]
    Auto,
    /// So many tokens.
    #[serde(untagged)]
    Tokens(u32),
}

/// A provider of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelProvider {
    /// Whose interface it speaks.
    pub kind: Kind,
    /// Its model.
    pub model: String,
    /// How it is asked to write edits; by default as models of its name write
    /// them best.
    #[serde(default)]
    pub edit_format: Option<Format>,
    /// How much it thinks before it answers, unless a workflow says otherwise; by
    /// default as its server has it.
    #[serde(default)]
    pub thinking: Thinking,
    /// Whether it sees pictures; by default as an Ollama says of its model, and otherwise
    /// only `openai` does not.
    #[serde(default)]
    pub images: Option<bool>,
    /// Its address; by default the company's own, or this machine's Ollama.
    #[serde(default)]
    pub url: Option<String>,
    /// `ollama`: several hosts of the same model, in place of `url`.
    #[serde(default)]
    pub urls: Vec<String>,
    /// `ollama`: context in tokens, the same in every call, or `auto`; as in the
    /// section `ollama` by default.
    #[serde(default)]
    pub num_ctx: Option<NumCtx>,
    /// Not `ollama`: the model's context in tokens.
    #[serde(default)]
    pub context_tokens: Option<u32>,
    /// Not `ollama`: the environment variable with the key.
    #[serde(default)]
    pub key_env: Option<String>,
    /// Not `ollama`: a file with the key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Not `ollama`: a file of certificates (PEM) to trust beside the web's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What its tokens cost.
    #[serde(default)]
    pub price: Option<Price>,
    /// Calls that may run at once; the others queue.
    #[serde(default)]
    pub parallel: Option<NonZeroUsize>,
    /// Longest waits.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens that are sent.
    pub prompt: f64,
    /// Tokens that are generated.
    pub answer: f64,
}

/// Longest waits, in milliseconds; those of the kind by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To open a connection.
    pub connect_ms: Option<u64>,
    /// `ollama`: to load the model from cold.
    pub load_ms: Option<u64>,
    /// Up to the first piece of an answer.
    pub first_byte_ms: Option<u64>,
    /// Between two pieces of it.
    pub idle_ms: Option<u64>,
    /// For all of it.
    pub total_ms: Option<u64>,
}

/// What is done when a call fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Routing {
    /// Further calls of a provider that failed for a passing reason.
    pub retries: u32,
    /// Wait before the first of them, milliseconds; doubled for each.
    pub back_off_ms: u64,
    /// Longest that a server may ask to wait before the next one is asked,
    /// milliseconds.
    pub retry_after_max_ms: u64,
    /// Longest wait for any provider at all, milliseconds.
    pub wait_max_ms: u64,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            retries: 3,
            back_off_ms: 500,
            retry_after_max_ms: 60_000,
            wait_max_ms: 24 * 60 * 60 * 1_000,
        }
    }
}

impl ModelProvider {
    /// Refuses what another kind takes, and a kind without what it needs.
    pub fn check(&self, name: &str) -> Result<(), String> {
        let ollama = [
            ("urls", !self.urls.is_empty()),
            ("num_ctx", self.num_ctx.is_some()),
            ("timeouts.load_ms", self.timeouts.load_ms.is_some()),
        ];
        let others = [
            ("context_tokens", self.context_tokens.is_some()),
            ("key_env", self.key_env.is_some()),
            ("key_file", self.key_file.is_some()),
            ("ca_file", self.ca_file.is_some()),
        ];
        let is_ollama = self.kind == Kind::Ollama;
        let strange = if is_ollama { &others[..] } else { &ollama[..] };
        if let Some((key, _)) = strange.iter().find(|(_, given)| *given) {
            let whose = if is_ollama {
                "for providers of other kinds"
            } else {
                "for providers of the kind `ollama`"
            };
            return Err(format!("providers.{name}.{key} is {whose}"));
        }
        if name == OLLAMA {
            return Err(format!(
                "providers.{name}: the section `ollama` describes this one; choose another name"
            ));
        }
        if self.model.trim().is_empty() {
            return Err(format!("providers.{name}.model is empty"));
        }
        if self.url.is_some() && !self.urls.is_empty() {
            return Err(format!("providers.{name} takes url or urls, not both"));
        }
        if self.key_env.is_some() && self.key_file.is_some() {
            return Err(format!("providers.{name} takes key_env or key_file, not both"));
        }
        if !is_ollama && self.context_tokens.is_none() {
            return Err(format!(
                "providers.{name} needs context_tokens: how much its model can read, in tokens"
            ));
        }
        Ok(())
    }
}

/// Refuses roles of providers that there are not, and the one without a chain.
pub fn check_roles(
    providers: &BTreeMap<String, ModelProvider>,
    roles: &BTreeMap<String, Vec<String>>,
) -> Result<(), String> {
    for (role, chain) in roles {
        if role == EMBED {
            return Err(format!(
                "roles.{EMBED}: an index is made with one model, so that nobody else can embed in its place; \
                 name it in `retrieval.embedding`"
            ));
        }
        if chain.is_empty() {
            return Err(format!("roles.{role} names no provider"));
        }
        for name in chain {
            if name != OLLAMA && !providers.contains_key(name) {
                let known: Vec<&str> = std::iter::once(OLLAMA)
                    .chain(providers.keys().map(String::as_str))
                    .collect();
                return Err(format!(
                    "roles.{role} names the provider `{name}`, which is not in `providers`; there are {}",
                    known.join(", ")
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(yaml: serde_json::Value, expect: Result<(), &str>) {
        let provider: ModelProvider = serde_json::from_value(yaml).unwrap();
        assert_eq!(provider.check("p"), expect.map_err(str::to_owned), "{provider:?}");
    }

    #[test]
    fn what_fits_together() {
        check(json!({"kind": "ollama", "model": "m"}), Ok(()));
        check(
            json!({"kind": "ollama", "model": "m", "urls": ["http://a", "http://b"], "num_ctx": 8192}),
            Ok(()),
        );
        let groq = json!({
            "kind": "openai", "model": "m", "url": "http://h/v1", "key_env": "K",
            "context_tokens": 1000, "price": {"prompt": 0.5, "answer": 1}, "parallel": 2
        });
        check(groq, Ok(()));
        check(
            json!({"kind": "gemini", "model": "m", "key_file": "k", "context_tokens": 1}),
            Ok(()),
        );
    }

    #[test]
    fn what_does_not() {
        check(
            json!({"kind": "ollama", "model": "m", "key_env": "K"}),
            Err("providers.p.key_env is for providers of other kinds"),
        );
        check(
            json!({"kind": "anthropic", "model": "m", "num_ctx": 1}),
            Err("providers.p.num_ctx is for providers of the kind `ollama`"),
        );
        check(
            json!({"kind": "anthropic", "model": "m"}),
            Err("providers.p needs context_tokens: how much its model can read, in tokens"),
        );
        check(
            json!({"kind": "ollama", "model": " "}),
            Err("providers.p.model is empty"),
        );
        check(
            json!({"kind": "ollama", "model": "m", "url": "u", "urls": ["u"]}),
            Err("providers.p takes url or urls, not both"),
        );
        check(
            json!({"kind": "openai", "model": "m", "context_tokens": 1, "key_env": "A", "key_file": "b"}),
            Err("providers.p takes key_env or key_file, not both"),
        );
        let ollama: ModelProvider = serde_json::from_value(json!({"kind": "ollama", "model": "m"})).unwrap();
        assert!(ollama.check("ollama").is_err());
    }

    #[test]
    fn roles_name_providers() {
        let provider = serde_json::from_value(json!({"kind": "ollama", "model": "m"})).unwrap();
        let providers = BTreeMap::from([("farm".to_owned(), provider)]);
        let check = |role: &str, chain: &[&str], expect: Result<(), &str>| {
            let chain = chain.iter().map(|name| (*name).to_owned()).collect();
            let roles = BTreeMap::from([(role.to_owned(), chain)]);
            assert_eq!(check_roles(&providers, &roles), expect.map_err(str::to_owned));
        };
        check("code", &["farm", "ollama"], Ok(()));
        check("code", &[], Err("roles.code names no provider"));
        check(
            "embed",
            &["farm"],
            Err(
                "roles.embed: an index is made with one model, so that nobody else can embed in its place; \
                 name it in `retrieval.embedding`",
            ),
        );
        check(
            "code",
            &["farn"],
            Err("roles.code names the provider `farn`, which is not in `providers`; there are ollama, farm"),
        );
    }

    #[test]
    fn contexts() {
        let check = |text: &str, expect: Option<NumCtx>| {
            assert_eq!(serde_json::from_str(text).ok(), expect, "{text}");
        };
        check("8192", Some(NumCtx::Tokens(8192)));
        check(r#""auto""#, Some(NumCtx::Auto));
        check("-1", None);
        check(r#""big""#, None);
        assert_eq!(
            serde_json::to_value([NumCtx::Auto, NumCtx::Tokens(1)]).unwrap(),
            json!(["auto", 1])
        );
    }

    #[test]
    fn formats_of_edits() {
        let read = |format: &str| {
            let yaml = json!({"kind": "ollama", "model": "m", "edit_format": format});
            serde_json::from_value::<ModelProvider>(yaml).map(|provider| provider.edit_format)
        };
        assert_eq!(read("apply_patch").unwrap(), Some(Format::ApplyPatch));
        assert_eq!(
            read("diff").unwrap_err().to_string(),
            "unknown variant `diff`, expected one of `whole_file`, `search_replace`, `unified_diff`, `apply_patch`, \
             `whole_function`"
        );
    }

    #[test]
    fn levels_of_thinking() {
        let read = |level: serde_json::Value| {
            let yaml = json!({"kind": "gemini", "model": "m", "thinking": level});
            serde_json::from_value::<ModelProvider>(yaml).map(|provider| provider.thinking)
        };
        assert_eq!(read(json!("default")).unwrap(), Thinking::ProviderDefault);
        assert_eq!(read(json!("off")).unwrap(), Thinking::Off);
        // As YAML reads `off`.
        assert_eq!(read(json!(false)).unwrap(), Thinking::Off);
        assert_eq!(read(json!("high")).unwrap(), Thinking::High);
        assert!(read(json!(true)).is_err());
        assert_eq!(
            read(json!("much")).unwrap_err().to_string(),
            "unknown variant `much`, expected one of `default`, `off`, `low`, `medium`, `high`"
        );
    }

    #[test]
    fn misspelt_keys_are_refused() {
        for text in [
            r#"{"kind": "olama", "model": "m"}"#,
            r#"{"kind": "ollama"}"#,
            r#"{"kind": "ollama", "model": "m", "contxt": 1}"#,
            r#"{"kind": "ollama", "model": "m", "timeouts": {"total": 1}}"#,
        ] {
            assert!(serde_json::from_str::<ModelProvider>(text).is_err(), "{text}");
        }
    }
}

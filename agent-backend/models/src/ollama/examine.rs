//! What is wrong with an Ollama before it is used. Nothing is loaded.

use shared::error::Code;

use super::{NumCtx, Ollama, same_model, settle, sizing, trained_for};
use crate::{
    Error, Provider as _,
    examine::{Finding, named, too_small},
};

/// The ability of a model that answers.
const COMPLETION: &str = "completion";

/// Since when a server has what we need, why we need it, and whether nothing
/// goes without it.
const NEEDS: [(Version, &str, Need); 4] = [
    (
        Version(0, 5, 0),
        "it holds no answer to a JSON schema",
        Need::Must,
    ),
    (
        Version(0, 6, 4),
        "it does not tell what a model can do",
        Need::Should,
    ),
    (
        Version(0, 8, 0),
        "it does not stream answers that may call tools",
        Need::Should,
    ),
    (
        Version(0, 10, 0),
        "it does not tell the context it loaded, so that a prompt it cuts is noticed only after the answer",
        Need::Should,
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    Should,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    /// `None` for one that a person built, which tells nothing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        (version > Self(0, 0, 0)).then_some(version)
    }
}

pub(super) async fn examine(ollama: &Ollama) -> Vec<Finding> {
    let health = match ollama.health().await {
        Ok(health) => health,
        Err(error) => return vec![(&error).into()],
    };
    let mut findings = too_old(&health.version);
    let options = &ollama.options;
    if !health.model_available {
        let missing = Error::ModelMissing {
            model: options.model.clone(),
        };
        let mut finding = Finding::from(&missing);
        finding.text.push_str(&named(&health.models));
        findings.push(finding);
        return findings;
    }
    // What fails here fails below as well.
    let _unsettled = settle::settle(ollama).await;
    let num_ctx = ollama.identity().context_tokens;
    match ollama
        .status(ollama.client.show_model_info(options.model.clone()))
        .await
    {
        Ok(info) => {
            findings.extend(too_small("num_ctx", num_ctx, trained_for(&info.model_info)));
            findings.extend(misfit(ollama, num_ctx).await);
            let abilities = &info.capabilities;
            if !abilities.is_empty() && abilities.iter().all(|ability| ability != COMPLETION) {
                findings.push(Finding::broken(
                    Code::ModelRefused,
                    format!(
                        "{} writes no text (it can {}): choose another model",
                        options.model,
                        abilities.join(", ")
                    ),
                ));
            }
        }
        Err(error) => findings.push((&error).into()),
    }
    match ollama.in_memory().await {
        Ok(models) => {
            let loaded = models
                .iter()
                .find(|loaded| same_model(&loaded.name, &options.model));
            if let Some(tokens) = loaded.and_then(|loaded| loaded.context_length)
                && tokens < num_ctx
            {
                findings.push(Finding::warning(
                    Code::ContextTruncated,
                    format!(
                        "{} is loaded with {tokens} tokens of context for another program, and `num_ctx` is {}: the \
                         first call loads it anew; give both the same number",
                        options.model, num_ctx
                    ),
                ));
            }
        }
        Err(error) => findings.push((&error).into()),
    }
    findings
}

/// A number of a person's that memory does not hold.
async fn misfit(ollama: &Ollama, num_ctx: u32) -> Option<Finding> {
    match ollama.options.num_ctx {
        NumCtx::Auto { .. } => None,
        NumCtx::Fixed(_) => {
            let facts = settle::facts(ollama).await.ok()?;
            let text = sizing::misfit(&facts, settle::room(ollama).await, num_ctx)?;
            Some(Finding::warning(Code::ModelMemoryFull, text))
        }
    }
}

fn too_old(version: &str) -> Vec<Finding> {
    let Some(found) = Version::parse(version) else {
        return Vec::new();
    };
    let missing = NEEDS.iter().filter(|(since, ..)| found < *since);
    missing
        .map(|(Version(major, minor, patch), what, need)| {
            let text = format!(
                "Ollama {version} is too old: {what}; install {major}.{minor}.{patch} or newer (`curl -fsSL https://ollama.com/install.sh | sh`)"
            );
            match need {
                Need::Must => Finding::broken(Code::ModelServerTooOld, text),
                Need::Should => Finding::warning(Code::ModelServerTooOld, text),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examine::Weight;

    #[test]
    fn versions() {
        fn check(text: &str, expect: Option<Version>) {
            assert_eq!(Version::parse(text), expect, "{text}");
        }
        check("0.13.0", Some(Version(0, 13, 0)));
        check("v0.5.0-rc1", Some(Version(0, 5, 0)));
        check("0.6.4+cuda", Some(Version(0, 6, 4)));
        check("0.0.0", None);
        check("0.5", None);
        check("main", None);
    }

    #[test]
    fn servers_that_are_too_old() {
        fn check(version: &str, expect: &[Weight]) {
            let found: Vec<Weight> = too_old(version).iter().map(|finding| finding.weight).collect();
            assert_eq!(found, expect, "{version}");
        }
        use Weight::{Broken, Warning};
        check("0.4.7", &[Broken, Warning, Warning, Warning]);
        check("0.5.0", &[Warning, Warning, Warning]);
        check("0.9.6", &[Warning]);
        check("0.10.0", &[]);
        check("1.0.0", &[]);
        check("0.0.0", &[]);
    }
}

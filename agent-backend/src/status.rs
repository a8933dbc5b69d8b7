//! Health of the parts, for `doctor`, `readyz` and the control interface.

use std::time::Duration;

use engine::ports::journal::ListQuery;
use futures::future::join_all;
use models::routing::Link;

use crate::{
    error::Error,
    runtime::{Services, pressure},
};

/// Longest wait for one part.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Health of every part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The parts.
    pub components: Vec<Component>,
}

/// Health of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `journal`, `model` or `vectordb`.
    pub name: &'static str,
    /// Whether it can be used.
    pub ok: bool,
    /// What it is, or what is wrong and what to do.
    pub detail: String,
}

impl Health {
    /// Whether requests can be taken. Without a model or a vector database they
    /// can: the first is waited for, the second has a fallback.
    pub fn ready(&self) -> bool {
        self.components
            .iter()
            .any(|component| component.name == "journal" && component.ok)
    }
}

/// Asks every part, each with a time-out.
pub async fn health(services: &Services) -> Health {
    let journal = async {
        let query = ListQuery {
            limit: 1,
            ..ListQuery::default()
        };
        services.journal.list(query).await?;
        pressure::check(services).await?;
        Ok("readable and writable".to_owned())
    };
    let model = async {
        let asked = services.models.used().into_iter().map(|link| provider(link));
        let answers = join_all(asked).await;
        let there = answers.iter().any(Result::is_ok);
        let say = |answer: &Result<String, Error>| match answer {
            Ok(text) => text.clone(),
            Err(error) => format!("{}: {error}", error.code),
        };
        let said: Vec<String> = answers.iter().map(say).collect();
        match answers.into_iter().find_map(Result::err) {
            Some(error) if !there => Err(error),
            Some(_) | None => Ok(said.join("; ")),
        }
    };
    let vectordb = async { services.search.health().await.map(|()| "answers".to_owned()) };
    let (journal, model, vectordb) = tokio::join!(
        probe("journal", journal),
        probe("model", model),
        probe("vectordb", vectordb)
    );
    Health {
        components: vec![journal, model, vectordb],
    }
}

/// One provider and its model.
async fn provider(link: &Link) -> Result<String, Error> {
    let health = link.provider().health().await?;
    let name = &link.identity().provider;
    if health.model_available {
        return Ok(format!("{name} {} with {}", health.version, health.model));
    }
    Err(models::Error::ModelMissing { model: health.model }.into())
}

async fn probe(name: &'static str, ask: impl Future<Output = Result<String, Error>>) -> Component {
    match tokio::time::timeout(PROBE_TIMEOUT, ask).await {
        Ok(Ok(detail)) => Component {
            name,
            ok: true,
            detail,
        },
        Ok(Err(error)) => Component {
            name,
            ok: false,
            detail: format!("{}: {error}", error.code),
        },
        Err(_) => Component {
            name,
            ok: false,
            detail: format!("no answer within {} s", PROBE_TIMEOUT.as_secs()),
        },
    }
}

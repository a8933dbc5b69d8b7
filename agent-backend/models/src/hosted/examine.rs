//! What is wrong with a hosted model before it is used. Nothing is generated.

use serde_json::json;
use shared::error::Code;

use super::{Hosted, HostedKind, status};
use crate::{
    Error, Phase,
    examine::{Finding, named, too_small},
};

pub(super) async fn examine(hosted: &Hosted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let options = &hosted.options;
    if options.key.is_some() && hosted.http.is_in_the_clear() {
        findings.push(Finding::warning(
            Code::ConfigInvalid,
            format!(
                "the key of {} goes to {} unencrypted: use https",
                options.name, options.url
            ),
        ));
    }
    match status::ask(hosted).await {
        Err(Error::KeyRefused { .. }) if options.key.is_none() => {
            let text = format!(
                "{} wants a key and none is configured: set `key_env` or `key_file`",
                options.name
            );
            findings.push(Finding::broken(Code::KeyRefused, text));
        }
        Err(error) => findings.push((&error).into()),
        Ok(told) => {
            findings.extend(too_small(
                "context_tokens",
                options.context_tokens,
                told.context_tokens,
            ));
            if !told.is_available {
                let mut finding = Finding::from(&hosted.http.no_model(&options.model));
                finding.text.push_str(&named(&told.models));
                findings.push(finding);
            }
            findings.extend(key_refused(hosted).await);
        }
    }
    findings
}

/// Many servers with OpenAI's interface show their models to anybody. A call
/// that no server can take, sent to where answers come from, shows what it
/// thinks of the key and generates nothing.
async fn key_refused(hosted: &Hosted) -> Option<Finding> {
    let options = &hosted.options;
    if options.kind != HostedKind::OpenAi {
        return None;
    }
    let body = json!({"model": options.model, "messages": "none", "max_tokens": 1});
    let sent = hosted
        .http
        .post(&hosted.path(), &body, Phase::Status, options.status_timeout)
        .await;
    let error = hosted.http.accepted(sent.ok()?, &options.model).await.err()?;
    let is_about_the_key = matches!(error, Error::KeyRefused { .. } | Error::QuotaSpent { .. });
    is_about_the_key.then(|| (&error).into())
}

//! The sandbox as clients are told of it.

use sandbox::{Held, Sandbox};
use shared::wire::{SandboxGuarantee, SandboxPassedOver, SandboxView};

/// What was found when it was looked for.
pub fn sandbox(found: Result<&Sandbox, &str>) -> SandboxView {
    let sandbox = match found {
        Ok(sandbox) => sandbox,
        Err(reason) => {
            return SandboxView {
                engine: None,
                guarantees: Vec::new(),
                passed_over: Vec::new(),
                error: Some(reason.to_owned()),
            };
        }
    };
    let guarantees = sandbox.guarantees().iter().map(|each| SandboxGuarantee {
        name: each.promise.key().to_owned(),
        text: each.promise.text().to_owned(),
        holds: each.holds(),
        reason: match &each.held {
            Held::Yes => None,
            Held::No(reason) => Some(reason.clone()),
        },
    });
    let passed_over = sandbox.passed_over().iter();
    SandboxView {
        engine: Some(sandbox.kind().to_string()),
        guarantees: guarantees.collect(),
        passed_over: passed_over
            .map(|(kind, reason)| SandboxPassedOver {
                engine: kind.to_string(),
                reason: reason.clone(),
            })
            .collect(),
        error: None,
    }
}

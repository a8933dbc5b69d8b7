//! What the models of a session took: the context of the last call, and the
//! money of all of them.

use agent_client_protocol::v1::schema::{Cost, SessionUpdate, UsageUpdate};
use engine::artifact::ModelCall;
use models::Identity;

/// Microdollars of a dollar.
const MICRO: f64 = 1_000_000.0;

/// What was taken so far.
#[derive(Debug)]
pub(super) struct Usage {
    /// The models there are, with the tokens that each can read.
    models: Vec<Identity>,
    /// Millionths of a dollar; none where no price was known of any call.
    spent: Option<u64>,
}

impl Usage {
    /// Of nothing, with these models.
    pub(super) fn new(models: Vec<Identity>) -> Self {
        Self { models, spent: None }
    }

    /// Tokens that a model can read; 0 for one that is configured no more.
    fn size(&self, call: &ModelCall) -> u64 {
        let is_it = |known: &&Identity| known.provider == call.provider && known.model == call.model;
        let known = self.models.iter().find(is_it);
        known.map_or(0, |known| u64::from(known.context_tokens))
    }

    /// Counts a call; what the client is told. Nothing of a call that took
    /// nothing.
    pub(super) fn note(&mut self, call: &ModelCall) -> Option<SessionUpdate> {
        if let Some(cost) = call.cost_microdollars {
            self.spent = Some(self.spent.unwrap_or_default().saturating_add(cost));
        }
        let used = call.prompt_tokens.saturating_add(call.generated_tokens);
        if used == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
        let cost = self.spent.map(|spent| Cost::new(spent as f64 / MICRO, "USD"));
        Some(SessionUpdate::UsageUpdate(
            UsageUpdate::new(used, self.size(call).max(used)).cost(cost),
        ))
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::CallEnding;
    use serde_json::json;

    use super::*;

    #[test]
    fn money_adds_up_and_tokens_do_not() {
        let mut usage = Usage::new(vec![Identity {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            context_tokens: 1_000,
        }]);
        let mut check = |tokens: (u64, u64), cost: Option<u64>, expect: serde_json::Value| {
            let call = ModelCall {
                role: "code".to_owned(),
                provider: "p".to_owned(),
                model: "m".to_owned(),
                number: 1,
                ending: CallEnding::Answered { cut: false },
                first_token_ms: None,
                duration_ms: 1,
                prompt_tokens: tokens.0,
                generated_tokens: tokens.1,
                cost_microdollars: cost,
            };
            assert_eq!(serde_json::to_value(usage.note(&call)).unwrap(), expect);
        };
        let told =
            |used: u64, size: u64| json!({ "sessionUpdate": "usage_update", "used": used, "size": size });
        check((10, 5), None, told(15, 1_000));
        check((0, 0), None, json!(null));
        let mut expect = told(300, 1_000);
        expect["cost"] = json!({ "amount": 0.25, "currency": "USD" });
        check((200, 100), Some(250_000), expect);
        let mut expect = told(2_000, 2_000);
        expect["cost"] = json!({ "amount": 0.75, "currency": "USD" });
        check((2_000, 0), Some(500_000), expect);
    }
}

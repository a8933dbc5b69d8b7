//! What a model of Ollama can be asked about its thinking. The server says which
//! models think (`/api/show`), and refuses the field for the others; most of them
//! think or do not, and gpt-oss takes levels and always thinks.
//! <https://docs.ollama.com/capabilities/thinking>

use std::sync::{Mutex, PoisonError};

use reqwest::Response;
use serde_json::{Value, json};

use super::{
    Ollama, settle,
    wire::{ChatBody, Shown},
};
use crate::{ChatRequest, Error, Thinking, thinking::Level};

/// The ability of a model that thinks before it answers.
const THINKING: &str = "thinking";

/// Families of models that take levels.
const WITH_LEVELS: [&str; 2] = ["gptoss", "gpt-oss"];

/// What a model can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ability {
    /// Nothing: it does not think.
    Nothing,
    /// Whether it thinks.
    Whether,
    /// How much it thinks, and never not to.
    HowMuch,
}

/// What is known of it, for the session.
#[derive(Debug, Default)]
pub(super) struct Thinks(Mutex<Option<Ability>>);

impl Thinks {
    fn known(&self) -> Option<Ability> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, ability: Ability) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ability);
    }
}

impl Ability {
    fn of(shown: &Shown) -> Self {
        // Servers before 0.6.4 list no abilities, and know no thinking.
        if shown.capabilities.iter().all(|ability| ability != THINKING) {
            Self::Nothing
        } else if WITH_LEVELS.contains(&shown.details.family.as_str()) {
            Self::HowMuch
        } else {
            Self::Whether
        }
    }

    /// What is left to be asked where the server refuses this. Servers before
    /// 0.11 know no levels.
    fn less(self) -> Self {
        match self {
            Self::HowMuch => Self::Whether,
            Self::Whether | Self::Nothing => Self::Nothing,
        }
    }

    /// The wish as the server takes it; none where there is nothing to say.
    fn field(self, wanted: Thinking) -> Option<Value> {
        match (self, wanted, wanted.level()) {
            (Self::Nothing, ..) | (_, Thinking::ProviderDefault, _) => None,
            (Self::Whether, _, level) => Some(json!(level.is_some())),
            (Self::HowMuch, _, level) => Some(json!(level.unwrap_or(Level::Low).name())),
        }
    }

    fn grants(self, wanted: Thinking) -> Thinking {
        match (self, wanted) {
            (_, Thinking::ProviderDefault) => Thinking::ProviderDefault,
            (Self::Nothing, _) => Thinking::Off,
            (Self::HowMuch, Thinking::Off) => Thinking::Low,
            (Self::Whether | Self::HowMuch, _) => wanted,
        }
    }
}

/// Asks the server anew.
pub(super) async fn asked(ollama: &Ollama) -> Result<Ability, Error> {
    settle::shown(ollama).await.map(|shown| Ability::of(&shown))
}

/// What is known, or the server says.
async fn ability(ollama: &Ollama) -> Result<Ability, Error> {
    if let Some(known) = ollama.thinks.known() {
        return Ok(known);
    }
    let ability = match asked(ollama).await {
        Ok(ability) => ability,
        Err(error @ (Error::StreamBroken { .. } | Error::Refused { .. } | Error::NotOllama { .. })) => {
            tracing::debug!(%error, "the server does not say whether the model thinks");
            Ability::Nothing
        }
        Err(error) => return Err(error),
    };
    ollama.thinks.learn(ability);
    Ok(ability)
}

/// See [`crate::Provider::grants`]. A server that does not answer fails the call
/// that follows.
pub(super) async fn grants(ollama: &Ollama, wanted: Thinking) -> Thinking {
    match wanted {
        Thinking::ProviderDefault => wanted,
        Thinking::Off | Thinking::Low | Thinking::Medium | Thinking::High => ability(ollama)
            .await
            .map_or(wanted, |ability| ability.grants(wanted)),
    }
}

/// Sends the call with its wish, or with less of it where the server refuses
/// that, which it does before it has done anything.
pub(super) async fn send(ollama: &Ollama, num_ctx: u32, request: &ChatRequest) -> Result<Response, Error> {
    let mut can = match request.thinking {
        Thinking::ProviderDefault => Ability::Nothing,
        Thinking::Off | Thinking::Low | Thinking::Medium | Thinking::High => ability(ollama).await?,
    };
    loop {
        let think = can.field(request.thinking);
        let is_asked = think.is_some();
        let granted = ChatRequest {
            thinking: can.grants(request.thinking),
            ..request.clone()
        };
        let body = ChatBody::chat(&ollama.options, num_ctx, granted, think);
        match ollama.work("api/chat", &body, &ollama.options.model).await {
            Err(error) if is_asked && is_refused(&error) => {
                tracing::info!(provider = %ollama.options.name, %error, "less is said of thinking from now on");
                can = can.less();
                ollama.thinks.learn(can);
            }
            sent => return sent,
        }
    }
}

/// Whether it is the wish that the server does not take.
fn is_refused(error: &Error) -> bool {
    let Error::Refused {
        status: 400 | 422,
        message,
    } = error
    else {
        return false;
    };
    message.to_lowercase().contains("think")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHES: [Thinking; 5] = [
        Thinking::ProviderDefault,
        Thinking::Off,
        Thinking::Low,
        Thinking::Medium,
        Thinking::High,
    ];

    #[test]
    fn what_a_model_is_asked() {
        let check = |shown: Value, expect: [Value; 5]| {
            let shown: Shown = serde_json::from_value(shown).unwrap();
            let ability = Ability::of(&shown);
            let asked = WISHES.map(|wanted| ability.field(wanted).unwrap_or_default());
            assert_eq!(asked, expect, "{shown:?}");
        };
        let none = || [(); 5].map(|()| Value::Null);
        check(json!({}), none());
        check(json!({"capabilities": ["completion", "tools"]}), none());
        check(
            json!({"capabilities": ["completion", "thinking"], "details": {"family": "qwen3"}}),
            [json!(null), json!(false), json!(true), json!(true), json!(true)],
        );
        check(
            json!({"capabilities": ["thinking"], "details": {"family": "gptoss"}}),
            [
                json!(null),
                json!("low"),
                json!("low"),
                json!("medium"),
                json!("high"),
            ],
        );
    }

    #[test]
    fn what_comes_of_a_wish() {
        use Thinking::{High, Low, Medium, Off, ProviderDefault};
        let check = |ability: Ability, expect: [Thinking; 5]| {
            assert_eq!(WISHES.map(|wanted| ability.grants(wanted)), expect, "{ability:?}");
        };
        check(Ability::Nothing, [ProviderDefault, Off, Off, Off, Off]);
        check(Ability::Whether, WISHES);
        check(Ability::HowMuch, [ProviderDefault, Low, Low, Medium, High]);
    }
}

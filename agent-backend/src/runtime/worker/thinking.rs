//! How much the models of a workflow think: what the person chose, or is
//! configured, and what a person hears where a model cannot be asked for it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use engine::{State, artifact::ThoughtLevel, event::NoticeLevel};
use models::{Identity, Thinking, routing::Link};
use shared::id::WorkflowId;

use super::Desk;
use crate::runtime::services::Services;

/// Workflows of which it is known that they were told; the oldest go first.
const TOLD_MAX: usize = 1_024;

/// What workflows were told already; by a process that is started again, once
/// more.
#[derive(Debug, Default)]
pub struct Said(Mutex<VecDeque<(WorkflowId, String)>>);

impl Said {
    /// Whether it is news to the workflow, which it is no more after this.
    pub(super) fn is_news(&self, workflow: &WorkflowId, message: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.iter().any(|(who, what)| who == workflow && what == message) {
            return false;
        }
        said.truncate(TOLD_MAX - 1);
        said.push_front((workflow.clone(), message.to_owned()));
        true
    }
}

/// How much this model is to think in this workflow.
pub(super) fn wanted(services: &Services, state: &State, who: &Identity) -> Thinking {
    match state.task.choices.thought_level {
        ThoughtLevel::Default => services.models.thinking(who),
        ThoughtLevel::Off => Thinking::Off,
        ThoughtLevel::Low => Thinking::Low,
        ThoughtLevel::Medium => Thinking::Medium,
        ThoughtLevel::High => Thinking::High,
    }
}

/// Tells the workflow, once, that its model thinks otherwise than it should.
pub(super) async fn tell(services: &Services, state: &State, desk: &Desk, link: &Link, wanted: Thinking) {
    let who = link.identity();
    let granted = link.provider().grants(wanted).await;
    if let Some(message) = otherwise(who, wanted, granted)
        && services.said.is_news(&state.workflow, &message)
    {
        desk.notify(NoticeLevel::Info, None, message).await;
    }
}

/// What comes of a wish, where it is not what was wished for.
fn otherwise(who: &Identity, wanted: Thinking, granted: Thinking) -> Option<String> {
    if granted == wanted {
        return None;
    }
    let Identity { provider, model, .. } = who;
    Some(match (wanted, granted) {
        (_, Thinking::Off) => format!("{model} cannot think: it is asked without"),
        (Thinking::Off, Thinking::ProviderDefault) => {
            format!("{provider} does not let {model} be told not to think: it may")
        }
        (_, Thinking::ProviderDefault) => {
            format!("{provider} does not let {model} be told how much to think: it is asked without")
        }
        (_, Thinking::Low | Thinking::Medium | Thinking::High) => {
            format!("{model} always thinks: it is told to think little")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_wish_that_does_not_come_true() {
        use Thinking::{High, Low, Off, ProviderDefault};
        let who = Identity {
            provider: "local".to_owned(),
            model: "m".to_owned(),
            context_tokens: 1,
        };
        let check = |wanted: Thinking, granted: Thinking, expect: Option<&str>| {
            let told = otherwise(&who, wanted, granted);
            assert_eq!(told.as_deref(), expect, "{wanted:?} {granted:?}");
        };
        check(ProviderDefault, ProviderDefault, None);
        check(Off, Off, None);
        check(High, High, None);
        check(High, Off, Some("m cannot think: it is asked without"));
        check(Off, Low, Some("m always thinks: it is told to think little"));
        check(
            Off,
            ProviderDefault,
            Some("local does not let m be told not to think: it may"),
        );
        check(
            High,
            ProviderDefault,
            Some("local does not let m be told how much to think: it is asked without"),
        );
    }

    #[test]
    fn a_workflow_hears_it_once() {
        let said = Said::default();
        let (a, b) = (WorkflowId::new("a"), WorkflowId::new("b"));
        assert!(said.is_news(&a, "x"));
        assert!(!said.is_news(&a, "x"));
        assert!(said.is_news(&b, "x"));
        assert!(said.is_news(&a, "y"));
        for number in 0..TOLD_MAX {
            said.is_news(&b, &number.to_string());
        }
        assert!(said.is_news(&a, "x"), "long ago");
    }
}

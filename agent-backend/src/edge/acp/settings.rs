//! What is chosen in a session: which definition prompts begin, and who answers
//! the review. Kept with the session, and the same for all who follow it.

use agent_client_protocol::v1::schema::{
    ConfigOptionUpdate, CurrentModeUpdate, SessionConfigOption, SessionConfigOptionCategory,
    SessionConfigOptionValue, SessionConfigSelectOption, SessionMode, SessionModeState, SessionUpdate,
};
use serde::{Deserialize, Serialize};
use shared::error::Code;

use crate::error::Error;

/// Definition that prompts begin where nothing else was chosen.
const MODE: &str = "feature_implementation";

/// Ids of the options.
const MODE_ID: &str = "mode";
const REVIEW_ID: &str = "review";

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Name of the definition that prompts begin.
    pub(super) mode: String,
    /// Who answers the review.
    pub(super) review: Review,
}

/// Who answers the review of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Review {
    /// The person, each time.
    #[default]
    Ask,
    /// Nobody: it is accepted.
    Accept,
    /// Nobody: it is rejected.
    Reject,
}

impl Review {
    const ALL: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::Ask, "ask", "Ask", "You are asked about each proposal"),
        (
            Self::Accept,
            "accept",
            "Accept",
            "Every proposal is applied and committed without asking",
        ),
        (
            Self::Reject,
            "reject",
            "Reject",
            "Every proposal is dropped without asking: a dry run",
        ),
    ];

    fn id(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: MODE.to_owned(),
            review: Review::Ask,
        }
    }
}

impl Settings {
    /// As they were kept. What cannot be read is as if nothing had been chosen.
    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As they are kept.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same with another mode, which must be the name of a definition.
    pub(super) fn with_mode(&self, mode: &str, known: &[String]) -> Result<Self, Error> {
        if !known.iter().any(|name| name == mode) {
            return Err(refuse(&format!(
                "there is no mode `{mode}`; there is: {}",
                known.join(", ")
            )));
        }
        Ok(Self {
            mode: mode.to_owned(),
            ..self.clone()
        })
    }

    /// The same with an option set.
    pub(super) fn with(
        &self,
        option: &str,
        value: &SessionConfigOptionValue,
        known: &[String],
    ) -> Result<Self, Error> {
        let Some(value) = value.as_value_id() else {
            return Err(refuse(&format!("`{option}` takes the id of a value")));
        };
        match option {
            MODE_ID => self.with_mode(&value.0, known),
            REVIEW_ID => {
                let chosen = Review::ALL.iter().find(|(_, id, ..)| *id == &*value.0);
                let (review, ..) = chosen.ok_or_else(|| refuse("`review` is ask, accept or reject"))?;
                Ok(Self {
                    review: *review,
                    ..self.clone()
                })
            }
            _ => Err(refuse(&format!("there is no option `{option}`"))),
        }
    }

    /// As options.
    pub(super) fn options(&self, known: &[String]) -> Vec<SessionConfigOption> {
        let modes: Vec<SessionConfigSelectOption> = known
            .iter()
            .map(|name| SessionConfigSelectOption::new(name.clone(), readable(name)))
            .collect();
        let reviews: Vec<SessionConfigSelectOption> = Review::ALL
            .iter()
            .map(|(_, id, name, what)| {
                SessionConfigSelectOption::new(*id, *name).description((*what).to_owned())
            })
            .collect();
        vec![
            SessionConfigOption::select(MODE_ID, "Workflow", self.mode.clone(), modes)
                .description("The workflow that a prompt begins".to_owned())
                .category(SessionConfigOptionCategory::Mode),
            SessionConfigOption::select(REVIEW_ID, "Review", self.review.id(), reviews)
                .description("Who answers the review of a proposal".to_owned())
                .category(SessionConfigOptionCategory::Other("_review".to_owned())),
        ]
    }

    /// As modes, for clients that know no options.
    pub(super) fn modes(&self, known: &[String]) -> SessionModeState {
        let modes = known
            .iter()
            .map(|name| SessionMode::new(name.clone(), readable(name)));
        SessionModeState::new(self.mode.clone(), modes.collect())
    }

    /// What all are told when they have changed.
    pub(super) fn updates(&self, known: &[String]) -> [SessionUpdate; 2] {
        [
            SessionUpdate::ConfigOptionUpdate(ConfigOptionUpdate::new(self.options(known))),
            SessionUpdate::CurrentModeUpdate(CurrentModeUpdate::new(self.mode.clone())),
        ]
    }
}

fn refuse(message: &str) -> Error {
    Error::user(Code::InvalidRequest, message)
}

/// The name of a definition as a person reads it.
fn readable(name: &str) -> String {
    let words = name.replace(['_', '-', '.'], " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_what_cannot_be_read_is_nothing() {
        let check = |text: &str, mode: &str, review: Review| {
            let expect = Settings {
                mode: mode.to_owned(),
                review,
            };
            assert_eq!(Settings::read(text), expect, "{text:?}");
            assert_eq!(Settings::read(&expect.text()), expect);
        };
        check("", "feature_implementation", Review::Ask);
        check("{}", "feature_implementation", Review::Ask);
        check(r#"{"mode":"fix","later":1}"#, "fix", Review::Ask);
        check(r#"{"review":"accept"}"#, "feature_implementation", Review::Accept);
        check(r#"{"review":"perhaps"}"#, "feature_implementation", Review::Ask);
    }

    #[test]
    fn only_what_there_is_can_be_chosen() {
        let known = ["a".to_owned(), "plan_first".to_owned()];
        let check = |option: &str, value: SessionConfigOptionValue, expect: Option<(&str, Review)>| {
            let got = Settings::default().with(option, &value, &known).ok();
            let got = got
                .as_ref()
                .map(|settings| (settings.mode.as_str(), settings.review));
            assert_eq!(got, expect, "{option} {value:?}");
        };
        let id = |text: &'static str| SessionConfigOptionValue::value_id(text);
        check("mode", id("plan_first"), Some(("plan_first", Review::Ask)));
        check(
            "review",
            id("reject"),
            Some(("feature_implementation", Review::Reject)),
        );
        check("mode", id("none"), None);
        check("review", id("none"), None);
        check("model", id("a"), None);
        check("mode", SessionConfigOptionValue::boolean(true), None);
        assert_eq!(readable("plan_first"), "Plan first");
    }
}

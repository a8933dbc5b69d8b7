//! What is chosen in a session: which definition prompts begin, which model is
//! asked and how much it thinks, whether code is searched for, in which further
//! folders, and who answers the review. Kept with the session, and the same for all
//! who follow it.

mod options;

use agent_client_protocol::v1::schema::{
    ConfigOptionUpdate, CurrentModeUpdate, SessionConfigOptionValue, SessionMode, SessionModeState,
    SessionUpdate,
};
use engine::artifact::{Choices, Search};
use options::readable;
use serde::{Deserialize, Serialize};
use shared::{error::Code, wire::ThoughtLevel};

use crate::{
    edge::convert,
    error::Error,
    providers,
    runtime::{
        Runtime,
        choices::{self, CONFIGURED},
    },
};

/// Definition that prompts begin where nothing else was chosen.
const MODE: &str = "feature_implementation";

/// Ids of the options.
const MODE_ID: &str = "mode";
const MODEL_ID: &str = "model";
const THOUGHT_LEVEL_ID: &str = "thought_level";
const RETRIEVAL_ID: &str = "retrieval";
const REVIEW_ID: &str = "review";

/// Values of `retrieval` where it is no boolean.
const ON: &str = "on";
const OFF: &str = "off";

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    /// Name of the definition that prompts begin.
    pub(super) mode: String,
    /// Who answers the review.
    pub(super) review: Review,
    /// The model that is asked for everything; those of the roles if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// How much the models think.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) thought_level: ThoughtLevel,
    /// Whether code is searched for.
    pub(super) retrieval: Retrieval,
    /// Absolute paths of further folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) folders: Vec<String>,
    /// Where it is listed.
    #[serde(skip_serializing_if = "Shelf::is_desk")]
    pub(super) shelf: Shelf,
}

/// What can be chosen of thinking, by its names and what it is.
const THOUGHT_LEVELS: [(ThoughtLevel, &str, &str); 5] = [
    (
        ThoughtLevel::Default,
        "As configured",
        "As much as each model is configured to",
    ),
    (ThoughtLevel::Off, "Off", "Models answer at once"),
    (ThoughtLevel::Low, "Low", "Models think little"),
    (
        ThoughtLevel::Medium,
        "Medium",
        "Models think as much as most requests need",
    ),
    (
        ThoughtLevel::High,
        "High",
        "Models think much, which takes time and tokens",
    ),
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_default(level: &ThoughtLevel) -> bool {
    *level == ThoughtLevel::Default
}

/// Where a session is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shelf {
    /// With those that are worked on.
    #[default]
    Desk,
    /// With those that were put away.
    Archive,
}

impl Shelf {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    fn is_desk(&self) -> bool {
        *self == Self::Desk
    }
}

/// Whether code is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Retrieval {
    /// In each workflow that searches.
    #[default]
    On,
    /// Never.
    Off,
}

/// What can be chosen.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    workflows: Vec<String>,
    models: Vec<Model>,
}

/// A model that can be chosen.
#[derive(Debug, Clone)]
struct Model {
    id: String,
    name: String,
    about: String,
}

impl Offer {
    /// What this backend has.
    pub(super) fn of(runtime: &Runtime) -> Self {
        let models = runtime.services().models.used().into_iter().map(|link| {
            let who = link.identity();
            Model {
                id: providers::qualified(who),
                name: who.model.clone(),
                about: format!(
                    "{}, {}, {} tokens",
                    who.provider,
                    link.provider().locality(),
                    who.context_tokens
                ),
            }
        });
        Self {
            workflows: runtime.workflow_types(),
            models: models.collect(),
        }
    }
}

/// How a client shows what is either on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Switches {
    /// As a choice of two.
    #[default]
    Select,
    /// As a switch.
    Boolean,
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
            model: None,
            thought_level: ThoughtLevel::Default,
            retrieval: Retrieval::On,
            folders: Vec::new(),
            shelf: Shelf::Desk,
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

    /// What a workflow is begun with. A model that is configured no more is
    /// refused, because another one would answer in its place.
    pub(super) fn choices(&self, offer: &Offer) -> Result<Choices, Error> {
        if let Some(chosen) = &self.model {
            is_known(chosen, offer)?;
        }
        Ok(Choices {
            model: self.model.clone(),
            thought_level: convert::thought_level(self.thought_level),
            search: match self.retrieval {
                Retrieval::On => Search::On,
                Retrieval::Off => Search::Off,
            },
            folders: self.folders.clone(),
            undoes: None,
        })
    }

    /// The same with another mode, which must be the name of a definition.
    pub(super) fn with_mode(&self, mode: &str, offer: &Offer) -> Result<Self, Error> {
        if !offer.workflows.iter().any(|name| name == mode) {
            return Err(refuse(&format!(
                "there is no mode `{mode}`; there is: {}",
                offer.workflows.join(", ")
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
        offer: &Offer,
    ) -> Result<Self, Error> {
        let id = || match value.as_value_id() {
            Some(id) => Ok(&*id.0),
            None => Err(refuse(&format!("`{option}` takes the id of a value"))),
        };
        match option {
            MODE_ID => self.with_mode(id()?, offer),
            MODEL_ID => Ok(Self {
                model: match id()? {
                    CONFIGURED => None,
                    chosen => {
                        is_known(chosen, offer)?;
                        Some(chosen.to_owned())
                    }
                },
                ..self.clone()
            }),
            THOUGHT_LEVEL_ID => {
                let id = id()?;
                let chosen = THOUGHT_LEVELS.iter().find(|(level, ..)| level.as_str() == id);
                let (level, ..) =
                    chosen.ok_or_else(|| refuse("`thought_level` is default, off, low, medium or high"))?;
                Ok(Self {
                    thought_level: *level,
                    ..self.clone()
                })
            }
            RETRIEVAL_ID => Ok(Self {
                retrieval: match (value.as_bool(), value.as_value_id().map(|id| &*id.0)) {
                    (Some(true), _) | (_, Some(ON)) => Retrieval::On,
                    (Some(false), _) | (_, Some(OFF)) => Retrieval::Off,
                    _ => return Err(refuse("`retrieval` is true or false, or on or off")),
                },
                ..self.clone()
            }),
            REVIEW_ID => {
                let id = id()?;
                let chosen = Review::ALL.iter().find(|(_, known, ..)| *known == id);
                let (review, ..) = chosen.ok_or_else(|| refuse("`review` is ask, accept or reject"))?;
                Ok(Self {
                    review: *review,
                    ..self.clone()
                })
            }
            _ => Err(refuse(&format!("there is no option `{option}`"))),
        }
    }

    /// As modes, for clients that know no options.
    pub(super) fn modes(&self, offer: &Offer) -> SessionModeState {
        let modes = offer
            .workflows
            .iter()
            .map(|name| SessionMode::new(name.clone(), readable(name)));
        SessionModeState::new(self.mode.clone(), modes.collect())
    }

    /// What a client is told when they have changed.
    pub(super) fn updates(&self, offer: &Offer, switches: Switches) -> [SessionUpdate; 2] {
        [
            SessionUpdate::ConfigOptionUpdate(ConfigOptionUpdate::new(self.options(offer, switches))),
            SessionUpdate::CurrentModeUpdate(CurrentModeUpdate::new(self.mode.clone())),
        ]
    }
}

/// A model that is there, by its id.
fn is_known(id: &str, offer: &Offer) -> Result<(), Error> {
    let known: Vec<&str> = offer.models.iter().map(|model| model.id.as_str()).collect();
    choices::is_known(id, &known)
}

fn refuse(message: &str) -> Error {
    Error::user(Code::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_what_cannot_be_read_is_nothing() {
        let check = |text: &str, expect: Settings| {
            assert_eq!(Settings::read(text), expect, "{text:?}");
            assert_eq!(Settings::read(&expect.text()), expect);
        };
        let default = Settings::default;
        let fix = || "fix".to_owned();
        check("", default());
        check("{}", default());
        check(
            r#"{"mode":"fix","later":1}"#,
            Settings {
                mode: fix(),
                ..default()
            },
        );
        check(
            r#"{"review":"accept"}"#,
            Settings {
                review: Review::Accept,
                ..default()
            },
        );
        check(r#"{"review":"perhaps"}"#, default());
        check(
            r#"{"mode":"fix","review":"ask","model":"a/b","thought_level":"low","retrieval":"off","folders":["/x"]}"#,
            Settings {
                mode: fix(),
                review: Review::Ask,
                model: Some("a/b".to_owned()),
                thought_level: ThoughtLevel::Low,
                retrieval: Retrieval::Off,
                folders: vec!["/x".to_owned()],
                shelf: Shelf::Desk,
            },
        );
        check(
            r#"{"shelf":"archive"}"#,
            Settings {
                shelf: Shelf::Archive,
                ..default()
            },
        );
    }

    fn offer() -> Offer {
        let model = |id: &str| Model {
            id: id.to_owned(),
            name: id.to_owned(),
            about: String::new(),
        };
        Offer {
            workflows: vec!["a".to_owned(), "plan_first".to_owned()],
            models: vec![model("ollama/m:7b"), model("groq/m")],
        }
    }

    #[test]
    fn only_what_there_is_can_be_chosen() {
        let check = |option: &str, value: SessionConfigOptionValue, expect: Option<&str>| {
            let got = Settings::default().with(option, &value, &offer()).ok();
            let got = got.map(|settings| settings.text());
            let expect = expect.map(|changed| Settings::read(changed).text());
            assert_eq!(got, expect, "{option} {value:?}");
        };
        let id = |text: &'static str| SessionConfigOptionValue::value_id(text);
        let switch = SessionConfigOptionValue::boolean;
        check("mode", id("plan_first"), Some(r#"{"mode":"plan_first"}"#));
        check("mode", id("none"), None);
        check("mode", switch(true), None);
        check("review", id("reject"), Some(r#"{"review":"reject"}"#));
        check("review", id("none"), None);
        check("model", id("groq/m"), Some(r#"{"model":"groq/m"}"#));
        check("model", id("configured"), Some("{}"));
        check("model", id("m"), None);
        check("model", switch(true), None);
        check("retrieval", switch(false), Some(r#"{"retrieval":"off"}"#));
        check("retrieval", switch(true), Some("{}"));
        check("retrieval", id("off"), Some(r#"{"retrieval":"off"}"#));
        check("retrieval", id("on"), Some("{}"));
        check("retrieval", id("perhaps"), None);
        check("thought_level", id("high"), Some(r#"{"thought_level":"high"}"#));
        check("thought_level", id("default"), Some("{}"));
        check("thought_level", id("much"), None);
        check("thought_level", switch(true), None);
        check("none", id("high"), None);
        assert_eq!(readable("plan_first"), "Plan first");
    }

    #[test]
    fn a_workflow_gets_what_was_chosen_and_never_another_model() {
        let check = |text: &str, expect: Option<Choices>| {
            assert_eq!(Settings::read(text).choices(&offer()).ok(), expect, "{text}");
        };
        check("{}", Some(Choices::default()));
        check(
            r#"{"model":"groq/m","thought_level":"off","retrieval":"off","folders":["/x"]}"#,
            Some(Choices {
                model: Some("groq/m".to_owned()),
                thought_level: engine::artifact::ThoughtLevel::Off,
                search: Search::Off,
                folders: vec!["/x".to_owned()],
                undoes: None,
            }),
        );
        check(r#"{"model":"gone/m"}"#, None);
    }

    #[test]
    fn the_current_value_is_always_among_those_that_are_shown() {
        let check = |text: &str, expect: &[&str]| {
            let options = Settings::read(text).options(&offer(), Switches::Boolean);
            let option = serde_json::to_value(&options[1]).unwrap();
            let values = option["options"].as_array().unwrap().iter();
            let values: Vec<&str> = values.map(|value| value["value"].as_str().unwrap()).collect();
            assert_eq!(values, expect, "{text}");
            assert!(values.contains(&option["currentValue"].as_str().unwrap()));
        };
        check("{}", &["configured", "ollama/m:7b", "groq/m"]);
        check(
            r#"{"model":"gone/m"}"#,
            &["configured", "ollama/m:7b", "groq/m", "gone/m"],
        );
    }
}

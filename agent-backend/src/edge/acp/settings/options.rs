//! Settings as a client shows them: each an option, with what could be chosen.

use agent_client_protocol::v1::schema::{
    SessionConfigOption, SessionConfigOptionCategory, SessionConfigSelectOption,
};

use super::{
    CONFIGURED, MODE_ID, MODEL_ID, OFF, ON, Offer, RETRIEVAL_ID, REVIEW_ID, Retrieval, Review, Settings,
    Switches, THOUGHT_LEVEL_ID, THOUGHT_LEVELS,
};

impl Settings {
    /// As options.
    pub(in crate::edge::acp) fn options(
        &self,
        offer: &Offer,
        switches: Switches,
    ) -> Vec<SessionConfigOption> {
        vec![
            self.mode_option(offer),
            self.model_option(offer),
            self.thought_level_option(),
            self.retrieval_option(switches),
            self.review_option(),
        ]
    }

    fn mode_option(&self, offer: &Offer) -> SessionConfigOption {
        let modes: Vec<SessionConfigSelectOption> = offer
            .workflows
            .iter()
            .map(|name| SessionConfigSelectOption::new(name.clone(), readable(name)))
            .collect();
        SessionConfigOption::select(MODE_ID, "Workflow", self.mode.clone(), modes)
            .description("The workflow that a prompt begins".to_owned())
            .category(SessionConfigOptionCategory::Mode)
    }

    fn model_option(&self, offer: &Offer) -> SessionConfigOption {
        let configured = SessionConfigSelectOption::new(CONFIGURED, "As configured")
            .description("Each role asks its own models, and others where they fail".to_owned());
        let mut models = vec![configured];
        models.extend(offer.models.iter().map(|model| {
            SessionConfigSelectOption::new(model.id.clone(), model.name.clone())
                .description(model.about.clone())
        }));
        let current = self.model.as_deref().unwrap_or(CONFIGURED);
        // What is shown must be among what is offered.
        if !models.iter().any(|model| &*model.value.0 == current) {
            models.push(
                SessionConfigSelectOption::new(current.to_owned(), current.to_owned())
                    .description("Configured no more: choose another one".to_owned()),
            );
        }
        SessionConfigOption::select(MODEL_ID, "Model", current.to_owned(), models)
            .description("The model that is asked for everything".to_owned())
            .category(SessionConfigOptionCategory::Model)
    }

    fn thought_level_option(&self) -> SessionConfigOption {
        let levels: Vec<SessionConfigSelectOption> = THOUGHT_LEVELS
            .iter()
            .map(|(level, name, what)| {
                SessionConfigSelectOption::new(level.as_str(), *name).description((*what).to_owned())
            })
            .collect();
        let current = self.thought_level.as_str();
        SessionConfigOption::select(THOUGHT_LEVEL_ID, "Thinking", current, levels)
            .description("How much the models think before they answer, where they can".to_owned())
            .category(SessionConfigOptionCategory::ThoughtLevel)
    }

    fn retrieval_option(&self, switches: Switches) -> SessionConfigOption {
        let is_on = match self.retrieval {
            Retrieval::On => true,
            Retrieval::Off => false,
        };
        let option = match switches {
            Switches::Boolean => SessionConfigOption::boolean(RETRIEVAL_ID, "Search code", is_on),
            Switches::Select => {
                let current = if is_on { ON } else { OFF };
                let values = vec![
                    SessionConfigSelectOption::new(ON, "On"),
                    SessionConfigSelectOption::new(OFF, "Off"),
                ];
                SessionConfigOption::select(RETRIEVAL_ID, "Search code", current, values)
            }
        };
        option
            .description("Whether the models are shown code that is searched for".to_owned())
            .category(SessionConfigOptionCategory::Other("_retrieval".to_owned()))
    }

    fn review_option(&self) -> SessionConfigOption {
        let reviews: Vec<SessionConfigSelectOption> = Review::ALL
            .iter()
            .map(|(_, id, name, what)| {
                SessionConfigSelectOption::new(*id, *name).description((*what).to_owned())
            })
            .collect();
        SessionConfigOption::select(REVIEW_ID, "Review", self.review.id(), reviews)
            .description("Who answers the review of a proposal".to_owned())
            .category(SessionConfigOptionCategory::Other("_review".to_owned()))
    }
}

/// The name of a definition as a person reads it.
pub(super) fn readable(name: &str) -> String {
    let words = name.replace(['_', '-', '.'], " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

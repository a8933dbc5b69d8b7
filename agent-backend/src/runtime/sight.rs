//! Whether the models of a workflow see the pictures of its request. Asked before a request
//! is taken: whoever sends a picture means it to be seen.

use std::time::Duration;

use futures::future::join_all;
use shared::error::Code;

use super::Runtime;
use crate::{
    error::Error,
    providers::{self, Models, Sight},
};

/// The role whose models must see: what a picture shows is to be built.
const ROLE: &str = "code";

/// Longest wait for a server's word where a person waits for the answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Models that are named where another one is to be chosen.
const NAMED_MAX: usize = 8;

impl Runtime {
    /// Whether the model that writes code sees pictures, or another one of its chain:
    /// the one that was chosen, else those that are configured. What is not known within
    /// this time is taken for a no.
    pub async fn sees_images(&self, model: Option<&str>, limit: Duration) -> bool {
        let models = &self.services().models;
        let sight = match model.map(|model| models.with_model(model)) {
            Some(Ok(chosen)) => chosen.sight_of(ROLE, limit).await,
            Some(Err(_)) => Sight::Unknown,
            None => models.sight_of(ROLE, limit).await,
        };
        sight == Sight::Sees
    }

    /// Refuses pictures for models of which none sees them. What is not known is found
    /// out when they are asked.
    ///
    /// # Errors
    /// E1420.
    pub(crate) async fn check_sight(&self, model: Option<&str>) -> Result<(), Error> {
        let models = &self.services().models;
        let chosen = match model {
            Some(model) => &models.with_model(model)?,
            None => models,
        };
        match chosen.sight_of(ROLE, LIMIT).await {
            Sight::Sees | Sight::Unknown => Ok(()),
            Sight::Blind => Err(unseen(chosen, models).await),
        }
    }
}

async fn unseen(chosen: &Models, all: &Models) -> Error {
    let links = chosen.chain(ROLE).links().iter();
    let blind: Vec<String> = links.map(|link| providers::qualified(link.identity())).collect();
    let used = all.used();
    let sights = join_all(used.iter().map(|link| all.sight(link, LIMIT))).await;
    let seeing = used.iter().zip(sights).filter(|(_, sight)| *sight == Sight::Sees);
    let seeing: Vec<String> = seeing
        .map(|(link, _)| providers::qualified(link.identity()))
        .take(NAMED_MAX)
        .collect();
    let advice = if seeing.is_empty() {
        "configure a model that does, or say in words what they show".to_owned()
    } else {
        format!(
            "choose a model that does ({}), or say in words what they show",
            seeing.join(", ")
        )
    };
    let message = format!(
        "the request has images, which {} does not see: {advice}",
        blind.join(" and ")
    );
    Error::user(Code::ImageUnseen, message)
}

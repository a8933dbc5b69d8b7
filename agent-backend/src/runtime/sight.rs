//! Whether the models of a workflow see the pictures of its request. Asked before a request
//! is taken, and again before its code is asked for: whoever sends a picture means it to be
//! seen, and not to be sent farther away than they have their models.

use std::time::Duration;

use futures::future::join_all;
use models::{Locality, routing::Link};
use shared::error::Code;

use super::Runtime;
use crate::{
    error::Error,
    providers::{Models, Sight, qualified},
};

/// The role whose models must see: what a picture shows is to be built.
pub(super) const ROLE: &str = "code";

/// Longest wait for a server's word on whether its model sees.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Models that are named where another one is to be chosen.
const NAMED_MAX: usize = 8;

impl Runtime {
    /// Whether the model that writes code sees pictures, or another one of its chain that
    /// runs no farther away: the one that was chosen, else those that are configured. What is
    /// not known within this time is taken for a no.
    pub async fn sees_images(&self, model: Option<&str>, limit: Duration) -> bool {
        let models = &self.services().models;
        let reach = match model.map(|model| models.with_model(model)) {
            Some(Ok(chosen)) => chosen.reach(ROLE, limit).await,
            Some(Err(_)) => return false,
            None => models.reach(ROLE, limit).await,
        };
        reach.sight == Sight::Sees
    }

    /// Refuses pictures for models of which none sees them that is near enough. What is not
    /// known is found out when they are asked.
    ///
    /// # Errors
    /// E1420.
    pub(crate) async fn check_sight(&self, model: Option<&str>) -> Result<(), Error> {
        let models = &self.services().models;
        match model {
            Some(model) => check(&models.with_model(model)?, models).await,
            None => check(models, models).await,
        }
    }
}

/// Refuses pictures for these models, and names those of `all` that see.
///
/// # Errors
/// E1420.
pub(super) async fn check(models: &Models, all: &Models) -> Result<(), Error> {
    let reach = models.reach(ROLE, LIMIT).await;
    match reach.sight {
        Sight::Sees | Sight::Unknown => return Ok(()),
        Sight::Blind => {}
    }
    let links = models.chain(ROLE).links();
    let used = all.used();
    let sights = join_all(used.iter().map(|link| all.sight(link, LIMIT))).await;
    let seeing = used.iter().zip(sights).filter(|(_, sight)| *sight == Sight::Sees);
    let unseen = Unseen {
        blind: reach.blind.iter().map(|at| Named::of(&links[*at])).collect(),
        seeing: seeing.map(|(link, _)| Named::of(link)).take(NAMED_MAX).collect(),
        is_any_beyond: !reach.beyond.is_empty(),
    };
    Err(Error::user(Code::ImageUnseen, unseen.message()))
}

/// Nobody sees the pictures of a request who is near enough.
struct Unseen {
    /// Who does not see.
    blind: Vec<Named>,
    /// Who does, and may be chosen.
    seeing: Vec<Named>,
    /// Whether one of them is of the same chain, and farther away.
    is_any_beyond: bool,
}

struct Named {
    model: String,
    locality: Locality,
}

impl Named {
    fn of(link: &Link) -> Self {
        Self {
            model: qualified(link.identity()),
            locality: link.provider().locality(),
        }
    }
}

impl Unseen {
    /// What is wrong, and what to do.
    fn message(&self) -> String {
        let blind: Vec<&str> = self.blind.iter().map(|named| named.model.as_str()).collect();
        let blind = blind.join(" and ");
        let seeing = self.seeing.iter();
        let seeing = seeing.map(|named| format!("{}, which runs {}", named.model, named.locality));
        let seeing = seeing.collect::<Vec<_>>().join("; ");
        let advice = if seeing.is_empty() {
            ": configure a model that does".to_owned()
        } else if self.is_any_beyond {
            format!(
                ", and an image alone sends no code farther away than that: choose a model that sees for this \
                 request, with the option `model` ({seeing})"
            )
        } else {
            format!(": choose a model that does, with the option `model` ({seeing})")
        };
        format!("the request has images, which {blind} does not see{advice}, or say in words what they show")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_refused_is_told_what_to_do() {
        let check = |blind: &[&str], seeing: &[(&str, Locality)], is_any_beyond: bool, expect: &str| {
            let named = |(model, locality): &(&str, Locality)| Named {
                model: (*model).to_owned(),
                locality: *locality,
            };
            let blind = blind.iter().map(|model| named(&(*model, Locality::Machine)));
            let unseen = Unseen {
                blind: blind.collect(),
                seeing: seeing.iter().map(named).collect(),
                is_any_beyond,
            };
            assert_eq!(unseen.message(), expect);
        };
        check(
            &["ollama/m"],
            &[],
            false,
            "the request has images, which ollama/m does not see: configure a model that does, or say in words what \
             they show",
        );
        check(
            &["ollama/m", "other/n"],
            &[("box/s", Locality::Machine)],
            false,
            "the request has images, which ollama/m and other/n does not see: choose a model that does, with the \
             option `model` (box/s, which runs on this machine), or say in words what they show",
        );
        check(
            &["ollama/m"],
            &[("box/s", Locality::Network), ("far/s", Locality::Elsewhere)],
            true,
            "the request has images, which ollama/m does not see, and an image alone sends no code farther away than \
             that: choose a model that sees for this request, with the option `model` (box/s, which runs on your \
             network; far/s, which runs elsewhere), or say in words what they show",
        );
    }
}

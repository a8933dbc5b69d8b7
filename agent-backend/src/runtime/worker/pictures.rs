//! The pictures of a request on their way to a model: which of them it gets, and what a
//! person is told of the others. A picture is never left out without a word, and sends nothing
//! farther away than the work would go without it.

use std::sync::Arc;

use agents::{budget::IMAGE_TOKENS, prompt::Images};
use engine::{State, event::NoticeLevel};
use models::{
    ChatRequest, Image, Role,
    routing::{Chain, Link, Run},
};
use shared::error::Code;

use super::Desk;
use crate::{
    error::Error,
    images,
    providers::{Sight, qualified},
    runtime::{
        services::Services,
        sight::{self, LIMIT},
    },
};

/// What pictures may take of a prompt, in percent: the rest is for code.
const ROOM_PERCENT: u64 = 50;

/// The pictures of a request.
pub(super) struct Pictures {
    all: Vec<Picture>,
}

struct Picture {
    /// For a person.
    name: String,
    image: Image,
}

/// What of them a model gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    images: Vec<Image>,
    hidden: usize,
    /// What a person is to know of those that it does not get.
    told: Option<String>,
    /// What a person is to know of where the others go.
    goes: Option<String>,
}

impl Pictures {
    /// Those of the workflow's request, from the journal.
    pub async fn of(services: &Services, state: &State) -> Result<Self, Error> {
        let mut all = Vec::new();
        for (number, image) in (1..).zip(&state.task.images) {
            let bytes = super::blob(services, image.blob).await?;
            all.push(Picture {
                name: images::named(number, image).to_string(),
                image: Image {
                    media_type: image.format.media_type().to_owned(),
                    bytes: bytes.into(),
                },
            });
        }
        Ok(Self { all })
    }

    /// A question's way along the chain of a role: where there are pictures, by those first
    /// who see them and are near enough. `model` has begun the answer.
    pub async fn run(
        &self,
        services: &Services,
        state: &State,
        desk: &Desk,
        role: &str,
        model: Option<&str>,
    ) -> Run {
        let chain = services.models.chain(role);
        if self.all.is_empty() {
            return chain.run(model);
        }
        let reach = services.models.reach(role, LIMIT).await;
        if let Some(at) = reach.first.first().filter(|at| **at > 0) {
            let why = if reach.blind.contains(&0) {
                "which does not see the images of the request"
            } else {
                "whose server does not say whether it sees the images of the request"
            };
            let [other, first] = [&chain.links()[*at], chain.first()].map(|link| qualified(link.identity()));
            let message = format!("{other} is asked before {first}, {why}");
            tell(services, state, desk, NoticeLevel::Info, message).await;
        }
        chain.run_preferring(model, &reach.first)
    }

    /// Refuses to have code written where nobody sees them who is near enough: what was not
    /// known when the request was taken may be known by now, and be otherwise after a restart.
    ///
    /// # Errors
    /// E1420.
    pub async fn check(&self, services: &Services, role: &str) -> Result<(), Error> {
        if self.all.is_empty() || role != sight::ROLE {
            return Ok(());
        }
        sight::check(&services.models, &services.models).await
    }

    /// What of them the model of a link of a chain gets, in a prompt of so many tokens.
    pub async fn shown(
        &self,
        services: &Services,
        chain: &Chain,
        link: &Arc<Link>,
        room_tokens: u64,
    ) -> Shown {
        if self.all.is_empty() {
            return self.fit(Sight::Sees, "", 0);
        }
        let sight = services.models.sight(link, LIMIT).await;
        let who = link.identity();
        let shown = self.fit(sight, &who.model, room_tokens);
        let locality = link.provider().locality();
        let is_farther = locality > chain.first().provider().locality();
        let goes = (is_farther && !shown.images.is_empty()).then(|| {
            format!(
                "{}, which runs {locality}, is asked in place of {} and shown the images of the request",
                qualified(who),
                qualified(chain.first().identity())
            )
        });
        Shown { goes, ..shown }
    }

    fn fit(&self, sight: Sight, model: &str, room_tokens: u64) -> Shown {
        let room = usize::try_from(room_tokens * ROOM_PERCENT / 100 / IMAGE_TOKENS).unwrap_or(usize::MAX);
        let count = match sight {
            Sight::Sees => room.min(self.all.len()),
            Sight::Blind | Sight::Unknown => 0,
        };
        let (shown, hidden) = self.all.split_at(count);
        let names: Vec<&str> = hidden.iter().map(|picture| picture.name.as_str()).collect();
        let names = names.join(", ");
        let told = match sight {
            _ if hidden.is_empty() => None,
            Sight::Sees => Some(format!(
                "{model} is not shown {names}: the context window is full"
            )),
            Sight::Blind => Some(format!("{model} is not shown {names}: it does not see images")),
            Sight::Unknown => Some(format!(
                "{model} is not shown {names}: its server does not say whether it sees images"
            )),
        };
        Shown {
            images: shown.iter().map(|picture| picture.image.clone()).collect(),
            hidden: hidden.len(),
            told,
            goes: None,
        }
    }
}

impl Shown {
    /// How many there are, for the prompt.
    pub fn counts(&self) -> Images {
        Images {
            shown: self.images.len(),
            hidden: self.hidden,
        }
    }

    /// Tokens that they take of the prompt.
    pub fn tokens(&self) -> u64 {
        IMAGE_TOKENS * self.images.len() as u64
    }

    /// Puts them on what the person says.
    pub fn attach(&self, request: &mut ChatRequest) {
        let said = request.messages.iter_mut().rev();
        if let Some(last) = said.into_iter().find(|message| message.role == Role::User) {
            last.images.clone_from(&self.images);
        }
    }

    /// Tells the workflow, once, what the model does not see, and that what it sees goes
    /// farther away than to the first one of its chain.
    pub async fn tell(&self, services: &Services, state: &State, desk: &Desk) {
        if let Some(message) = &self.told {
            tell(services, state, desk, NoticeLevel::Warning, message.clone()).await;
        }
        if let Some(message) = &self.goes {
            tell(services, state, desk, NoticeLevel::Info, message.clone()).await;
        }
    }
}

async fn tell(services: &Services, state: &State, desk: &Desk, level: NoticeLevel, message: String) {
    if services.said.is_news(&state.workflow, &message) {
        desk.notify(level, Some(Code::ImageUnseen), message).await;
    }
}

#[cfg(test)]
mod tests {
    use models::Message;

    use super::*;

    fn image(number: u8) -> Image {
        Image {
            media_type: "image/png".to_owned(),
            bytes: vec![number].into(),
        }
    }

    fn pictures(count: u8) -> Pictures {
        let picture = |number| Picture {
            name: format!("image {number}"),
            image: image(number),
        };
        Pictures {
            all: (1..=count).map(picture).collect(),
        }
    }

    #[test]
    fn what_a_model_is_not_shown_is_said() {
        let check = |sight: Sight, room_tokens: u64, shown: u8, told: Option<&str>| {
            let expect = Shown {
                images: (1..=shown).map(image).collect(),
                hidden: usize::from(2 - shown),
                told: told.map(str::to_owned),
                goes: None,
            };
            assert_eq!(pictures(2).fit(sight, "m", room_tokens), expect);
        };
        check(Sight::Sees, 8_000, 2, None);
        check(Sight::Sees, 6_400, 2, None);
        check(
            Sight::Sees,
            6_399,
            1,
            Some("m is not shown image 2: the context window is full"),
        );
        check(
            Sight::Sees,
            0,
            0,
            Some("m is not shown image 1, image 2: the context window is full"),
        );
        check(
            Sight::Blind,
            8_000,
            0,
            Some("m is not shown image 1, image 2: it does not see images"),
        );
        check(
            Sight::Unknown,
            8_000,
            0,
            Some("m is not shown image 1, image 2: its server does not say whether it sees images"),
        );
        assert_eq!(pictures(0).fit(Sight::Blind, "m", 0).told, None);
    }

    #[test]
    fn they_belong_to_what_the_person_says() {
        let mut request = ChatRequest {
            messages: vec![Message::user("q"), Message::assistant("a")],
            ..ChatRequest::default()
        };
        pictures(1).fit(Sight::Sees, "m", 8_000).attach(&mut request);
        assert_eq!(request.messages[0].images, [image(1)]);
        assert_eq!(request.messages[1].images, []);
    }
}

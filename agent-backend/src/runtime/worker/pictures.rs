//! The pictures of a request on their way to a model: which of them it gets, and what a
//! person is told of the others. A picture never stops the work, and is never left out
//! without a word.

use std::{sync::Arc, time::Duration};

use agents::{budget::IMAGE_TOKENS, prompt::Images};
use engine::{State, event::NoticeLevel};
use futures::future::join_all;
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
    runtime::services::Services,
};

/// Longest wait for a server's word on whether its model sees.
const LIMIT: Duration = Duration::from_secs(5);

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

    /// A question's way along a chain: where there are pictures, by those first who see
    /// them. `model` has begun the answer.
    pub async fn run(
        &self,
        services: &Services,
        state: &State,
        desk: &Desk,
        chain: &Arc<Chain>,
        model: Option<&str>,
    ) -> Run {
        if self.all.is_empty() {
            return chain.run(model);
        }
        let links = chain.links();
        let sights = join_all(links.iter().map(|link| services.models.sight(link, LIMIT))).await;
        let sees = |sight: &Sight| *sight == Sight::Sees;
        let seeing: Vec<String> = links
            .iter()
            .zip(&sights)
            .filter(|(_, sight)| sees(sight))
            .map(|(link, _)| qualified(link.identity()))
            .collect();
        if let Some(other) = seeing.first().filter(|_| !sights.first().is_some_and(sees)) {
            let message = format!(
                "{other} is asked before {}, which does not see the images of the request",
                qualified(chain.first().identity())
            );
            tell(services, state, desk, NoticeLevel::Info, message).await;
        }
        chain.run_preferring(model, |who| seeing.contains(&qualified(who)))
    }

    /// What of them the model of a link gets, in a prompt of so many tokens.
    pub async fn shown(&self, services: &Services, link: &Arc<Link>, room_tokens: u64) -> Shown {
        if self.all.is_empty() {
            return self.fit(Sight::Sees, "", 0);
        }
        let sight = services.models.sight(link, LIMIT).await;
        self.fit(sight, &link.identity().model, room_tokens)
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

    /// Tells the workflow, once, what the model does not see.
    pub async fn tell(&self, services: &Services, state: &State, desk: &Desk) {
        if let Some(message) = &self.told {
            tell(services, state, desk, NoticeLevel::Warning, message.clone()).await;
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

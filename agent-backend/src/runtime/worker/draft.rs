//! The text that an attempt had written when the process ended, and whether
//! its model can go on with it.

use std::time::Duration;

use agents::continuation::Joint;
use engine::{
    Event, Phase, State,
    blob::BlobId,
    event::{GenerationTotal, Origin},
};
use models::{ChatRequest, Role};
use shared::{
    error::Class,
    id::{Seq, StageId},
};

use crate::{
    error::Error,
    runtime::{PAGE, services::Services},
};

/// Times that a model server that does not answer is asked again: after the
/// loss of power it may start later than the backend.
const ASKED_MAX: u32 = 30;

/// Wait between them.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Fewest tokens of an answer that are worth going on for.
const TOKENS_LEFT_MIN: u32 = 16;

/// The text so far.
#[derive(Debug)]
pub(super) enum Draft {
    /// There is none.
    None,
    /// All of it: only its end was not told.
    Whole { text: String, total: GenerationTotal },
    /// Its model can go on with it.
    Begun { text: String, tokens: u64, joint: Joint },
    /// Nobody can go on with it.
    Lost { why: &'static str },
}

/// What the text of an answer to `request` comes from.
pub(super) fn origin(services: &Services, request: &ChatRequest) -> Origin {
    let ChatRequest {
        system,
        messages,
        format,
        tools,
        temperature,
        tokens_max,
        seed,
    } = request;
    let mut asked = format!("{system}\0{format:?}\0{temperature:?}\0{tokens_max:?}\0{seed:?}\0");
    if !tools.is_empty() {
        asked.push_str(&format!("{tools:?}\0"));
    }
    for message in messages {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        // Lengths, so that no text can be taken for the next message.
        asked.push_str(&format!(
            "{role} {}\0{}\0",
            message.content.len(),
            message.content
        ));
    }
    Origin {
        model: services.model_name.clone(),
        request: BlobId::of(asked.as_bytes()),
    }
}

/// The text so far of the attempt that runs in `state`.
pub(super) async fn read(
    services: &Services,
    state: &State,
    origin: &Origin,
    tokens_max: u32,
) -> Result<Draft, Error> {
    let Phase::Running(running) = &state.phase else {
        return Ok(Draft::None);
    };
    let Some(begun) = &running.text else {
        return Ok(Draft::None);
    };
    let lost = |why| Ok(Draft::Lost { why });
    if begun.origin.model != origin.model {
        return lost("another model was configured meanwhile");
    }
    if begun.origin.request != origin.request {
        return lost("what the model is asked has changed meanwhile");
    }
    let text = text(services, state, begun.from, &running.stage, running.attempt).await?;
    if let Some(total) = begun.total {
        return Ok(Draft::Whole { text, total });
    }
    let tokens = running.streamed_tokens;
    let left = u64::from(tokens_max).saturating_sub(tokens);
    if left < u64::from(TOKENS_LEFT_MIN) {
        return lost("the answer was too long to be gone on with");
    }
    let Some(joint) = Joint::after(&text) else {
        return lost("the model was thinking");
    };
    if !continues(services).await? {
        return lost("the model cannot go on with an answer");
    }
    Ok(Draft::Begun { text, tokens, joint })
}

/// The text of an attempt, from its events.
async fn text(
    services: &Services,
    state: &State,
    from: Seq,
    stage: &StageId,
    attempt: u32,
) -> Result<String, Error> {
    let mut text = String::new();
    let mut after = Seq(from.0.saturating_sub(1));
    loop {
        let page = services.journal.read(state.workflow.clone(), after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(text);
        };
        after = last.seq;
        for recorded in &page {
            if let Event::Streamed(streamed) = recorded.event.innermost()
                && streamed.stage == *stage
                && streamed.attempt == attempt
            {
                text.push_str(&streamed.delta);
            }
        }
    }
}

/// Whether the model can go on; waits for its server.
async fn continues(services: &Services) -> Result<bool, Error> {
    let mut asked = 1;
    loop {
        match services.model.continues().await.map_err(Error::from) {
            Err(error) if error.class == Class::Transient && asked < ASKED_MAX => {
                tracing::debug!(%error, code = %error.code, "waiting for the model server");
                asked += 1;
                tokio::time::sleep(ASK_AGAIN).await;
            }
            known => return known,
        }
    }
}

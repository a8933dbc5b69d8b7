//! The text that an attempt had written when the process ended or the stream
//! broke, and whether its model can go on with it.

use agents::continuation::Joint;
use engine::{
    Event, Phase, State,
    blob::BlobId,
    event::{GenerationTotal, Origin},
};
use models::{ChatRequest, Identity, Provider, Role, Thinking};
use shared::id::{Seq, StageId};

use crate::{
    error::Error,
    runtime::{PAGE, services::Services},
};

/// Fewest tokens of an answer that are worth going on for.
const TOKENS_LEFT_MIN: u32 = 16;

/// Text that an attempt has written, whose end did not come.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// What it comes from.
    pub origin: Origin,
    /// All of it.
    pub text: String,
    /// Its tokens.
    pub tokens: u64,
    /// Set if only its end was not told.
    pub total: Option<GenerationTotal>,
}

/// What can be done with a text that was begun.
#[derive(Debug)]
pub(super) enum Draft {
    /// It is all there.
    Whole { text: String, total: GenerationTotal },
    /// The provider can go on with it.
    Begun { text: String, tokens: u64, joint: Joint },
    /// The provider cannot go on with it.
    Lost { why: &'static str },
}

/// What the text of an answer to `request` comes from.
pub(super) fn origin(who: &Identity, request: &ChatRequest) -> Origin {
    let ChatRequest {
        system,
        messages,
        format,
        tools,
        temperature,
        tokens_max,
        seed,
        thinking,
    } = request;
    let mut asked = format!("{system}\0{format:?}\0{temperature:?}\0{tokens_max:?}\0{seed:?}\0");
    if !tools.is_empty() {
        asked.push_str(&format!("{tools:?}\0"));
    }
    // As before there were levels, where nothing is said.
    if *thinking != Thinking::ProviderDefault {
        asked.push_str(&format!("{thinking:?}\0"));
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
        for image in &message.images {
            let contents = BlobId::of(&image.bytes).to_hex();
            asked.push_str(&format!("shows {} {contents}\0", image.media_type));
        }
        for call in &message.tool_calls {
            asked.push_str(&format!("calls {} {} {}\0", call.id, call.name, call.arguments));
        }
        if let Some(call) = &message.tool_call_id {
            asked.push_str(&format!("answers {call}\0"));
        }
    }
    Origin {
        model: who.model.clone(),
        request: BlobId::of(asked.as_bytes()),
    }
}

/// The text that the attempt in `state` has written, if it may be gone on with.
pub(super) async fn read(services: &Services, state: &State) -> Result<Option<Begun>, Error> {
    let Phase::Running(running) = &state.phase else {
        return Ok(None);
    };
    let Some(begun) = &running.text else {
        return Ok(None);
    };
    let text = text(services, state, begun.from, &running.stage, running.attempt).await?;
    Ok(Some(Begun {
        origin: begun.origin.clone(),
        text,
        tokens: running.streamed_tokens,
        total: begun.total,
    }))
}

/// What `provider` can do with a text, when it is asked what `origin` says.
pub(super) async fn go_on(
    begun: Begun,
    provider: &dyn Provider,
    origin: &Origin,
    tokens_max: u32,
) -> Result<Draft, models::Error> {
    let lost = |why| Ok(Draft::Lost { why });
    if begun.origin.model != origin.model {
        return lost("another model was configured meanwhile");
    }
    if begun.origin.request != origin.request {
        return lost("what the model is asked has changed meanwhile");
    }
    let (text, tokens) = (begun.text, begun.tokens);
    if let Some(total) = begun.total {
        return Ok(Draft::Whole { text, total });
    }
    let left = u64::from(tokens_max).saturating_sub(tokens);
    if left < u64::from(TOKENS_LEFT_MIN) {
        return lost("the answer was too long to be gone on with");
    }
    let Some(joint) = Joint::after(&text) else {
        return lost("the model was thinking");
    };
    if !provider.continues().await? {
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

//! The tools that a model may call before it writes, and the conversation that
//! comes of that. What they answered is in the workflow's events: where the same
//! is asked again, after a kill or by another try, nothing is called twice. What
//! may change something is in the history before it is called, and is not called
//! again where the process ended meanwhile.

mod permission;
mod recall;

use std::collections::{BTreeSet, HashMap};

use agents::budget::{IMAGE_TOKENS, estimate};
use engine::{
    Phase, State,
    artifact::{ToolCall as Recorded, WantedCall},
    blob::{Blob, BlobId},
    event::NoticeLevel,
};
use mcp::Offered;
use models::{ChatRequest, Identity, Message, Role, Tool, ToolCall, routing::Link};
use tokio::time::Instant;

use self::{
    permission::{Permissions, Verdict},
    recall::{Begun, Recalled, recall},
};
use super::{Desk, draft};
use crate::{error::Error, runtime::services::Services};

/// What tools may take of a prompt, in percent.
const ROOM_PERCENT: u64 = 25;

/// Smaller contexts have no room for tools, in tokens.
const CONTEXT_TOKENS_MIN: u32 = 12_288;

/// What is said where the room is full.
const NO_ROOM: &str = "[there is no room for the answer: write with what you have]";

/// What is said with the last answers that there are.
const LAST_ROUND: &str = "\n\n[These were the last calls. Write now.]";

/// What is said of a call whose answer was lost.
const UNKNOWN: &str = "[the backend ended while this was called, so nobody knows whether it was done: look before you call \
                       it again]";

/// The tools of one attempt. Their servers are started when a model is asked that
/// can call them.
pub(super) struct Toolbox {
    servers: Servers,
    offered: Vec<Offered>,
    rounds_max: u32,
    /// Answers that were calls, by what was asked.
    known: HashMap<BlobId, Turn>,
    /// Those of them whose calls were not all made.
    begun: HashMap<BlobId, Begun>,
    permissions: Permissions,
}

/// What came of an answer that was calls.
#[derive(Debug)]
pub(super) enum Came {
    /// They were called.
    Answers,
    /// A person is asked first, with the model's whole answer.
    Question(Box<WantedCall>, Blob),
}

/// Whether the servers of an attempt were started.
enum Servers {
    /// There are none.
    None,
    /// No model has needed them yet; for these languages.
    Closed(Vec<&'static str>),
    /// They were.
    Open(mcp::Toolbox),
}

/// An answer that was calls, and what came of them.
#[derive(Debug, Clone, PartialEq)]
struct Turn {
    said: String,
    calls: Vec<(ToolCall, String)>,
}

impl Toolbox {
    /// Without a tool.
    pub fn empty() -> Self {
        Self {
            servers: Servers::None,
            offered: Vec::new(),
            rounds_max: 0,
            known: HashMap::new(),
            begun: HashMap::new(),
            permissions: Permissions::none(),
        }
    }

    /// Those for the languages of `files`. Nothing is started yet.
    pub fn of<'a>(files: impl Iterator<Item = &'a str>) -> Self {
        let languages: BTreeSet<&str> = files.map(|path| syntax::Language::of(path).as_str()).collect();
        Self {
            servers: Servers::Closed(languages.into_iter().collect()),
            ..Self::empty()
        }
    }

    /// Whether the model of a link can call tools, and their servers were not
    /// started yet.
    pub async fn is_wanted(&self, link: &Link) -> bool {
        matches!(self.servers, Servers::Closed(_)) && takes_tools(link).await
    }

    /// Starts the servers, once.
    pub async fn open(&mut self, services: &Services, state: &State, desk: &Desk) -> Result<(), Error> {
        let Servers::Closed(languages) = std::mem::replace(&mut self.servers, Servers::None) else {
            return Ok(());
        };
        let Phase::Running(running) = &state.phase else {
            return Ok(());
        };
        let Some(open) = services.tools.open(state, &services.trials).await? else {
            return Ok(());
        };
        // Once is enough for a person.
        if state.iteration == 1 && running.attempt == 1 {
            for problem in open.problems() {
                desk.notify(NoticeLevel::Warning, Some(problem.code), problem.message)
                    .await;
            }
        }
        self.permissions = Permissions::of(services, state);
        if state.resumes > 0 || running.attempt > 1 {
            let Recalled { known, begun, made } = recall(services, state, &running.stage).await?;
            (self.known, self.begun) = (known, begun);
            self.permissions.use_up(&made);
        }
        self.offered = self.permissions.offered(open.offered(&languages)).await?;
        self.rounds_max = services.tools.rounds_max();
        self.servers = Servers::Open(open);
        Ok(())
    }

    /// Those that the model of a link is given.
    pub async fn given(&self, link: &Link) -> Vec<Tool> {
        if self.offered.is_empty() || !takes_tools(link).await {
            return Vec::new();
        }
        let tool = |offered: &Offered| Tool {
            name: offered.name.clone(),
            description: offered.description.clone(),
            parameters: offered.schema.clone().into(),
        };
        self.offered.iter().map(tool).collect()
    }

    /// Adds the calls that this model made before when it was asked this; how
    /// many answers those are.
    pub fn replay(&self, who: &Identity, request: &mut ChatRequest) -> u32 {
        let mut rounds = 0;
        while let Some(turn) = self.known.get(&asked(who, request))
            && rounds < self.rounds_max
        {
            turn.clone().join(request);
            rounds += 1;
        }
        rounds
    }

    /// What this model answered before when it was asked this, where its calls
    /// were not all made. `round` is that of the answer.
    pub fn unfinished(&self, who: &Identity, request: &ChatRequest, round: u32) -> Option<Answer> {
        let begun = self.begun.get(&asked(who, request))?;
        Some(Answer {
            said: begun.said.clone(),
            calls: begun.calls.clone(),
            round,
        })
    }

    /// Calls what the model calls, and adds that to what it is asked next; or
    /// says what a person has to be asked first. `room_tokens` is what the whole
    /// of that may take.
    ///
    /// # Errors
    /// E1316 if it had been told that there are no more calls.
    pub async fn answer(
        &mut self,
        desk: &Desk,
        who: &Identity,
        request: &mut ChatRequest,
        answer: Answer,
        room_tokens: u64,
    ) -> Result<Came, Error> {
        let Answer { said, calls, round } = answer;
        if round > self.rounds_max {
            return Err(agents::Error::CallsOnly { rounds: round }.into());
        }
        let asked = asked(who, request);
        let of = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let mut left = room_tokens
            .saturating_sub(prompt_tokens(request))
            .saturating_sub(estimate(&said));
        let calls = unambiguous(calls, request, round);
        let whole = recall::whole(&said, &calls)?;
        let done = self.begun.remove(&asked).map(|begun| begun.done);
        let mut done = done.unwrap_or_default();
        let mut turn = Turn {
            said,
            calls: Vec::new(),
        };
        for (number, call) in (1..).zip(calls) {
            if let Some(text) = done.remove(&number) {
                left = left.saturating_sub(estimate(&text));
                turn.calls.push((call, text));
                continue;
            }
            let begun = Instant::now();
            let (server, tool) = self.named(&call.name);
            let recorded = Recorded {
                asked,
                number,
                of,
                said: if number == 1 {
                    turn.said.clone()
                } else {
                    String::new()
                },
                id: call.id.clone(),
                server,
                tool,
                name: call.name.clone(),
                arguments: call.arguments.to_string(),
                result: BlobId::of(UNKNOWN.as_bytes()),
                is_error: true,
                duration_ms: 0,
                begun: Some(whole.id()),
            };
            let offered = self.offered.iter().find(|offered| offered.name == call.name);
            let (mut text, is_error) = match self.permissions.verdict(offered, &recorded).await? {
                Verdict::Yes => {
                    if offered.is_some_and(|offered| !offered.read_only) {
                        let unknown = Blob::new(UNKNOWN.as_bytes().to_vec());
                        desk.used(recorded.clone(), vec![unknown, whole.clone()]).await;
                        shared::crash::point("toolbox:before_call");
                    }
                    self.call(&call).await
                }
                Verdict::No(why) => (why, true),
                Verdict::Ask(wanted) => return Ok(Came::Question(wanted, whole)),
            };
            text = fit(text, left);
            if number == of && round == self.rounds_max {
                text.push_str(LAST_ROUND);
            }
            left = left.saturating_sub(estimate(&text));
            let result = Blob::new(text.clone().into_bytes());
            let recorded = Recorded {
                result: result.id(),
                is_error,
                duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                begun: None,
                ..recorded
            };
            desk.used(recorded, vec![result]).await;
            turn.calls.push((call, text));
        }
        self.known.insert(asked, turn.clone());
        turn.join(request);
        Ok(Came::Answers)
    }

    async fn call(&self, call: &ToolCall) -> (String, bool) {
        let wrong = |message: String| (message, true);
        let Servers::Open(open) = &self.servers else {
            return wrong("there are no tools".to_owned());
        };
        if !self.offered.iter().any(|offered| offered.name == call.name) {
            let names: Vec<&str> = self.offered.iter().map(|offered| offered.name.as_str()).collect();
            return wrong(format!(
                "there is no tool `{}`; there is: {}",
                call.name,
                names.join(", ")
            ));
        }
        let arguments = call.arguments.as_object().cloned().unwrap_or_default();
        match open.call(&call.name, arguments).await {
            Ok(mcp::Answer { text, is_error }) => (text, is_error),
            Err(error) => wrong(error.to_string()),
        }
    }

    /// The server and the tool, as the server names it.
    fn named(&self, name: &str) -> (String, String) {
        let offered = self.offered.iter().find(|offered| offered.name == name);
        offered.map_or_else(
            || (String::new(), name.to_owned()),
            |offered| (offered.server.clone(), offered.tool.clone()),
        )
    }
}

/// Whether a model can call tools, and its context has room for them.
async fn takes_tools(link: &Link) -> bool {
    let has_room = link.identity().context_tokens >= CONTEXT_TOKENS_MIN;
    // A server that does not say so fails with the question itself.
    has_room && link.provider().takes_tools().await.unwrap_or(false)
}

/// An answer that is calls.
#[derive(Debug)]
pub(super) struct Answer {
    pub said: String,
    pub calls: Vec<ToolCall>,
    /// From 1.
    pub round: u32,
}

impl Turn {
    fn join(self, request: &mut ChatRequest) {
        let (calls, answers): (Vec<_>, Vec<_>) = self
            .calls
            .into_iter()
            .map(|(call, text)| {
                let id = call.id.clone();
                (call, (id, text))
            })
            .unzip();
        request.messages.push(Message {
            tool_calls: calls,
            ..Message::assistant(self.said)
        });
        for (id, text) in answers {
            request.messages.push(Message {
                tool_call_id: Some(id),
                ..Message::new(Role::Tool, text)
            });
        }
    }
}

/// What is left of a prompt for everything but tools, of `whole` tokens.
pub(super) fn beside(tools: &[Tool], whole: u64) -> u64 {
    if tools.is_empty() {
        return whole;
    }
    (whole * (100 - ROOM_PERCENT) / 100).saturating_sub(tools_tokens(tools))
}

/// Tokens of a prompt, about.
pub(super) fn prompt_tokens(request: &ChatRequest) -> u64 {
    let message = |message: &Message| {
        let calls = message.tool_calls.iter();
        estimate(&message.content)
            + IMAGE_TOKENS * message.images.len() as u64
            + calls
                .map(|call| estimate(&call.name) + estimate(&call.arguments.to_string()))
                .sum::<u64>()
    };
    estimate(&request.system)
        + request.messages.iter().map(message).sum::<u64>()
        + tools_tokens(&request.tools)
}

fn tools_tokens(tools: &[Tool]) -> u64 {
    let tool = |tool: &Tool| {
        estimate(&tool.name) + estimate(&tool.description) + estimate(&tool.parameters.to_string())
    };
    tools.iter().map(tool).sum()
}

/// Names a question to a model.
fn asked(who: &Identity, request: &ChatRequest) -> BlobId {
    let origin = draft::origin(who, request);
    BlobId::of(format!("{}\0{}", origin.model, origin.request.to_hex()).as_bytes())
}

/// Calls with ids that the conversation does not have yet: servers that give
/// none number them anew in each answer.
fn unambiguous(calls: Vec<ToolCall>, request: &ChatRequest, round: u32) -> Vec<ToolCall> {
    let mut taken: BTreeSet<String> = request
        .messages
        .iter()
        .flat_map(|message| message.tool_calls.iter().map(|call| call.id.clone()))
        .collect();
    let mut named = Vec::new();
    for (index, mut call) in calls.into_iter().enumerate() {
        if !taken.insert(call.id.clone()) {
            call.id = format!("call_{round}_{index}");
            taken.insert(call.id.clone());
        }
        named.push(call);
    }
    named
}

/// What of a tool's answer has room; never cut without a word.
fn fit(text: String, tokens_max: u64) -> String {
    let tokens = estimate(&text);
    if tokens <= tokens_max {
        return text;
    }
    let chars = text.chars().count();
    let share = u64::try_from(chars)
        .unwrap_or(u64::MAX)
        .saturating_mul(tokens_max)
        / tokens.max(1);
    let kept = usize::try_from(share).unwrap_or(0);
    if kept == 0 {
        return NO_ROOM.to_owned();
    }
    let begin: String = text.chars().take(kept).collect();
    format!(
        "{begin}\n[{} more characters are not shown: there is no room for them]",
        chars - kept
    )
}

#[cfg(test)]
mod tests;

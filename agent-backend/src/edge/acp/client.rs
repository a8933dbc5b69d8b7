//! The other side of a connection, as one session sees it: what it is told,
//! and what it is asked.

mod files;
mod spelled;
mod terminals;

use std::sync::Arc;

use agent_client_protocol::{
    Client as ClientRole, Error as AcpError, JsonRpcNotification,
    v1::{
        ConnectionTo,
        schema::{
            CreateElicitationRequest, ElicitationAction, ElicitationContentValue, ElicitationFormMode,
            ElicitationSchema, ElicitationScope, ElicitationSessionScope, InitializeRequest,
            PermissionOption, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
            SessionId, SessionNotification, SessionUpdate, ToolCallUpdate,
        },
    },
};
pub(super) use files::Files;
use shared::wire::{Envelope, SessionPosition};
use spelled::Spelled;

use super::{
    connection::Machine,
    settings::Switches,
    streaming::{self, Positions, StreamingUpdate, Wish},
    terminal::Terminals,
    transport::flow::Flow,
    v2,
};

const ACCEPT: &str = "accept";
const ALWAYS: &str = "accept_always";
const REJECT: &str = "reject";
const NEVER: &str = "reject_always";
const MODIFY: &str = "modify";

/// A client that knows its choices by their kinds, and takes the last one of a kind.
const ONE_OF_A_KIND: &str = "CodeCompanion.nvim";

/// The field of a form that asks for words.
pub(super) const WORDS: &str = "feedback";

/// An answer that can be chosen: its id, its name, and what it is.
pub(super) type Choice = (&'static str, &'static str, PermissionOptionKind);

/// What a client can do, as it said itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    /// What it wants of our extension.
    pub(super) wish: Wish,
    /// Whether it is told where updates come from.
    pub(super) positions: Positions,
    /// How it is told what is worth knowing.
    pub(super) notices: Notices,
    /// How it is asked for words.
    pub(super) forms: Forms,
    /// Which choices it can tell apart.
    pub(super) choices: Choices,
    /// How it shows what is either on or off.
    pub(super) switches: Switches,
    /// What it does with files.
    pub(super) files: Files,
    /// How it is told what programs print.
    pub(super) terminals: Terminals,
}

/// How a client is told what is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Notices {
    /// As thoughts.
    #[default]
    Thoughts,
    /// As notices.
    Notices,
}

/// How a client is asked for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Forms {
    /// By the end of the turn: the next prompt has them.
    #[default]
    None,
    /// By a form.
    Fills,
}

/// Which choices of one question a client can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Choices {
    /// Each one, by its name.
    #[default]
    Each,
    /// One of a kind: of two ways to say no it would show and choose the later one
    /// for both.
    OneOfAKind,
}

impl Choices {
    /// By its name, since no client says it otherwise.
    fn of(request: &InitializeRequest) -> Self {
        let info = request.client_info.as_ref();
        match info.is_some_and(|info| info.name == ONE_OF_A_KIND) {
            true => Self::OneOfAKind,
            false => Self::Each,
        }
    }
}

impl Abilities {
    /// What a client on this machine says of itself.
    pub(super) fn of(request: &InitializeRequest, machine: Machine) -> Self {
        let capabilities = &request.client_capabilities;
        let session = capabilities.session.as_ref();
        let elicitation = capabilities.elicitation.as_ref();
        let options = session.and_then(|session| session.config_options.as_ref());
        Self {
            wish: streaming::wish(capabilities.meta.as_ref()),
            positions: streaming::positions(capabilities.meta.as_ref()),
            notices: match session.and_then(|session| session.notices.as_ref()) {
                Some(_) => Notices::Notices,
                None => Notices::Thoughts,
            },
            forms: match elicitation.and_then(|elicitation| elicitation.form.as_ref()) {
                Some(_) => Forms::Fills,
                None => Forms::None,
            },
            choices: Choices::of(request),
            switches: match options.and_then(|options| options.boolean.as_ref()) {
                Some(_) => Switches::Boolean,
                None => Switches::Select,
            },
            files: Files::of(capabilities),
            terminals: Terminals::of(capabilities, machine),
        }
    }
}

/// What can be answered to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// About a plan or a proposal: also for all that follow.
    Review,
    /// About a stage that failed: only this time.
    Help,
    /// About running code without a sandbox: also for the workspace.
    Unisolated,
    /// About a call of a tool: also for all of them in the workspace.
    Tool,
    /// What a planner wants to know.
    Unclear,
}

impl Question {
    /// Whether it can be answered for the workspace from now on.
    pub(super) fn is_about_leave(self) -> bool {
        match self {
            Self::Unisolated | Self::Tool => true,
            Self::Review | Self::Help | Self::Unclear => false,
        }
    }
}

/// The other end of a connection, in the version of the protocol that was agreed
/// on. Cheap to clone.
#[derive(Clone)]
pub(super) enum Peer {
    One(ConnectionTo<ClientRole>),
    Two(agent_client_protocol::v2::ConnectionTo<ClientRole>),
}

impl Peer {
    /// Runs a task for as long as the connection is there.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), AcpError> {
        let task = async move {
            task.await;
            Ok(())
        };
        match self {
            Self::One(cx) => cx.spawn(task),
            Self::Two(cx) => cx.spawn(task),
        }
    }
}

/// A client in one session. It may be gone: then nothing reaches it, and
/// whatever it was told about goes on.
#[derive(Clone)]
pub(super) struct Client {
    way: Way,
    session: SessionId,
    abilities: Abilities,
    flow: Arc<Flow>,
}

#[derive(Clone)]
enum Way {
    One(ConnectionTo<ClientRole>),
    Two(v2::Client),
}

/// What a session does, for a client that is told so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Something is worked on.
    Running,
    /// It waits for the person.
    Asks,
    /// Nothing is.
    Idle(Stop),
}

/// Why nothing is worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// It ended before anybody asked.
    Before,
    /// It came to its end, or to words that the person is to say.
    Ended,
    /// It was stopped, or its question was not answered.
    Cancelled,
    /// It could not go on.
    Failed {
        /// The page that explains it.
        code: &'static str,
        /// For a person.
        message: String,
    },
}

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accept,
    /// And everything that follows in this session.
    Always,
    Reject,
    /// And everything that follows in this session.
    Never,
    Modify,
}

impl Client {
    pub(super) fn new(peer: Peer, session: SessionId, abilities: Abilities, flow: Arc<Flow>) -> Self {
        let way = match peer {
            Peer::One(cx) => Way::One(cx),
            Peer::Two(cx) => Way::Two(v2::Client::new(cx, &session)),
        };
        Self {
            way,
            session,
            abilities,
            flow,
        }
    }

    /// Waits until the client has taken most of what it was told.
    pub(super) async fn room(&self) {
        self.flow.room(&self.session.0).await;
    }

    pub(super) fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Whether it is told its own words, as the others are.
    pub(super) fn hears_itself(&self) -> bool {
        match self.way {
            Way::One(_) => false,
            Way::Two(_) => true,
        }
    }

    pub(super) fn tell(&self, update: SessionUpdate) {
        match &self.way {
            Way::One(cx) => {
                let notification = Spelled(SessionNotification::new(self.session.clone(), update));
                self.send(|| cx.send_notification(notification));
            }
            Way::Two(two) => self.notify(two, two.notification(update, None, false)),
        }
    }

    /// The same, with where it comes from for a client that wants to know.
    pub(super) fn tell_from(&self, update: SessionUpdate, position: impl FnOnce() -> SessionPosition) {
        let says_where = self.abilities.positions == Positions::Told;
        match &self.way {
            Way::One(cx) => {
                let notification = SessionNotification::new(self.session.clone(), update);
                let notification = match says_where {
                    true => notification.meta(streaming::told(&position())),
                    false => notification,
                };
                self.send(|| cx.send_notification(Spelled(notification)));
            }
            Way::Two(two) => self.notify(two, two.notification(update, Some(&position()), says_where)),
        }
    }

    /// Tells a client of states that there is another one.
    pub(super) fn state(&self, state: State) {
        if let Way::Two(two) = &self.way {
            self.notify(two, two.state(state));
        }
    }

    /// Tells it what holds now, and each state from now on.
    pub(super) fn begin_states(&self, now: Option<State>) {
        if let Way::Two(two) = &self.way {
            self.notify(two, two.begin_states(now));
        }
    }

    /// Tells it its own words, which the journal has nowhere; the id of that message
    /// where messages have one.
    pub(super) fn echo(&self, words: &str) -> Option<String> {
        match &self.way {
            Way::One(_) => None,
            Way::Two(two) => {
                let (id, notification) = two.echo(words);
                self.notify(two, Some(notification));
                Some(id.0.as_ref().to_owned())
            }
        }
    }

    fn notify(&self, two: &v2::Client, notification: Option<impl JsonRpcNotification>) {
        if let Some(notification) = notification {
            self.send(|| two.cx().send_notification(notification));
        }
    }

    /// Counts what is sent before it can have left.
    fn send(&self, send: impl FnOnce() -> Result<(), AcpError>) {
        self.flow.tell(&self.session.0);
        if let Err(error) = send() {
            // The workflow goes on; the client finds it again when it is back.
            tracing::debug!(%error, "an update could not be sent");
        }
    }

    pub(super) fn stream(&self, event: Envelope) {
        let session = self.session.clone();
        let update = StreamingUpdate { session, event };
        self.send(|| match &self.way {
            Way::One(cx) => cx.send_notification(update),
            Way::Two(two) => two.cx().send_notification(update),
        });
    }

    /// Asks for a decision; `None` when the client refuses to answer. Dropped
    /// before it is answered, the question is withdrawn.
    pub(super) async fn ask(&self, call: ToolCallUpdate, question: Question) -> Option<Answer> {
        let choices: &[Choice] = match question {
            Question::Review => &[
                (ACCEPT, "Accept and commit", PermissionOptionKind::AllowOnce),
                (
                    ALWAYS,
                    "Accept, and do not ask again in this session",
                    PermissionOptionKind::AllowAlways,
                ),
                (REJECT, "Reject", PermissionOptionKind::RejectOnce),
                (
                    NEVER,
                    "Reject, and do not ask again in this session",
                    PermissionOptionKind::RejectAlways,
                ),
                (MODIFY, "Request changes", PermissionOptionKind::RejectOnce),
            ],
            Question::Help => &[
                (ACCEPT, "Try again", PermissionOptionKind::AllowOnce),
                (REJECT, "Stop", PermissionOptionKind::RejectOnce),
                (MODIFY, "Say what to change", PermissionOptionKind::RejectOnce),
            ],
            Question::Unisolated => &[
                (ACCEPT, "Run it this time", PermissionOptionKind::AllowOnce),
                (ALWAYS, "Always in this folder", PermissionOptionKind::AllowAlways),
                (REJECT, "Do not run it", PermissionOptionKind::RejectOnce),
                (NEVER, "Never in this folder", PermissionOptionKind::RejectAlways),
            ],
            Question::Tool => &[
                (ACCEPT, "Call it this once", PermissionOptionKind::AllowOnce),
                (ALWAYS, "Always in this folder", PermissionOptionKind::AllowAlways),
                (REJECT, "Not this time", PermissionOptionKind::RejectOnce),
                (NEVER, "Never in this folder", PermissionOptionKind::RejectAlways),
            ],
            Question::Unclear => &[
                (ACCEPT, "Plan without an answer", PermissionOptionKind::AllowOnce),
                (REJECT, "Stop", PermissionOptionKind::RejectOnce),
                (MODIFY, "Answer", PermissionOptionKind::RejectOnce),
            ],
        };
        // What is left out is done by the next prompt, once the question is refused.
        let shown = |choice: &&Choice| self.abilities.choices == Choices::Each || choice.0 != MODIFY;
        let choices: Vec<Choice> = choices.iter().filter(shown).cloned().collect();
        let chosen = match &self.way {
            Way::One(cx) => self.choose(cx, call, &choices).await?,
            Way::Two(two) => two.ask(call, &choices).await?,
        };
        match chosen.as_str() {
            ACCEPT => Some(Answer::Accept),
            ALWAYS => Some(Answer::Always),
            NEVER => Some(Answer::Never),
            REJECT => Some(Answer::Reject),
            MODIFY => Some(Answer::Modify),
            _ => None,
        }
    }

    async fn choose(
        &self,
        cx: &ConnectionTo<ClientRole>,
        call: ToolCallUpdate,
        choices: &[Choice],
    ) -> Option<String> {
        let options = choices
            .iter()
            .map(|(id, name, kind)| PermissionOption::new(*id, *name, *kind));
        let request = RequestPermissionRequest::new(self.session.clone(), call, options.collect());
        let response = match cx.send_request(Spelled(request)).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a permission request was not answered");
                return None;
            }
        };
        let RequestPermissionOutcome::Selected(selected) = response.outcome else {
            return None;
        };
        Some(selected.option_id.0.as_ref().to_owned())
    }

    /// Asks for words by a form; `None` where the client fills none, or nothing
    /// in.
    pub(super) async fn words(&self, question: &str) -> Option<String> {
        if self.abilities.forms == Forms::None {
            return None;
        }
        let words = match &self.way {
            Way::One(cx) => self.fill(cx, question).await?,
            Way::Two(two) => two.words(question).await?,
        };
        (!words.trim().is_empty()).then_some(words)
    }

    async fn fill(&self, cx: &ConnectionTo<ClientRole>, question: &str) -> Option<String> {
        let schema = ElicitationSchema::new().string(WORDS, true);
        let scope = ElicitationSessionScope::new(self.session.clone());
        let form = ElicitationFormMode::new(ElicitationScope::from(scope), schema);
        let request = CreateElicitationRequest::new(form, question);
        let response = match cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a form was not filled");
                return None;
            }
        };
        let ElicitationAction::Accept(accepted) = response.action else {
            return None;
        };
        let ElicitationContentValue::String(words) = accepted.content?.remove(WORDS)? else {
            return None;
        };
        Some(words)
    }
}

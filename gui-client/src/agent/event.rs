//! What the window asks of an agent, and what it hears from it.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::{
    form::{Form, Value},
    tool::{FileChange, ToolPatch},
    update::{Setting, SettingKey, Switch, Update},
};
use crate::Error;

/// A session, as its agent calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub String);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A question of an agent's; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentInfo {
    /// Its name, if it says one.
    pub name: Option<String>,
    /// Its version, if it says one.
    pub version: Option<String>,
    /// What it can do beside the least.
    pub abilities: Vec<Ability>,
    /// The ways to tell it who one is.
    pub sign_ins: Vec<SignIn>,
}

impl AgentInfo {
    /// Whether it can do this.
    pub fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }
}

/// What not every agent can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Go on with a session and tell what was said in it.
    Load,
    /// Go on with a session.
    Resume,
    /// List its sessions.
    List,
    /// Forget who one is.
    SignOut,
    /// Take files in a prompt.
    EmbeddedContext,
    /// Take pictures in a prompt.
    Image,
    /// Take sound in a prompt.
    Audio,
}

impl Ability {
    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Load => "history",
            Self::Resume => "resume",
            Self::List => "list",
            Self::SignOut => "sign out",
            Self::EmbeddedContext => "files",
            Self::Image => "pictures",
            Self::Audio => "sound",
        }
    }
}

/// A way to tell an agent who one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What the agent calls it.
    pub id: String,
    /// For a person.
    pub name: String,
    /// In more words.
    pub description: Option<String>,
    /// Who does it.
    pub by: SignInBy,
}

/// Who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInBy {
    /// The agent, when it is told to.
    Agent,
    /// The person, in a terminal, with this command where the agent names it.
    Terminal(Option<String>),
}

/// A session that an agent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The session.
    pub id: SessionId,
    /// Its folder.
    pub folder: PathBuf,
    /// What it is called.
    pub title: Option<String>,
    /// When something happened in it last, as the agent writes it.
    pub updated_at: Option<String>,
}

/// Why a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The agent has finished.
    EndTurn,
    /// The model had no more tokens.
    MaxTokens,
    /// The model was asked as often as it may be.
    MaxRequests,
    /// The agent does not want to go on.
    Refusal,
    /// The person stopped it.
    Cancelled,
}

/// What an agent may be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionOption {
    /// As the agent calls it.
    pub id: String,
    /// For a person.
    pub name: String,
    /// What it means.
    pub kind: PermissionKind,
}

/// What an answer to a request for permission means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionKind {
    /// Yes.
    AllowOnce,
    /// Yes, and do not ask again.
    AllowAlways,
    /// No.
    RejectOnce,
    /// No, and do not ask again.
    RejectAlways,
}

impl PermissionKind {
    /// Whether it is a yes.
    pub fn allows(self) -> bool {
        match self {
            Self::AllowOnce | Self::AllowAlways => true,
            Self::RejectOnce | Self::RejectAlways => false,
        }
    }
}

/// What an agent asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Whether it may make a call.
    Permission {
        /// The call, as far as it is told.
        call: ToolPatch,
        /// What may be answered.
        options: Vec<PermissionOption>,
    },
    /// Whether it may write a file.
    Write(Box<FileChange>),
    /// To fill in a form.
    Form {
        /// What it is about.
        message: String,
        /// The form.
        form: Form,
    },
    /// To visit an address.
    Link {
        /// What it is about.
        message: String,
        /// The address.
        url: String,
    },
}

/// What a person answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// An option of a request for permission, by its id.
    Option(String),
    /// Yes: the file may be written, the address will be visited.
    Allow,
    /// No.
    Refuse,
    /// The form is filled in.
    Form(BTreeMap<String, Value>),
    /// The turn was stopped before there was an answer.
    Cancelled,
}

/// What the window asks of an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Tell it who one is, by the method with this id.
    SignIn(String),
    /// Forget who one is.
    SignOut,
    /// Begin a session in a folder.
    Begin(PathBuf),
    /// Go on with a session.
    GoOn(SessionId, PathBuf),
    /// List the sessions, from a cursor on.
    List(Option<String>),
    /// Say something.
    Prompt(SessionId, String),
    /// Stop what it does.
    Stop(SessionId),
    /// Choose a setting.
    Set(SessionId, SettingKey, Set),
    /// Answer a question.
    Answer(QuestionId, Answer),
}

/// What a setting shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// One of its choices.
    Choice(String),
    /// On or off.
    Switch(Switch),
}

/// What was asked of an agent that it did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Signing in.
    SignIn,
    /// Signing out.
    SignOut,
    /// Beginning a session, or going on with one.
    Session,
    /// Listing sessions.
    List,
    /// Choosing a setting.
    Set,
}

/// What is heard from an agent, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It can be spoken with.
    Connected(AgentInfo),
    /// It knows who one is.
    SignedIn,
    /// It has forgotten that.
    SignedOut,
    /// A session is being told from its beginning.
    Replaying(SessionId, PathBuf),
    /// A session is open.
    Opened {
        /// The session.
        session: SessionId,
        /// Its folder.
        folder: PathBuf,
        /// What may be chosen in it.
        settings: Vec<Setting>,
    },
    /// Sessions that it has.
    Listed {
        /// Whether these are the first ones.
        page: Page,
        /// The sessions.
        sessions: Vec<Listed>,
        /// Where the next ones begin, if there are any.
        next: Option<String>,
    },
    /// Something of a session changed.
    Updated(SessionId, Update),
    /// It asks something, about a session where it says so.
    Asked(QuestionId, Option<SessionId>, Ask),
    /// It does not need the answer any more.
    Withdrawn(QuestionId),
    /// A file was written, or not.
    Wrote(Result<PathBuf, Error>),
    /// A turn is over.
    Ended(SessionId, Result<StopReason, Error>),
    /// It did not do what it was asked.
    Refused(Call, Error),
    /// It is gone; nothing more comes.
    Lost(Error),
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The first one.
    First,
    /// A later one.
    Later,
}

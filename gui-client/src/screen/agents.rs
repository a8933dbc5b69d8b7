//! Talking with agents: which one, in which session, and what is said there.
//!
//! It shows a fold of what was heard and sends commands; the connection itself is
//! a subscription of the window's, one for each generation.

mod act;
mod hear;
pub mod kept;
mod question;
mod side;
mod talk;

use std::{path::PathBuf, sync::Arc};

use iced::{
    Task,
    widget::{
        Id,
        operation::{self, RelativeOffset},
        text_editor,
    },
};

use crate::{
    Error,
    agent::{
        client::{Commands, Heard},
        event::{Ability, AgentInfo, Answer, Call, Command, Listed, QuestionId, SessionId},
        form::{Draft, Problem},
        reach::{Place, Reach},
        session::{Question, Session},
        update::Update,
    },
    screen::review::Toward,
    shortcut::Shortcut,
    widget::commands,
};

use kept::Kept;

pub use act::{Act, Plain};
pub use side::view as side;
pub use talk::view as talk;

/// Longest prompt, in characters; agents have limits of their own.
pub const PROMPT_CHARS_MAX: usize = 100_000;

/// The end of a conversation, which is scrolled from there.
const NEWEST: RelativeOffset = RelativeOffset::START;

/// Id of the prompt's editor.
pub fn prompt_id() -> Id {
    Id::new("prompt")
}

/// Id of the folder's field.
pub fn folder_id() -> Id {
    Id::new("folder")
}

/// Id of the line of a form's field.
pub fn field_id(name: &str) -> Id {
    Id::from(format!("field {name}"))
}

/// Id of the scrolled conversation.
pub fn scroll_id() -> Id {
    Id::new("talk")
}

/// Where somebody is with an agent.
#[derive(Debug)]
pub struct Agents {
    /// The agents that can be reached.
    pub all: Vec<Arc<dyn Reach>>,
    /// Which of them is chosen.
    pub chosen: usize,
    /// Whether it is connected.
    pub link: Link,
    /// Which subscription to its events is the current one.
    pub generation: u32,
    /// Folder of the next session.
    pub folder: String,
    /// What is being written.
    pub prompt: text_editor::Content,
    /// The session that is shown.
    pub session: Option<Session>,
    /// The agent's sessions, as far as they were listed.
    pub listed: Vec<Listed>,
    /// Where the next ones begin.
    pub more: Option<String>,
    /// Whether the agent wants to know who one is.
    pub identity: Identity,
    /// What was asked of the agent and not answered.
    pub waiting: Option<Call>,
    /// Questions that belong to no session, oldest first.
    pub questions: Vec<Question>,
    /// The form that is being filled in.
    pub form: Option<(QuestionId, Draft)>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// What the keyboard is on.
    pub cursor: Option<Act>,
    /// The last thing that failed.
    pub error: Option<Error>,
    /// How much of a long conversation is shown.
    pub shown: Shown,
    /// Updates of sessions whose opening has not been answered.
    early: Vec<(SessionId, Update)>,
    /// The session that was open when the window was closed, with its agent.
    left: Option<(String, SessionId, PathBuf)>,
    /// What was said last, until the agent has answered.
    said: String,
}

/// Whether an agent is connected.
#[derive(Debug)]
pub enum Link {
    /// It is not.
    Off,
    /// It is being reached.
    Opening(Option<Commands>),
    /// It is.
    Up(Commands, AgentInfo),
}

/// Whether an agent wants to know who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// It did not say so.
    Unasked,
    /// It does, and goes no further.
    Wanted,
    /// It was told.
    Told,
}

/// How much of a long conversation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Its end.
    End,
    /// All that is kept.
    All,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// Heard from the agent of this generation.
    Heard(u32, Vec<Heard>),
    /// Something is to be done.
    Act(Act),
    /// The prompt was edited.
    Prompt(text_editor::Action),
    /// The name of a command is to be completed.
    Complete(String),
    /// The folder was edited.
    Folder(String),
    /// The line of a form's field was edited.
    Field(String, String),
    /// The keyboard goes on to the next thing, or back.
    Step(Toward),
    /// The keyboard does what it is on.
    Press,
    /// A shortcut was pressed while writing.
    Shortcut(Shortcut),
}

/// What the window must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Obey a shortcut.
    Shortcut(Shortcut),
    /// A person is waited for.
    Attention,
}

impl Agents {
    /// A screen that has talked with nobody; `kept` is what was left.
    pub fn new(all: Vec<Arc<dyn Reach>>, kept: &Kept) -> Self {
        let agent = kept.agent.as_deref();
        let chosen = all.iter().position(|one| Some(one.name()) == agent).unwrap_or(0);
        let left = match (agent, &kept.session) {
            (Some(agent), Some(session)) => {
                let folder = PathBuf::from(&kept.folder);
                Some((agent.to_owned(), SessionId(session.clone()), folder))
            }
            (Some(_) | None, _) => None,
        };
        Self {
            all,
            chosen,
            link: Link::Off,
            generation: 0,
            folder: kept.folder.clone(),
            prompt: text_editor::Content::with_text(&kept.prompt),
            session: None,
            listed: Vec::new(),
            more: None,
            identity: Identity::Unasked,
            waiting: None,
            questions: Vec::new(),
            form: None,
            problems: Vec::new(),
            cursor: None,
            error: None,
            shown: Shown::End,
            early: Vec::new(),
            left,
            said: String::new(),
        }
    }

    /// What must not be lost when the window is closed.
    pub fn keep(&self, kept: &mut Kept) {
        kept.agent = self.agent().map(|agent| agent.name().to_owned());
        kept.prompt = self.prompt.text().trim_end_matches('\n').to_owned();
        match (&self.session, &self.left) {
            (Some(session), _) => {
                kept.session = Some(session.id.0.clone());
                kept.folder = session.folder.display().to_string();
            }
            (None, Some((agent, session, folder))) if Some(agent) == kept.agent.as_ref() => {
                kept.session = Some(session.0.clone());
                kept.folder = folder.display().to_string();
            }
            (None, _) => {
                kept.session = None;
                kept.folder.clone_from(&self.folder);
            }
        }
    }

    /// The chosen agent.
    pub fn agent(&self) -> Option<&Arc<dyn Reach>> {
        self.all.get(self.chosen)
    }

    /// Whom to be connected with now, and as which generation.
    pub fn wanted(&self) -> Option<(u32, Arc<dyn Reach>)> {
        match self.link {
            Link::Off => None,
            Link::Opening(_) | Link::Up(..) => Some((self.generation, Arc::clone(self.agent()?))),
        }
    }

    /// What the connected agent said of itself.
    pub fn info(&self) -> Option<&AgentInfo> {
        match &self.link {
            Link::Up(_, info) => Some(info),
            Link::Off | Link::Opening(_) => None,
        }
    }

    /// Whether something can be said now.
    pub fn can_send(&self) -> bool {
        let text = self.prompt.text();
        let idle = self.session.as_ref().is_some_and(Session::is_idle);
        idle && !text.trim().is_empty() && text.chars().count() <= PROMPT_CHARS_MAX
    }

    /// The oldest question that waits.
    pub fn question(&self) -> Option<&Question> {
        let of_session = self.session.iter().flat_map(|session| &session.questions);
        of_session
            .chain(&self.questions)
            .min_by_key(|question| question.id)
    }

    /// The session that was left when the window was closed, if this agent can go
    /// on with it.
    pub fn left(&self) -> Option<(&SessionId, &PathBuf)> {
        let info = self.info()?;
        let can = info.can(Ability::Load) || info.can(Ability::Resume);
        let (agent, session, folder) = self.left.as_ref()?;
        let here = self.agent().is_some_and(|one| one.name() == agent);
        (can && here && self.session.is_none()).then_some((session, folder))
    }

    /// Reacts.
    pub fn update(&mut self, message: Message) -> (Task<Message>, Option<Event>) {
        match message {
            Message::Heard(generation, heard) if generation == self.generation => {
                return self.hear(heard);
            }
            Message::Heard(..) => {}
            Message::Act(act) => return (self.act(act), None),
            Message::Prompt(action) => self.prompt.perform(action),
            Message::Complete(command) => self.prompt = commands::begun_with(&command),
            Message::Folder(folder) => self.folder = folder,
            Message::Field(name, line) => {
                if let Some((_, draft)) = &mut self.form {
                    draft.write(&name, line);
                }
            }
            Message::Step(toward) => self.step(toward),
            Message::Press => {
                let acts = self.acts();
                if let Some(act) = self.cursor.clone().filter(|act| acts.contains(act)) {
                    return (self.act(act), None);
                }
            }
            Message::Shortcut(shortcut) => return (Task::none(), Some(Event::Shortcut(shortcut))),
        }
        (Task::none(), None)
    }

    /// Puts the cursor where the next word goes.
    pub fn focus(&self) -> Task<Message> {
        operation::focus(match &self.session {
            Some(_) => prompt_id(),
            None => folder_id(),
        })
    }

    fn act(&mut self, act: Act) -> Task<Message> {
        match act {
            Act::Choose(agent) => self.choose(agent),
            Act::Connect => self.connect(),
            Act::Disconnect => self.hang_up(),
            Act::SignIn(method) => self.call(Call::SignIn, Command::SignIn(method)),
            Act::SignOut => self.call(Call::SignOut, Command::SignOut),
            Act::NewSession => match self.place_of_next() {
                Ok(folder) => {
                    self.call(Call::Session, Command::Begin(folder));
                }
                Err(error) => self.error = Some(error),
            },
            Act::GoOn(session, folder) => self.call(Call::Session, Command::GoOn(session, folder)),
            Act::More => self.call(Call::List, Command::List(self.more.clone())),
            Act::Leave => self.leave(),
            Act::Set(key, value) => {
                if let Some(session) = &self.session {
                    let command = Command::Set(session.id.clone(), key, value);
                    self.call(Call::Set, command);
                }
            }
            Act::Send => return self.send(),
            Act::Stop => self.stop(),
            Act::Answer(question, answer) => self.answer(question, answer),
            Act::FillIn(question) => self.fill_in(question),
            Act::Turn(name, switch) => {
                if let Some((_, draft)) = &mut self.form {
                    draft.turn(&name, switch);
                }
            }
            Act::Pick(name, value) => self.pick(&name, &value),
            Act::Copy(address) => return iced::clipboard::write(address),
            Act::Show(shown) => self.shown = shown,
            Act::Dismiss => self.error = None,
        }
        Task::none()
    }

    fn choose(&mut self, agent: usize) {
        if agent < self.all.len() && agent != self.chosen {
            self.hang_up();
            self.chosen = agent;
            self.error = None;
        }
    }

    fn connect(&mut self) {
        self.hang_up();
        self.error = None;
        self.link = Link::Opening(None);
    }

    /// Ends the connection. Whatever the agent does with its sessions, this
    /// window is no part of them any more.
    fn hang_up(&mut self) {
        self.generation += 1;
        self.link = Link::Off;
        self.leave();
        self.listed.clear();
        self.more = None;
        self.identity = Identity::Unasked;
        self.questions.clear();
        self.form = None;
    }

    /// Leaves the session; it can be gone on with where the agent can do that.
    fn leave(&mut self) {
        self.stop();
        if let (Some(session), Some(agent)) = (self.session.take(), self.all.get(self.chosen)) {
            self.folder = session.folder.display().to_string();
            self.left = Some((agent.name().to_owned(), session.id, session.folder));
        }
        self.early.clear();
        self.waiting = None;
        self.shown = Shown::End;
    }

    fn send(&mut self) -> Task<Message> {
        if !self.can_send() {
            return Task::none();
        }
        let text = self.prompt.text().trim().to_owned();
        if let Some(session) = &mut self.session {
            session.prompt(&text);
            let command = Command::Prompt(session.id.clone(), text.clone());
            self.order(command);
        }
        self.said = text;
        self.prompt = text_editor::Content::new();
        operation::snap_to(scroll_id(), NEWEST)
    }

    fn stop(&mut self) {
        let Some(session) = &mut self.session else { return };
        if session.is_idle() {
            return;
        }
        let (id, open) = (session.id.clone(), session.stop());
        for question in open {
            self.order(Command::Answer(question, Answer::Cancelled));
        }
        self.form = None;
        self.order(Command::Stop(id));
    }

    fn answer(&mut self, id: QuestionId, answer: Answer) {
        let of_session = self
            .session
            .as_mut()
            .is_some_and(|session| session.answer(id, &answer));
        let before = self.questions.len();
        self.questions.retain(|question| question.id != id);
        if of_session || self.questions.len() < before {
            self.order(Command::Answer(id, answer));
        }
        self.begin_form();
    }

    fn call(&mut self, call: Call, command: Command) {
        if self.waiting.is_none() {
            self.waiting = Some(call);
            self.error = None;
            self.order(command);
        }
    }

    fn order(&self, command: Command) {
        match &self.link {
            Link::Up(commands, _) => commands.send(command),
            Link::Off | Link::Opening(_) => {}
        }
    }

    /// The folder of the next session: a whole path, and on this machine one that
    /// is there, by its real name, because files in it are compared with it.
    fn place_of_next(&self) -> Result<PathBuf, Error> {
        let written = self.folder.trim();
        let refuse = |reason: &str| Error::File {
            path: written.to_owned(),
            reason: reason.to_owned(),
        };
        if written.is_empty() {
            return Err(refuse("write the folder of the session first"));
        }
        let here = self.agent().is_some_and(|agent| agent.place() == Place::Here);
        if !here {
            let path = PathBuf::from(written);
            return if path.is_absolute() {
                Ok(path)
            } else {
                Err(refuse("write the whole path"))
            };
        }
        let path = std::path::absolute(written).map_err(|error| refuse(&error.to_string()))?;
        let path = path.canonicalize().map_err(|error| refuse(&error.to_string()))?;
        if path.is_dir() {
            Ok(path)
        } else {
            Err(refuse("it is no folder"))
        }
    }
}

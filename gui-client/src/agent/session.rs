//! A session with an agent, as a fold of what was said in it: the same updates
//! give the same session, live or told again.
//!
//! It must never know a socket, a widget, or the protocol's own types.

mod entry;

use std::path::{Path, PathBuf};

use super::{
    event::{Answer, Ask, QuestionId, SessionId, StopReason},
    tool::{ToolCall, ToolPatch, ToolStatus},
    update::{
        Notice, Piece, Setting, SettingKey, SettingValue, Severity, SlashCommand, Speaker, Step, Update,
        Usage,
    },
};

pub use entry::{Entry, Said, clean};

/// Entries kept; older ones are dropped first.
pub const ENTRIES_MAX: usize = 2_000;
/// Questions that may be open at once; further ones are not asked.
pub const QUESTIONS_MAX: usize = 64;
/// Lists of commands and steps are cut here.
const LIST_MAX: usize = 500;

/// A session.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Its folder.
    pub folder: PathBuf,
    /// What it is called.
    pub title: Option<String>,
    /// What was said and done, oldest first.
    pub entries: Vec<Entry>,
    /// How many older entries were dropped.
    pub dropped: usize,
    /// The agent's plan.
    pub plan: Vec<Step>,
    /// How full the context is.
    pub usage: Option<Usage>,
    /// What may be written after a slash.
    pub commands: Vec<SlashCommand>,
    /// What may be chosen.
    pub settings: Vec<Setting>,
    /// What the agent waits for, oldest first.
    pub questions: Vec<Question>,
    /// Whether the agent works.
    pub turn: Turn,
    /// What the agent may still say of the person's last words: an agent may
    /// repeat them to everybody.
    echo: String,
    /// Files that a person allowed in this turn, with their new texts.
    allowed: Vec<(PathBuf, String)>,
}

/// Whether the agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It is the person's turn.
    Idle,
    /// The agent works.
    Running,
    /// The agent works and was told to stop.
    Stopping,
}

/// What the agent waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Which question.
    pub id: QuestionId,
    /// What it asks.
    pub ask: Ask,
}

impl Session {
    /// A session in which nothing was said.
    pub fn new(id: SessionId, folder: PathBuf) -> Self {
        Self {
            id,
            folder,
            title: None,
            entries: Vec::new(),
            dropped: 0,
            plan: Vec::new(),
            usage: None,
            commands: Vec::new(),
            settings: Vec::new(),
            questions: Vec::new(),
            turn: Turn::Idle,
            echo: String::new(),
            allowed: Vec::new(),
        }
    }

    /// Whether something can be said now.
    pub fn is_idle(&self) -> bool {
        self.turn == Turn::Idle
    }

    /// The person says something.
    pub fn prompt(&mut self, text: &str) {
        self.turn = Turn::Running;
        self.allowed.clear();
        text.clone_into(&mut self.echo);
        self.push(Entry::Said(Said::prompt(text)));
    }

    /// The person stops the agent: what it waits for gets no answer any more.
    /// The questions that must be answered so.
    pub fn stop(&mut self) -> Vec<QuestionId> {
        if self.turn == Turn::Idle {
            return Vec::new();
        }
        self.turn = Turn::Stopping;
        self.questions.drain(..).map(|question| question.id).collect()
    }

    /// The turn is over.
    pub fn end(&mut self, stop: StopReason) {
        self.turn = Turn::Idle;
        self.echo.clear();
        let (severity, title) = match stop {
            StopReason::EndTurn => (Severity::Info, ""),
            StopReason::MaxTokens => (Severity::Warning, "The model had no more tokens"),
            StopReason::MaxRequests => (Severity::Warning, "The model was asked as often as it may be"),
            StopReason::Refusal => (Severity::Warning, "The agent does not want to go on"),
            StopReason::Cancelled => (Severity::Info, "Stopped"),
        };
        if stop == StopReason::Cancelled {
            self.close_calls();
        }
        if !title.is_empty() {
            self.note(severity, title, "");
        }
    }

    /// The turn failed, or the agent is gone.
    pub fn fail(&mut self, title: &str, text: &str) {
        self.turn = Turn::Idle;
        self.echo.clear();
        self.questions.clear();
        self.close_calls();
        self.note(Severity::Error, title, text);
    }

    /// Says something to the person that the agent did not say.
    pub fn note(&mut self, severity: Severity, title: &str, text: &str) {
        self.push(Entry::Notice(Notice {
            severity,
            title: title.to_owned(),
            text: text.to_owned(),
        }));
    }

    /// The agent asks. A permission to write what the person has just allowed
    /// is an answer already; so is one question too many.
    pub fn ask(&mut self, id: QuestionId, ask: Ask) -> Option<Answer> {
        if self.turn == Turn::Stopping {
            return Some(Answer::Cancelled);
        }
        match &ask {
            Ask::Write(change) if self.has_allowed(&change.path, &change.new) => return Some(Answer::Allow),
            Ask::Permission { call, .. } => self.take_tool(call.clone()),
            Ask::Write(_) | Ask::Form { .. } | Ask::Link { .. } => {}
        }
        if self.questions.len() >= QUESTIONS_MAX {
            return Some(Answer::Cancelled);
        }
        self.questions.push(Question { id, ask });
        None
    }

    /// The person answers; whether the question was open.
    pub fn answer(&mut self, id: QuestionId, answer: &Answer) -> bool {
        let Some(question) = self.withdraw(id) else {
            return false;
        };
        match (&question.ask, answer) {
            (Ask::Permission { call, options }, Answer::Option(chosen)) => {
                let allowed = |option: &&super::event::PermissionOption| option.id == *chosen;
                if options
                    .iter()
                    .find(allowed)
                    .is_some_and(|option| option.kind.allows())
                {
                    self.allow(&call.id.clone());
                }
            }
            (Ask::Write(change), Answer::Allow) => {
                self.allowed.push((change.path.clone(), change.new.clone()));
            }
            (
                Ask::Permission { .. } | Ask::Write(_) | Ask::Form { .. } | Ask::Link { .. },
                Answer::Option(_) | Answer::Allow | Answer::Refuse | Answer::Form(_) | Answer::Cancelled,
            ) => {}
        }
        true
    }

    /// Nobody needs to answer any more.
    pub fn withdraw(&mut self, id: QuestionId) -> Option<Question> {
        let at = self.questions.iter().position(|question| question.id == id)?;
        Some(self.questions.remove(at))
    }

    /// Folds one update in.
    pub fn fold(&mut self, update: Update) {
        match update {
            Update::Text(piece) => self.take_piece(piece),
            Update::Tool(patch) => self.take_tool(patch),
            Update::Plan(mut steps) => {
                steps.truncate(LIST_MAX);
                self.plan = steps;
            }
            Update::Commands(mut commands) => {
                commands.truncate(LIST_MAX);
                self.commands = commands;
            }
            Update::Settings(settings) => self.settings = settings,
            Update::Mode(mode) => {
                let modes = |setting: &&mut Setting| setting.key == SettingKey::Mode;
                if let Some(setting) = self.settings.iter_mut().find(modes)
                    && let SettingValue::Select { current, .. } = &mut setting.value
                {
                    *current = mode;
                }
            }
            Update::Title(title) => self.title = title,
            Update::Usage(usage) => self.usage = Some(usage),
            Update::Notice(notice) => self.push(Entry::Notice(notice)),
        }
    }

    fn take_piece(&mut self, mut piece: Piece) {
        if piece.speaker == Speaker::Person && !self.echo.is_empty() {
            // Only what repeats the person's own words is left out.
            if let Some(rest) = self.echo.strip_prefix(piece.text.as_str()) {
                self.echo = rest.to_owned();
                return;
            }
            self.echo.clear();
        }
        if let Some(Entry::Said(said)) = self.entries.last_mut()
            && said.goes_on_with(&piece)
        {
            said.append(&piece.text);
            return;
        }
        // A new message that begins with blank lines would look like a gap.
        if piece.speaker != Speaker::Person {
            piece.text = piece.text.trim_start_matches('\n').to_owned();
        }
        if !piece.text.is_empty() {
            self.push(Entry::Said(Said::new(piece)));
        }
    }

    fn take_tool(&mut self, patch: ToolPatch) {
        let same = |call: &&mut ToolCall| call.id == patch.id;
        let calls = self.entries.iter_mut().rev().filter_map(|entry| match entry {
            Entry::Tool(call) => Some(&mut **call),
            Entry::Said(_) | Entry::Notice(_) => None,
        });
        match calls.into_iter().find(same) {
            Some(call) => call.take(patch),
            None => self.push(Entry::Tool(Box::new(ToolCall::begun(patch)))),
        }
    }

    /// A call with this id.
    pub fn call(&self, id: &str) -> Option<&ToolCall> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Tool(call) if call.id == id => Some(&**call),
            Entry::Tool(_) | Entry::Said(_) | Entry::Notice(_) => None,
        })
    }

    fn allow(&mut self, id: &str) {
        let changes: Vec<_> = self.call(id).into_iter().flat_map(ToolCall::changes).collect();
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| (change.path.clone(), change.new.clone()))
            .collect();
        self.allowed.extend(changes);
    }

    fn has_allowed(&self, path: &Path, text: &str) -> bool {
        self.allowed
            .iter()
            .any(|(allowed, new)| allowed == path && new == text)
    }

    fn close_calls(&mut self) {
        for entry in &mut self.entries {
            match entry {
                Entry::Tool(call) if call.status.is_open() => call.status = ToolStatus::Stopped,
                Entry::Tool(_) | Entry::Said(_) | Entry::Notice(_) => {}
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if self.entries.len() > ENTRIES_MAX {
            let extra = self.entries.len() - ENTRIES_MAX;
            self.entries.drain(..extra);
            self.dropped += extra;
        }
    }
}

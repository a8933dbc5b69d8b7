//! The workflows of the backend, newest first: looked through, searched, opened,
//! cancelled.
//!
//! The list is asked for page by page; a search goes on to further pages until
//! there is enough to show. While it is looked at, its newest page is asked for
//! again and again, and what somebody is reading stays where it is. It must never
//! know how it is asked for.

mod list;

use iced::{
    Task,
    widget::{Id, operation},
};
use shared::{
    id::WorkflowId,
    wire::{WorkflowPage, WorkflowState, WorkflowSummary},
};

use super::review::Toward;
use crate::Error;

pub use list::view;

/// A search that has found fewer looks through older ones as well.
const FOUND_ENOUGH: usize = 20;

/// Id of the field of the search.
pub fn search_id() -> Id {
    Id::new("workflows-search")
}

/// Id of the scrolled list.
pub fn scroll_id() -> Id {
    Id::new("workflows")
}

/// The screen.
#[derive(Debug, Default)]
pub struct Workflows {
    /// What is searched for.
    pub words: String,
    /// What went wrong with the list.
    pub error: Option<Error>,
    known: Vec<WorkflowSummary>,
    /// Where older ones are, if there are any.
    older: Option<String>,
    asked: Asked,
    /// Which question for the list is the current one.
    generation: u32,
    cursor: Option<WorkflowId>,
    /// How far the list is scrolled.
    place: Place,
    /// How high it was before newer ones came above what is read.
    pushed_from: Option<f32>,
}

/// What is seen of the list, in logical pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place {
    /// From its top to where the pane begins.
    pub offset: f32,
    /// Height of the list.
    pub height: f32,
}

/// What the backend was asked for and has not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Asked {
    #[default]
    Nothing,
    Newest,
    Older,
    /// The newest ones, unasked by anybody.
    Changes,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// The list is to be brought up to date.
    Refresh,
    /// What has changed since is wanted.
    Poll,
    /// Older ones are wanted.
    More,
    /// The list was scrolled, or has another height.
    Placed(Place),
    /// A page came, for the question of this generation.
    Listed(u32, Result<Box<WorkflowPage>, Error>),
    /// The search was edited.
    Words(String),
    /// The keyboard goes to the next one, or the one before.
    Step(Toward),
    /// The one that the keyboard is on is to be shown.
    Press,
    /// This one is to be shown.
    Open(WorkflowId),
    /// This one is to be stopped.
    Cancel(WorkflowId),
}

/// What the window must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Ask for the page behind `cursor`, or the newest, and answer with the number.
    List {
        /// Where the page begins.
        cursor: Option<String>,
        /// To be given back with the answer.
        generation: u32,
    },
    /// Show this workflow.
    Open(WorkflowSummary),
    /// Stop this workflow.
    Cancel(WorkflowId),
}

impl Workflows {
    /// Reacts.
    pub fn update(&mut self, message: Message) -> (Task<Message>, Option<Event>) {
        match message {
            Message::Refresh => (Task::none(), Some(self.ask(Asked::Newest))),
            Message::Poll => {
                let is_free = self.asked == Asked::Nothing;
                (Task::none(), is_free.then(|| self.ask(Asked::Changes)))
            }
            Message::More => (Task::none(), self.more()),
            Message::Placed(place) => (self.place(place), None),
            Message::Listed(generation, listed) if generation == self.generation => {
                (Task::none(), self.take(listed))
            }
            Message::Listed(..) => (Task::none(), None),
            Message::Words(words) => {
                self.words = words;
                self.cursor = None;
                let start = operation::AbsoluteOffset { x: 0.0, y: 0.0 };
                (operation::scroll_to(scroll_id(), start), self.search_on())
            }
            Message::Step(toward) => {
                self.step(toward);
                (Task::none(), None)
            }
            Message::Press => {
                let pressed = self.cursor.as_ref().and_then(|id| self.find(id));
                (Task::none(), pressed.cloned().map(Event::Open))
            }
            Message::Open(id) => (Task::none(), self.find(&id).cloned().map(Event::Open)),
            Message::Cancel(id) => (Task::none(), Some(Event::Cancel(id))),
        }
    }

    /// Those that the search finds, newest first.
    pub fn found(&self) -> impl Iterator<Item = &WorkflowSummary> {
        let words: Vec<String> = self.words.split_whitespace().map(str::to_lowercase).collect();
        self.known.iter().filter(move |workflow| {
            let text = haystack(workflow);
            words.iter().all(|word| text.contains(word))
        })
    }

    /// Whether the backend has not answered yet what somebody wants.
    pub fn is_asking(&self) -> bool {
        matches!(self.asked, Asked::Newest | Asked::Older)
    }

    fn ask(&mut self, what: Asked) -> Event {
        self.asked = what;
        self.generation += 1;
        let cursor = match what {
            Asked::Older => self.older.clone(),
            Asked::Newest | Asked::Changes | Asked::Nothing => None,
        };
        let generation = self.generation;
        Event::List { cursor, generation }
    }

    fn more(&mut self) -> Option<Event> {
        let may = self.older.is_some() && !self.is_asking();
        may.then(|| self.ask(Asked::Older))
    }

    fn take(&mut self, listed: Result<Box<WorkflowPage>, Error>) -> Option<Event> {
        let asked = std::mem::take(&mut self.asked);
        let page = match listed {
            Ok(page) => *page,
            Err(error) => {
                if self.error.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the list of workflows is not to be had");
                }
                self.error = Some(error);
                return None;
            }
        };
        self.error = None;
        match asked {
            Asked::Older => self.known.extend(page.workflows),
            Asked::Changes => return self.take_changes(page),
            Asked::Newest | Asked::Nothing => self.known = page.workflows,
        }
        self.older = page.next_cursor;
        self.search_on()
    }

    /// Takes the newest page, and keeps the older ones that go on from it.
    fn take_changes(&mut self, page: WorkflowPage) -> Option<Event> {
        let id = |workflow: Option<&WorkflowSummary>| workflow.map(|workflow| workflow.workflow_id.clone());
        if self.place.offset > 0.0 && id(self.known.first()) != id(page.workflows.first()) {
            self.pushed_from = Some(self.place.height);
        }
        let last = id(page.workflows.last()).filter(|_| page.next_cursor.is_some());
        let behind = last.and_then(|last| self.known.iter().position(|known| known.workflow_id == last));
        let older = behind.map(|at| self.known.split_off(at + 1)).unwrap_or_default();
        if older.is_empty() {
            self.older = page.next_cursor;
        }
        self.known = page.workflows;
        self.known.extend(older);
        self.search_on()
    }

    /// Puts what is read back to where it was, now that it is known how far newer
    /// ones have pushed it down.
    fn place(&mut self, place: Place) -> Task<Message> {
        self.place = place;
        match self.pushed_from.take() {
            Some(before) if before < place.height => {
                let y = place.height - before;
                operation::scroll_by(scroll_id(), operation::AbsoluteOffset { x: 0.0, y })
            }
            Some(_) | None => Task::none(),
        }
    }

    /// Looks through older ones where the search has found few.
    fn search_on(&mut self) -> Option<Event> {
        let is_poor = !self.words.trim().is_empty() && self.found().nth(FOUND_ENOUGH - 1).is_none();
        if is_poor { self.more() } else { None }
    }

    fn step(&mut self, toward: Toward) {
        let found: Vec<&WorkflowId> = self.found().map(|workflow| &workflow.workflow_id).collect();
        let at = self
            .cursor
            .as_ref()
            .and_then(|id| found.iter().position(|other| *other == id));
        let next = toward.step(at, found.len());
        self.cursor = next.and_then(|next| found.get(next)).map(|id| (*id).clone());
    }

    fn find(&self, id: &WorkflowId) -> Option<&WorkflowSummary> {
        self.known.iter().find(|workflow| workflow.workflow_id == *id)
    }
}

/// What a search looks at.
fn haystack(workflow: &WorkflowSummary) -> String {
    let WorkflowSummary {
        workflow_id,
        workflow_type,
        user_query,
        workspace,
        state,
        ..
    } = workflow;
    let state = label(*state);
    format!("{user_query}\n{workspace}\n{workflow_type}\n{state}\n{workflow_id}").to_lowercase()
}

/// A state as a person reads it.
pub fn label(state: WorkflowState) -> &'static str {
    match state {
        WorkflowState::Running => "running",
        WorkflowState::AwaitingDecision => "waits for your decision",
        WorkflowState::Completed => "completed",
        WorkflowState::Rejected => "rejected",
        WorkflowState::Cancelled => "cancelled",
        WorkflowState::Failed => "failed",
    }
}

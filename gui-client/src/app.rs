//! The window as a whole: joins the connection, the model and the screens.
//!
//! It holds nothing that would be lost when it is closed: workflows live in the
//! backend, the newest unfinished one is shown again after a start, and drafts
//! are kept on the disk.

mod configuring;
mod following;
mod keeping;
mod subscription;
mod talking;
mod undoing;
mod view;

use std::{path::PathBuf, sync::Arc};

use iced::{
    Task, Theme,
    widget::operation::{self, AbsoluteOffset},
};
use shared::{
    id::{Seq, WorkflowId},
    version::{Compatibility, VERSION},
    wire::{UndoResponse, WorkflowSummary, WorkflowView},
};

use crate::{
    Error,
    agent::reach::Reach,
    clock::Clock,
    config::{Config, ThemeChoice},
    connection::{Connection, Followed, Server},
    drafts::{Drafts, Store},
    model::{Phase, Workflow},
    screen::{
        agents::{
            self, Agents,
            kept::{Kept, Shelf},
        },
        details,
        evidence::{self, Evidence},
        footer::Stream,
        interaction::{self, Interaction},
        remark::{self, Remark},
        review::{self, Review, Toward},
        settings::{self, Settings},
        undo::Undo,
        writing,
    },
    shortcut::Shortcut,
    theme::Look,
    widget::pieces,
};

pub use subscription::subscription;
pub use view::view;

/// Width below which one pane is shown at a time, in logical pixels.
const NARROW: f32 = 760.0;
/// Logical pixels that a page key scrolls the main pane.
const PAGE: f32 = 480.0;

/// What a start was asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Submitted as soon as the backend answers.
    pub request: Option<String>,
    /// Whether the window closes itself when the workflow has ended.
    pub exit: Exit,
    /// Where drafts are kept.
    pub drafts: Store,
    /// The file that settings are written to, if they are.
    pub config_file: Option<PathBuf>,
    /// How another backend is reached, if it can be.
    pub connect: Option<Connect>,
    /// The agents that can be talked with.
    pub agents: Vec<Arc<dyn Reach>>,
    /// Where what is said to them is kept.
    pub talks: Shelf,
}

/// Reaches the backend of a configuration.
pub type Connect = fn(&Config) -> Result<Arc<dyn Connection>, Error>;

/// When the window closes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    /// When a person closes it.
    #[default]
    Never,
    /// When the workflow has ended.
    WhenEnded,
}

/// Which main pane is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The request and the stages, where the window is too narrow to show
    /// them next to another pane.
    Request,
    /// Code as it is written.
    Writing,
    /// The proposal.
    Review,
    /// Plan, context and checks.
    Details,
    /// What is said with an agent.
    Agents,
}

/// The window.
#[derive(Debug)]
pub struct App {
    /// Reaches the backend.
    pub connection: Arc<dyn Connection>,
    clock: Clock,
    /// How many connections there were before.
    connections: u32,
    config: Config,
    options: Options,
    /// The drafts as they are on the disk, or soon will be.
    kept: Drafts,
    /// Whether there may be something to keep.
    unkept: bool,
    /// Whether drafts are being written.
    keeping: bool,
    theme: ThemeChoice,
    /// The settings, while they are changed.
    pub settings: Option<Settings>,
    /// How far taking back the shown workflow's commit is.
    pub undo: Undo,
    /// What is known of the server.
    pub server: Option<Server>,
    /// The workflow that is shown.
    pub workflow: Option<Workflow>,
    /// Whether its events arrive.
    pub stream: Stream,
    /// Which subscription to events is the current one.
    pub generation: u32,
    /// Position the current subscription began after.
    follow_from: Seq,
    /// The request pane.
    pub interaction: Interaction,
    /// The remark that is being written.
    pub remark: Remark,
    /// The review pane.
    pub review: Review,
    /// What a check printed, if that is shown.
    pub evidence: Evidence,
    /// Talking with agents.
    pub agents: Agents,
    /// What is kept of that.
    talk: Kept,
    /// The shown main pane.
    pub pane: Pane,
    /// The last action that failed.
    pub error: Option<Error>,
    /// Whether the help is shown.
    pub help: bool,
    /// Whether the window has room for one pane only.
    pub narrow: bool,
    /// Whether an unfinished workflow was, or is being, looked for.
    looked: bool,
    /// How often that failed.
    look_failures: u32,
    /// Seconds since the Unix epoch, as of the last tick.
    now: u64,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Message {
    /// The server's state changed.
    Server(Server),
    /// The newest unfinished workflow, if any.
    Found(Result<Option<WorkflowSummary>, Error>),
    /// Look for the newest unfinished workflow again.
    Look,
    /// A snapshot of the workflow.
    Viewed(Result<Box<WorkflowView>, Error>),
    /// A request was submitted, or not.
    Submitted(Result<WorkflowId, Error>),
    /// Something came from the stream of this generation.
    Followed(u32, Followed),
    /// A decision was sent, or not.
    Decided(Result<(), Error>),
    /// From the line for a remark.
    Remark(remark::Message),
    /// A remark was sent, or not.
    Remarked(Result<(), Error>),
    /// Cancelling was asked for, or not.
    Cancelled(Result<(), Error>),
    /// A second passed.
    Tick,
    /// Drafts are to be kept.
    Keep,
    /// They are.
    Kept,
    /// The window has this width now, in logical pixels.
    Resized(f32),
    /// A shortcut was pressed.
    Shortcut(Shortcut),
    /// A page key: how many pages down.
    Scroll(f32),
    /// From the request pane.
    Interaction(interaction::Message),
    /// From the review pane.
    Review(review::Message),
    /// From what a check printed.
    Evidence(evidence::Message),
    /// From talking with agents.
    Agents(agents::Message),
    /// Show a pane.
    Pane(Pane),
    /// Switch between light and dark.
    ToggleTheme,
    /// Open or close the settings.
    ToggleSettings,
    /// From the settings.
    Settings(settings::Message),
    /// Show or hide the help.
    ToggleHelp,
    /// Take back what the workflow has committed.
    Undo,
    /// It was taken back, or not.
    Undone(WorkflowId, Result<UndoResponse, Error>),
    /// Stop the workflow.
    Cancel,
    /// Leave a finished workflow and write the next request.
    NewRequest,
    /// Take the error away.
    DismissError,
}

impl App {
    /// A window that has shown nothing yet.
    pub fn new(connection: Arc<dyn Connection>, clock: Clock, config: &Config, options: Options) -> Self {
        let kept = options.drafts.load();
        let draft = options.request.as_ref().unwrap_or(&kept.request);
        let workspace = config.workspace.clone().unwrap_or_default();
        let shown = kept.workspace.as_ref().unwrap_or(&workspace).clone();
        let talk = options.talks.load();
        Self {
            connection,
            clock,
            connections: 0,
            config: config.clone(),
            interaction: Interaction::new(shown, draft),
            agents: Agents::new(options.agents.clone(), &talk),
            talk,
            options,
            unkept: false,
            keeping: false,
            theme: config.theme,
            settings: None,
            undo: Undo::default(),
            server: None,
            workflow: None,
            stream: Stream::Idle,
            generation: 0,
            follow_from: Seq::default(),
            remark: Remark::default(),
            review: Review::new(kept.view, kept.layout),
            kept,
            evidence: Evidence::default(),
            pane: Pane::Writing,
            error: None,
            help: false,
            narrow: false,
            looked: false,
            look_failures: 0,
            now: (clock.now)(),
        }
    }

    /// What to do first.
    pub fn start(&self) -> Task<Message> {
        operation::focus(interaction::request_id())
    }

    /// How it looks.
    pub fn look(&self) -> Look {
        match &self.settings {
            // What is changed is seen at once.
            Some(settings) => {
                let (theme, size) = settings.look();
                Look::new(theme, size)
            }
            None => Look::new(self.theme, self.config.font_size),
        }
    }

    /// The theme for iced's own widgets.
    pub fn theme(&self) -> Theme {
        self.look().theme()
    }

    /// The window's title; says from the task bar that a decision is needed.
    pub fn title(&self) -> String {
        let Some(workflow) = &self.workflow else {
            return "Agentic IDE".to_owned();
        };
        let query = pieces::shortened(&workflow.query, 60);
        match workflow.phase {
            Phase::Review { .. } => format!("● Review needed: {query} – Agentic IDE"),
            Phase::Submitted
            | Phase::Running
            | Phase::Decided(_)
            | Phase::Completed(_)
            | Phase::Rejected
            | Phase::Cancelled
            | Phase::Failed { .. } => format!("{query} – Agentic IDE"),
        }
    }

    /// Whether requests can be sent.
    pub fn online(&self) -> bool {
        matches!(&self.server, Some(Server::Up(info)) if info.compatibility != Compatibility::None)
    }

    /// Whether a workflow is under way.
    pub fn busy(&self) -> bool {
        self.workflow
            .as_ref()
            .is_some_and(|workflow| !workflow.phase.is_terminal())
    }

    /// Reacts.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        self.unkept |= matches!(
            message,
            Message::Interaction(_) | Message::Review(_) | Message::Submitted(_) | Message::Decided(_)
        );
        let talk = matches!(message, Message::Agents(_) | Message::Shortcut(_));
        let task = self.react(message);
        if talk {
            self.keep_talk();
        }
        task
    }

    fn react(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::Server(server) => self.take_server(server),
            Message::Found(found) => self.take_found(found),
            Message::Look => self.look_for_unfinished(),
            Message::Viewed(Ok(view)) => {
                if let Some(workflow) = &mut self.workflow {
                    workflow.learn(&view);
                }
                Task::none()
            }
            // The list of stages fills from events as well.
            Message::Viewed(Err(error)) => {
                tracing::debug!(%error, "no snapshot");
                Task::none()
            }
            Message::Submitted(Ok(id)) => {
                let query = self.interaction.sent();
                let workspace = self.interaction.workspace.trim().to_owned();
                self.error = None;
                self.attach(Workflow::new(id, query, workspace))
            }
            Message::Submitted(Err(error)) => {
                self.interaction.not_sent(&error);
                self.fail(error)
            }
            Message::Followed(generation, followed) if generation == self.generation => {
                self.take_followed(followed)
            }
            Message::Followed(..) => Task::none(),
            Message::Decided(Ok(())) => {
                self.review.decided();
                self.error = None;
                Task::none()
            }
            Message::Decided(Err(error)) => {
                self.review.not_decided();
                self.fail(error)
            }
            Message::Remark(message) => match (self.remark.update(message), &self.workflow) {
                (Some(text), Some(workflow)) => {
                    Task::perform(self.connection.remark(&workflow.id, text), Message::Remarked)
                }
                (Some(_) | None, _) => Task::none(),
            },
            Message::Remarked(Ok(())) => {
                self.remark.sent();
                self.error = None;
                Task::none()
            }
            Message::Remarked(Err(error)) => {
                self.remark.not_sent();
                self.fail(error)
            }
            Message::Cancelled(Ok(())) => Task::none(),
            Message::Cancelled(Err(error)) => self.fail(error),
            Message::Tick => {
                self.now = (self.clock.now)();
                Task::none()
            }
            Message::Keep => self.keep(),
            Message::Kept => {
                self.keeping = false;
                Task::none()
            }
            Message::Resized(width) => {
                let narrow = width < NARROW;
                if narrow && !self.narrow && self.workflow.is_none() && self.pane != Pane::Agents {
                    self.pane = Pane::Request;
                }
                self.narrow = narrow;
                Task::none()
            }
            Message::Shortcut(shortcut) => self.obey(shortcut),
            Message::Scroll(pages) => {
                let id = match self.pane {
                    Pane::Request | Pane::Writing => writing::scroll_id(),
                    Pane::Review => review::scroll_id(),
                    Pane::Details if self.evidence.is_open() => evidence::scroll_id(),
                    Pane::Details => details::scroll_id(),
                    Pane::Agents => agents::scroll_id(),
                };
                operation::scroll_by(
                    id,
                    AbsoluteOffset {
                        x: 0.0,
                        y: pages * PAGE,
                    },
                )
            }
            Message::Interaction(message) => self.take_interaction(message),
            Message::Review(message) => self.take_review(message),
            Message::Evidence(message) => self.take_evidence(message),
            Message::Agents(message) => self.take_agents(message),
            Message::Pane(pane) => {
                self.pane = pane;
                Task::none()
            }
            Message::ToggleTheme => {
                self.theme = match self.theme {
                    ThemeChoice::Dark => ThemeChoice::Light,
                    ThemeChoice::Light => ThemeChoice::Dark,
                };
                Task::none()
            }
            Message::ToggleSettings => self.toggle_settings(),
            Message::Settings(message) => self.take_settings(message),
            Message::ToggleHelp => {
                self.help = !self.help;
                Task::none()
            }
            Message::Undo => self.take_back(),
            Message::Undone(of, undone) => self.take_undone(&of, undone),
            Message::Cancel => match &self.workflow {
                Some(workflow) if !workflow.phase.is_terminal() => {
                    Task::perform(self.connection.cancel(&workflow.id), Message::Cancelled)
                }
                Some(_) | None => Task::none(),
            },
            Message::NewRequest => {
                if !self.busy() {
                    self.detach();
                }
                operation::focus(interaction::request_id())
            }
            Message::DismissError => {
                self.error = None;
                Task::none()
            }
        }
    }

    /// Whether the question about running without a sandbox lies over the window.
    fn asks_leave(&self) -> bool {
        let mut shown = self.workflow.iter().filter(|_| self.pane != Pane::Agents);
        shown.any(|workflow| self.review.asks_leave(workflow))
    }

    fn take_server(&mut self, server: Server) -> Task<Message> {
        let task = match &server {
            Server::Up(info) if info.compatibility == Compatibility::None => {
                let (client, server) = (VERSION.to_owned(), info.version.clone());
                self.error = Some(Error::Incompatible { client, server });
                Task::none()
            }
            Server::Up(_) => {
                if matches!(
                    self.error,
                    Some(Error::Unreachable { .. } | Error::Incompatible { .. })
                ) {
                    self.error = None;
                }
                Task::none()
            }
            Server::Down(_) => Task::none(),
        };
        self.server = Some(server);
        // A request given at the start goes first; it is what the person wants now.
        if self.online() && !self.looked && self.options.request.take().is_some() {
            self.looked = true;
            return self.take_interaction(interaction::Message::Send);
        }
        Task::batch([task, self.look_for_unfinished()])
    }

    fn take_interaction(&mut self, message: interaction::Message) -> Task<Message> {
        if matches!(message, interaction::Message::Send) && (self.busy() || !self.online()) {
            return Task::none();
        }
        let (task, event) = self
            .interaction
            .update(message, &self.config.workflow_type, self.clock.new_id);
        let task = task.map(Message::Interaction);
        match event {
            Some(interaction::Event::Submit(request)) => Task::batch([
                task,
                Task::perform(self.connection.submit(request), Message::Submitted),
            ]),
            Some(interaction::Event::Shortcut(shortcut)) => Task::batch([task, self.obey(shortcut)]),
            None => task,
        }
    }

    fn take_review(&mut self, message: review::Message) -> Task<Message> {
        let look = self.look();
        let Some(workflow) = &self.workflow else {
            return Task::none();
        };
        let (task, event) = self.review.update(message, workflow, look);
        let task = task.map(Message::Review);
        match event {
            Some(review::Event::Decide(request)) => {
                let sent = self.connection.decide(&workflow.id, request);
                Task::batch([task, Task::perform(sent, Message::Decided)])
            }
            Some(review::Event::Shortcut(shortcut)) => Task::batch([task, self.obey(shortcut)]),
            None => task,
        }
    }

    fn take_evidence(&mut self, message: evidence::Message) -> Task<Message> {
        let look = self.look();
        let Some(workflow) = &self.workflow else {
            return Task::none();
        };
        let (task, wanted) = self.evidence.update(message, workflow, look);
        let task = task.map(Message::Evidence);
        let Some(check) = wanted else { return task };
        self.pane = Pane::Details;
        let log = self.connection.log(&workflow.id, &check);
        let loaded = move |log| Message::Evidence(evidence::Message::Loaded(check.clone(), log));
        Task::batch([task, Task::perform(log, loaded)])
    }

    fn obey(&mut self, shortcut: Shortcut) -> Task<Message> {
        let over_settings = matches!(
            shortcut,
            Shortcut::Settings | Shortcut::Close | Shortcut::NextField | Shortcut::PreviousField
        );
        if self.settings.is_some() && !over_settings {
            // What lies under them is not acted on unseen.
            return Task::none();
        }
        if let Some(task) = self.obey_for_agents(shortcut) {
            return task;
        }
        let review = |message| Message::Review(message);
        let message = match shortcut {
            Shortcut::Send if self.review.feedback.is_some() => review(review::Message::Send),
            Shortcut::Send => Message::Interaction(interaction::Message::Send),
            Shortcut::Accept => review(review::Message::Accept),
            Shortcut::Reject => review(review::Message::Reject),
            Shortcut::Modify => {
                self.pane = Pane::Review;
                review(review::Message::Modify)
            }
            Shortcut::Cancel => Message::Cancel,
            Shortcut::Undo => Message::Undo,
            Shortcut::ShowCode => Message::Pane(Pane::Writing),
            Shortcut::ShowDiff => Message::Pane(Pane::Review),
            Shortcut::ShowDetails => Message::Pane(Pane::Details),
            Shortcut::ShowAgents => Message::Pane(Pane::Agents),
            Shortcut::NextField => return operation::focus_next(),
            Shortcut::PreviousField => return operation::focus_previous(),
            // They have a meaning among the agents alone.
            Shortcut::NextAct | Shortcut::PreviousAct | Shortcut::Act => return Task::none(),
            Shortcut::NextChange => review(review::Message::Jump(Toward::Next)),
            Shortcut::PreviousChange => review(review::Message::Jump(Toward::Previous)),
            Shortcut::NextFile => review(review::Message::Step(Toward::Next)),
            Shortcut::PreviousFile => review(review::Message::Step(Toward::Previous)),
            Shortcut::ToggleFold => review(review::Message::ToggleView),
            Shortcut::ToggleLayout => review(review::Message::ToggleLayout),
            Shortcut::ToggleHunk => review(review::Message::ToggleHunk),
            Shortcut::ToggleFile => review(review::Message::ToggleFile),
            Shortcut::Edit => review(review::Message::Edit),
            Shortcut::ShowLog => Message::Evidence(evidence::Message::Next),
            Shortcut::Find => Message::Evidence(evidence::Message::Find),
            Shortcut::FocusRequest => Message::NewRequest,
            Shortcut::Settings => Message::ToggleSettings,
            Shortcut::ToggleTheme => Message::ToggleTheme,
            Shortcut::ScrollDown => Message::Scroll(1.0),
            Shortcut::ScrollUp => Message::Scroll(-1.0),
            Shortcut::Help => Message::ToggleHelp,
            Shortcut::Close if self.settings.is_some() => Message::ToggleSettings,
            Shortcut::Close if self.help => Message::ToggleHelp,
            Shortcut::Close if self.asks_leave() => review(review::Message::Later),
            Shortcut::Close if self.review.text.is_some() => review(review::Message::Keep),
            Shortcut::Close if self.review.feedback.is_some() => review(review::Message::Back),
            Shortcut::Close if self.pane == Pane::Details && self.evidence.is_open() => {
                Message::Evidence(evidence::Message::Close)
            }
            Shortcut::Close => Message::DismissError,
        };
        self.update(message)
    }

    fn fail(&mut self, error: Error) -> Task<Message> {
        tracing::warn!(%error, code = %error.code(), "an action failed");
        self.error = Some(error);
        Task::none()
    }
}

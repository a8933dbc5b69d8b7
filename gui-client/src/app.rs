//! The window as a whole: joins the connection, the model and the screens.
//!
//! It holds nothing that would be lost when it is closed: workflows live in the
//! backend, the newest unfinished one is shown again after a start, and drafts
//! are kept on the disk.

mod bar;
mod calling;
mod configuring;
mod following;
mod keeping;
mod listing;
mod message;
mod obeying;
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
    id::Seq,
    version::{Compatibility, VERSION},
};

use crate::{
    Error,
    agent::reach::Reach,
    attention::Desktop,
    clock::Clock,
    config::{Config, ThemeChoice},
    connection::{Connection, Server},
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
        fork::Fork,
        interaction::{self, Interaction, attach},
        remark::Remark,
        review::{self, Review},
        settings::Settings,
        undo::Undo,
        workflows::{self, Workflows},
        writing,
    },
    theme::Look,
    widget::pieces,
};

pub use message::{Focus, Message};
pub use subscription::subscription;
pub use view::view;

/// Width that a window begins with, and below which one pane is shown at a time,
/// in logical pixels.
const WIDTH: f32 = 1280.0;
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
    /// What shows a person who looks elsewhere that they are asked, if anything does.
    pub desktop: Option<Arc<dyn Desktop>>,
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
    /// The workflows of the backend.
    Workflows,
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
    /// The list of workflows.
    pub workflows: Workflows,
    /// Beginning anew from a stage.
    pub fork: Fork,
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
    /// Whether what the bar has no room for is shown.
    pub menu: bool,
    /// Width of the window, in logical pixels.
    width: f32,
    /// Whether the window is the one that a person writes in.
    pub in_front: bool,
    /// Whether an unfinished workflow was, or is being, looked for.
    looked: bool,
    /// How often that failed.
    look_failures: u32,
    /// Seconds since the Unix epoch, as of the last tick.
    now: u64,
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
            workflows: Workflows::default(),
            fork: Fork::default(),
            pane: Pane::Writing,
            error: None,
            help: false,
            menu: false,
            width: WIDTH,
            in_front: false,
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

    /// Whether there is room for one pane only.
    fn is_narrow(&self) -> bool {
        self.width < NARROW
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
        // Whatever was chosen, the list has done its work.
        self.menu &= !matches!(
            message,
            Message::Pane(_) | Message::ToggleTheme | Message::ToggleSettings | Message::ToggleHelp
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
            Message::Followed(generation, all) => {
                let mut tasks = Vec::new();
                for followed in all {
                    // What came may have begun another subscription.
                    if generation == self.generation {
                        tasks.push(self.take_followed(followed));
                    }
                }
                Task::batch(tasks)
            }
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
            Message::Cancelled(Ok(())) if self.pane == Pane::Workflows => self.list(),
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
                let was_narrow = self.is_narrow();
                self.width = width;
                let is_fresh = self.workflow.is_none() && self.pane != Pane::Agents;
                if is_fresh && self.is_narrow() && !was_narrow {
                    self.pane = Pane::Request;
                }
                Task::none()
            }
            Message::Focused(focus) => {
                self.in_front = focus == Focus::Gained;
                Task::none()
            }
            Message::Shortcut(shortcut) => self.obey(shortcut),
            Message::Typed(text) => self.take_typed(text),
            Message::Scroll(pages) => {
                let id = match self.pane {
                    Pane::Request | Pane::Writing => writing::scroll_id(),
                    Pane::Review => review::scroll_id(),
                    Pane::Details if self.evidence.is_open() => evidence::scroll_id(),
                    Pane::Details => details::scroll_id(),
                    Pane::Workflows => workflows::scroll_id(),
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
            Message::Dropped(path) => self.attach_file(path),
            Message::Attached(Ok(words)) => {
                self.interaction.insert(words);
                self.unkept = true;
                Task::none()
            }
            Message::Attached(Err(error)) => self.fail(error),
            Message::Interaction(message) => self.take_interaction(message),
            Message::Review(message) => self.take_review(message),
            Message::Evidence(message) => self.take_evidence(message),
            Message::Workflows(message) => self.take_workflows(message),
            Message::Fork(message) => self.take_fork(message),
            Message::Forked(forked) => self.take_forked(forked),
            Message::Agents(message) => self.take_agents(message),
            Message::Pane(pane) => {
                self.pane = pane;
                match pane {
                    Pane::Workflows => self.list(),
                    Pane::Request | Pane::Writing | Pane::Review | Pane::Details | Pane::Agents => {
                        Task::none()
                    }
                }
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
            Message::ToggleMenu => {
                self.menu = !self.menu;
                Task::none()
            }
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
            Message::Leave => self.leave(),
            Message::DismissError => {
                self.error = None;
                Task::none()
            }
        }
    }

    /// Whether the question about running without a sandbox lies over the window.
    fn asks_permission(&self) -> bool {
        let mut shown = self.workflow.iter().filter(|_| self.pane != Pane::Agents);
        shown.any(|workflow| self.review.asks_permission(workflow))
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

    /// A dropped file becomes words of the request that is being written.
    fn attach_file(&self, path: PathBuf) -> Task<Message> {
        if self.workflow.is_some() || self.pane == Pane::Agents {
            return Task::none();
        }
        let workspace = match (self.interaction.workspace.trim(), &self.server) {
            ("", Some(Server::Up(info))) => info.default_workspace.clone(),
            (own, _) => own.to_owned(),
        };
        let words = tokio::task::spawn_blocking(move || attach::words(&path, &workspace));
        let told = async {
            words
                .await
                .unwrap_or_else(|error| Err(Error::Unexpected(error.to_string())))
        };
        Task::perform(told, Message::Attached)
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

    fn fail(&mut self, error: Error) -> Task<Message> {
        tracing::warn!(%error, code = %error.code(), "an action failed");
        self.error = Some(error);
        Task::none()
    }
}

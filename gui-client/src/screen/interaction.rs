//! The pane on the left, upper part: what to build, and where.

pub mod attach;

use std::sync::Arc;

use iced::{
    Alignment, Element, Length, Task,
    widget::{Id, column, container, operation, row, space, text, text_editor, text_input},
};
use shared::{
    command::{self, Asked, Command},
    id::CorrelationId,
    wire::SubmitRequest,
};

use crate::{
    Error,
    model::Workflow,
    shortcut::Shortcut,
    theme::{
        GAP, Look,
        style::{self, Surface, Tone},
    },
    widget::{commands, keys, pieces},
};

/// Longest request, in characters; the backend has its own limit.
pub const REQUEST_CHARS_MAX: usize = 20_000;
/// Characters of a request that are shown once it is sent.
const QUERY_CHARS_MAX: usize = 280;

/// Id of the request editor.
pub fn request_id() -> Id {
    Id::new("request")
}

/// Id of the workspace field.
pub fn workspace_id() -> Id {
    Id::new("workspace")
}

/// What a person is writing.
#[derive(Debug, Default)]
pub struct Interaction {
    /// The draft.
    pub request: text_editor::Content,
    /// Workspace on the backend's machine; empty for the backend's own one.
    pub workspace: String,
    /// Whether the backend has not answered yet.
    pub sending: bool,
    /// What was sent last and not acknowledged: the same request is sent again
    /// with the same correlation id, so that it cannot start twice.
    unacknowledged: Option<SubmitRequest>,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// The draft was edited.
    Edited(text_editor::Action),
    /// The workspace was edited.
    Workspace(String),
    /// The name of a command is to be completed.
    Complete(Command),
    /// The request is to be sent.
    Send,
    /// A shortcut was pressed while writing.
    Shortcut(Shortcut),
}

/// What the window must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Submit this.
    Submit(SubmitRequest),
    /// Obey a shortcut.
    Shortcut(Shortcut),
}

impl Interaction {
    /// A pane with this workspace and draft.
    pub fn new(workspace: String, draft: &str) -> Self {
        Self {
            request: text_editor::Content::with_text(draft),
            workspace,
            ..Self::default()
        }
    }

    /// Writes words where the cursor is.
    pub fn insert(&mut self, words: String) {
        let paste = text_editor::Edit::Paste(Arc::new(words));
        self.request.perform(text_editor::Action::Edit(paste));
    }

    /// Whether there is something to send.
    pub fn can_send(&self) -> bool {
        let text = self.request.text();
        let is_whole = !matches!(command::parse(&text), Asked::Incomplete(_));
        is_whole && !self.sending && !text.trim().is_empty() && text.chars().count() <= REQUEST_CHARS_MAX
    }

    /// Reacts.
    pub fn update(
        &mut self,
        message: Message,
        workflow_type: &str,
        new_id: fn() -> CorrelationId,
    ) -> (Task<Message>, Option<Event>) {
        match message {
            Message::Edited(action) => {
                self.request.perform(action);
                (Task::none(), None)
            }
            Message::Workspace(workspace) => {
                self.workspace = workspace;
                (Task::none(), None)
            }
            Message::Complete(command) => {
                self.request = commands::begun_with(command.name);
                (operation::focus(request_id()), None)
            }
            Message::Shortcut(shortcut) => (Task::none(), Some(Event::Shortcut(shortcut))),
            Message::Send => {
                if !self.can_send() {
                    return (Task::none(), None);
                }
                self.sending = true;
                (
                    Task::none(),
                    Some(Event::Submit(self.compose(workflow_type, new_id))),
                )
            }
        }
    }

    fn compose(&mut self, workflow_type: &str, new_id: fn() -> CorrelationId) -> SubmitRequest {
        let workspace = Some(self.workspace.trim().to_owned()).filter(|path| !path.is_empty());
        let text = self.request.text();
        let (workflow_type, user_query) = match command::parse(&text) {
            Asked::Work { definition, query } => (definition, query),
            Asked::Words | Asked::Incomplete(_) => (workflow_type, text.trim().to_owned()),
        };
        let mut request = SubmitRequest {
            workflow_type: workflow_type.to_owned(),
            user_query,
            correlation_id: None,
            workspace,
            model: None,
            thought_level: None,
            retrieval: None,
            folders: Vec::new(),
            images: Vec::new(),
        };
        let before = self.unacknowledged.take();
        let same = before.filter(|before| {
            SubmitRequest {
                correlation_id: None,
                ..before.clone()
            } == request
        });
        request.correlation_id = same
            .and_then(|before| before.correlation_id)
            .or_else(|| Some(new_id().as_str().to_owned()));
        self.unacknowledged = Some(request.clone());
        request
    }

    /// The backend has the request: the draft is done.
    pub fn sent(&mut self) -> String {
        self.sending = false;
        self.unacknowledged = None;
        let text = self.request.text();
        self.request = text_editor::Content::new();
        text.trim().to_owned()
    }

    /// The backend does not have the request: the draft stays.
    pub fn not_sent(&mut self, error: &Error) {
        self.sending = false;
        tracing::warn!(%error, "the request was not submitted");
    }

    /// The pane while nothing runs: the editor.
    pub fn view<'a>(&'a self, look: Look, online: bool, default_workspace: &'a str) -> Element<'a, Message> {
        let written = self.request.text();
        let offered = commands::offered(&command::ALL, |command| command.name, &written).unwrap_or_default();
        let first = offered.first().map(|command| **command);
        let editor = text_editor(&self.request)
            .id(request_id())
            .placeholder("Describe a feature, or begin with / for another kind of work. For example: “Lock an account for 15 minutes after five wrong passwords.”")
            .size(look.size)
            .padding(12)
            .height(Length::Fixed(132.0))
            .wrapping(text::Wrapping::WordOrGlyph)
            .on_action(Message::Edited)
            .key_binding(move |press| {
                let mut own = vec![(Shortcut::Send, Message::Send)];
                own.extend(first.map(|command| (Shortcut::NextField, Message::Complete(command))));
                keys::bind(press, &own, Message::Shortcut)
            })
            .style(style::editor(look));
        let placeholder = if default_workspace.is_empty() {
            "/path/on/the/backend"
        } else {
            default_workspace
        };
        let workspace = text_input(placeholder, &self.workspace)
            .id(workspace_id())
            .size(look.small())
            .padding([8, 12])
            .on_input(Message::Workspace)
            .on_submit(Message::Send)
            .style(style::field(look));
        let send = (online && self.can_send()).then_some(Message::Send);
        let hint = if self.sending {
            "Sending…".to_owned()
        } else if !online {
            "Waiting for the backend".to_owned()
        } else if let Asked::Incomplete(command) = command::parse(&written) {
            format!("Write {}", command.hint)
        } else {
            "Ctrl+Enter".to_owned()
        };
        let mut parts = column![pieces::heading(look, "Request"), editor].spacing(GAP);
        if !offered.is_empty() {
            parts = parts.push(column(offered.into_iter().map(|command| {
                let completed = Message::Complete(*command);
                commands::line(look, command.name, command.hint, command.about, completed)
            })));
        }
        let end = row![
            text(hint).size(look.small()).color(look.colors.faint),
            space::horizontal(),
            pieces::action(look, Tone::Primary, "Send", send),
        ];
        parts
            .push(pieces::heading(look, "Workspace"))
            .push(workspace)
            .push(end.align_y(Alignment::Center))
            .into()
    }
}

/// The pane while a workflow runs: what was asked for.
pub fn asked<'a, Message: 'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let mut parts = column![
        pieces::heading(look, "Request"),
        container(
            text(pieces::shortened(&workflow.query, QUERY_CHARS_MAX))
                .size(look.size)
                .wrapping(text::Wrapping::WordOrGlyph)
        )
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Card)),
    ]
    .spacing(GAP);
    for feedback in &workflow.feedback {
        parts = parts.push(
            container(
                row![
                    text("↳").size(look.size).color(look.colors.accent),
                    text(pieces::shortened(feedback, QUERY_CHARS_MAX))
                        .size(look.size)
                        .wrapping(text::Wrapping::WordOrGlyph),
                ]
                .spacing(GAP),
            )
            .padding(12)
            .width(Length::Fill)
            .style(style::surface(look, Surface::Card)),
        );
    }
    if !workflow.workspace.is_empty() {
        parts = parts.push(
            text(workflow.workspace.as_str())
                .size(look.small())
                .color(look.colors.faint)
                .wrapping(text::Wrapping::WordOrGlyph),
        );
    }
    parts.into()
}

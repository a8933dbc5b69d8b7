//! The question whether something may be done, over the window.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, opaque, row, space, text},
};
use shared::wire::{Decision, ToolEffect, WantedCall};

use super::{Event, Message, Review};
use crate::{
    model::{Permission, Workflow},
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// What it comes to where nothing isolates what is run.
const UNISOLATED: &str = "What a model wrote, and the project's own scripts, would be built and tested with your rights: it could \
                       read and change what you can, and reach the network. It runs on a copy of the workspace. Without it, \
                       the proposal comes for review untested.";

/// What it comes to where a model wants to call a tool.
const TOOL: &str = "The server does not say that this tool only reads. What it does is no part of the proposal: you are not shown \
                    it, and it is not undone. Without it, the model goes on.";

/// What the dialog says.
struct Words<'a> {
    title: &'static str,
    /// What is asked about: in short, and in whole.
    about: (String, &'a str),
    meaning: &'static str,
    /// Yes and no, once.
    now: [&'static str; 2],
}

impl<'a> Words<'a> {
    fn of(permission: Permission<'a>) -> Self {
        match permission {
            Permission::Unisolated(reason) => Self {
                title: "Build and test without a sandbox?",
                about: ("Nothing isolates what is run".to_owned(), reason),
                meaning: UNISOLATED,
                now: ["Run it this once", "Do not run it"],
            },
            Permission::Tool(call) => Self {
                title: "May the model call this tool?",
                about: (named(call), call.arguments.as_str()),
                meaning: TOOL,
                now: ["Call it this once", "Not this time"],
            },
        }
    }
}

/// A tool, and what its server says that it does.
fn named(call: &WantedCall) -> String {
    let WantedCall { server, tool, .. } = call;
    match call.effect {
        ToolEffect::Unknown => format!("{server}: {tool}"),
        ToolEffect::Adds => format!("{server}: {tool}, which only adds"),
        ToolEffect::Destroys => format!("{server}: {tool}, which may destroy"),
    }
}

impl Review {
    /// Whether the question lies over the window.
    pub fn asks_permission(&self, workflow: &Workflow) -> bool {
        !self.is_put_off && workflow.permission_asked().is_some()
    }

    /// The question with its four answers, if it is asked and nobody has put it off.
    pub fn permission<'a>(&self, look: Look, workflow: &'a Workflow) -> Option<Element<'a, Message>> {
        let permission = workflow.permission_asked().filter(|_| !self.is_put_off)?;
        let Words {
            title,
            about: (what, whole),
            meaning,
            now: [yes, no],
        } = Words::of(permission);
        let when = |decision: Decision, message: Message| self.may(decision, workflow).then_some(message);
        let once = |decision: Decision| match decision {
            Decision::Reject => Message::Reject,
            Decision::Accept | Decision::Modify => Message::Accept,
        };
        let answers = |decision: Decision, tone: Tone, now: &'static str, for_good: &'static str| {
            row![
                pieces::action(look, tone, now, when(decision, once(decision))),
                pieces::choice(
                    look,
                    Tone::Quiet,
                    for_good,
                    when(decision, Message::ForGood(decision))
                ),
            ]
            .spacing(GAP)
            .align_y(Alignment::Center)
        };
        let content = column![
            row![
                text(title).font(UI_STRONG).size(look.large()),
                space::horizontal(),
                pieces::choice(look, Tone::Quiet, "Later", Some(Message::Later)),
            ]
            .align_y(Alignment::Center),
            pieces::card(look, Surface::Warning, what, whole),
            text(meaning).size(look.size),
            pieces::remark(look, format!("Workspace: {}", workflow.workspace)),
            answers(Decision::Accept, Tone::Primary, yes, "Always in this workspace"),
            answers(Decision::Reject, Tone::Reject, no, "Never in this workspace"),
        ]
        .spacing(SPACE);
        let dialog = container(content)
            .padding(24)
            .max_width(560)
            .style(style::surface(look, Surface::Dialog));
        let shade = container(opaque(dialog))
            .center(Length::Fill)
            .padding(SPACE)
            .style(style::surface(look, Surface::Shade));
        Some(opaque(shade))
    }
}

/// The same answer, for the workspace from now on.
pub(super) fn for_good(event: Event) -> Event {
    match event {
        Event::Decide(mut request) => {
            request.remember = true;
            Event::Decide(request)
        }
        Event::Shortcut(_) => event,
    }
}

/// Whether what is asked is about the proposal itself: parts of it can be taken.
pub(super) fn asks_about_proposal(workflow: &Workflow) -> bool {
    workflow.failure_asked().is_none() && workflow.permission_asked().is_none()
}

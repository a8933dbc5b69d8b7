//! The question whether code may run without a sandbox, over the window.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, opaque, row, space, text},
};
use shared::wire::Decision;

use super::{Event, Message, Review};
use crate::{
    model::Workflow,
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// What it comes to.
const MEANING: &str = "What a model wrote, and the project's own scripts, would be built and tested with your rights: it could \
                       read and change what you can, and reach the network. It runs on a copy of the workspace. Without it, \
                       the proposal comes for review untested.";

impl Review {
    /// Whether the question lies over the window.
    pub fn asks_leave(&self, workflow: &Workflow) -> bool {
        !self.is_put_off && workflow.leave_asked().is_some()
    }

    /// The question with its four answers, if it is asked and nobody has put it off.
    pub fn leave<'a>(&self, look: Look, workflow: &'a Workflow) -> Option<Element<'a, Message>> {
        let reason = workflow.leave_asked().filter(|_| !self.is_put_off)?;
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
                text("Build and test without a sandbox?")
                    .font(UI_STRONG)
                    .size(look.large()),
                space::horizontal(),
                pieces::choice(look, Tone::Quiet, "Later", Some(Message::Later)),
            ]
            .align_y(Alignment::Center),
            pieces::card(look, Surface::Warning, "Nothing isolates what is run", reason),
            text(MEANING).size(look.size),
            pieces::remark(look, format!("Workspace: {}", workflow.workspace)),
            answers(
                Decision::Accept,
                Tone::Primary,
                "Run it this once",
                "Always in this workspace"
            ),
            answers(
                Decision::Reject,
                Tone::Reject,
                "Do not run it",
                "Never in this workspace"
            ),
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
    workflow.failure_asked().is_none() && workflow.leave_asked().is_none()
}

//! What a shortcut means, by what is shown.

use iced::{Task, widget::operation};

use super::{App, Message, Pane};
use crate::{
    screen::{
        evidence, fork, interaction,
        review::{self, Toward},
    },
    shortcut::Shortcut,
};

impl App {
    /// What is typed right after a field was opened, before that has the keyboard, is
    /// written into it.
    pub(super) fn take_typed(&mut self, text: String) -> Task<Message> {
        let is_covered = self.help || self.menu || self.settings.is_some() || self.asks_permission();
        if self.pane != Pane::Review || is_covered {
            return Task::none();
        }
        self.update(Message::Review(review::Message::Write(text)))
    }

    pub(super) fn obey(&mut self, shortcut: Shortcut) -> Task<Message> {
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
        if let Some(task) = self.obey_for_workflows(shortcut) {
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
            Shortcut::ShowWorkflows => Message::Pane(Pane::Workflows),
            Shortcut::ShowAgents => Message::Pane(Pane::Agents),
            Shortcut::NextField => return operation::focus_next(),
            Shortcut::PreviousField => return operation::focus_previous(),
            Shortcut::NextAct => Message::Fork(fork::Message::Step(Toward::Next)),
            Shortcut::PreviousAct => Message::Fork(fork::Message::Step(Toward::Previous)),
            Shortcut::Act => Message::Fork(fork::Message::Press),
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
            Shortcut::Close if self.menu => Message::ToggleMenu,
            Shortcut::Close if self.asks_permission() => review(review::Message::Later),
            Shortcut::Close if self.review.text.is_some() => review(review::Message::Keep),
            Shortcut::Close if self.review.feedback.is_some() => review(review::Message::Back),
            Shortcut::Close if self.pane == Pane::Details && self.evidence.is_open() => {
                Message::Evidence(evidence::Message::Close)
            }
            Shortcut::Close => Message::DismissError,
        };
        self.update(message)
    }
}

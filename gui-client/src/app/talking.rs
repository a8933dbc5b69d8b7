//! Talking with agents: what the screen wants of the window, and which shortcuts
//! mean something else there.

use iced::Task;

use super::{App, Message, Pane};
use crate::{
    attention::Call,
    screen::{
        agents::{self, Act, Plain},
        review::Toward,
    },
    shortcut::Shortcut,
};

impl App {
    pub(super) fn take_agents(&mut self, message: agents::Message) -> Task<Message> {
        let (task, event) = self.agents.update(message);
        let task = task.map(Message::Agents);
        match event {
            Some(agents::Event::Shortcut(shortcut)) => Task::batch([task, self.obey(shortcut)]),
            Some(agents::Event::Attention) => {
                let name = self.agents.info().and_then(|info| info.name.clone());
                let call = Call {
                    title: "An agent waits for your answer".to_owned(),
                    content: name.unwrap_or_default(),
                };
                Task::batch([task, self.call(call)])
            }
            None => task,
        }
    }

    /// What a shortcut means while the agents are shown, if it means something else
    /// there.
    pub(super) fn obey_for_agents(&mut self, shortcut: Shortcut) -> Option<Task<Message>> {
        if self.pane != Pane::Agents || self.help || self.settings.is_some() {
            return None;
        }
        let message = match shortcut {
            Shortcut::Send => agents::Message::Act(Act::Send),
            // A proposal that is not shown is not decided on.
            Shortcut::Accept => match self.agents.plain_answer(Plain::Yes) {
                Some(act) => agents::Message::Act(act),
                None => return Some(Task::none()),
            },
            Shortcut::Reject => match self.agents.plain_answer(Plain::No) {
                Some(act) => agents::Message::Act(act),
                None => return Some(Task::none()),
            },
            Shortcut::Modify
            | Shortcut::Undo
            | Shortcut::ToggleHunk
            | Shortcut::ToggleFile
            | Shortcut::Edit => {
                return Some(Task::none());
            }
            Shortcut::Cancel => agents::Message::Act(Act::Stop),
            Shortcut::NextAct => agents::Message::Step(Toward::Next),
            Shortcut::PreviousAct => agents::Message::Step(Toward::Previous),
            Shortcut::Act => agents::Message::Press,
            Shortcut::FocusRequest => return Some(self.agents.focus().map(Message::Agents)),
            Shortcut::Close => agents::Message::Act(Act::Dismiss),
            Shortcut::ShowCode
            | Shortcut::ShowDiff
            | Shortcut::ShowDetails
            | Shortcut::ShowAgents
            | Shortcut::ShowWorkflows
            | Shortcut::NextField
            | Shortcut::PreviousField
            | Shortcut::NextChange
            | Shortcut::PreviousChange
            | Shortcut::NextFile
            | Shortcut::PreviousFile
            | Shortcut::ToggleFold
            | Shortcut::ToggleLayout
            | Shortcut::ShowLog
            | Shortcut::Find
            | Shortcut::Settings
            | Shortcut::ToggleTheme
            | Shortcut::ScrollDown
            | Shortcut::ScrollUp
            | Shortcut::Help => return None,
        };
        Some(self.take_agents(message))
    }

    /// Keeps what must not be lost when the window is closed, if it has changed.
    pub(super) fn keep_talk(&mut self) {
        let mut talk = self.talk.clone();
        self.agents.keep(&mut talk);
        if talk != self.talk {
            self.options.talks.save(&talk);
            self.talk = talk;
        }
    }
}

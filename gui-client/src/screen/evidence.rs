//! What the checks of a proposal printed: fetched when it is asked for, shown
//! in place of the other details, and searched.

use iced::{
    Alignment, Element, Length, Task,
    widget::{
        Id, column, container, operation, row, scrollable, scrollable::AbsoluteOffset, text, text_input,
    },
};

use super::progress::title;
use crate::{
    Error,
    model::{Workflow, log::Log},
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Tone},
    },
    widget::{
        code::{Code, row_top},
        pieces,
        rows::Rows,
    },
};

/// Rows left above what was found.
const ROWS_ABOVE: usize = 3;

/// Id of the scrolled log.
pub fn scroll_id() -> Id {
    Id::new("log")
}

/// Id of the search field.
pub fn search_id() -> Id {
    Id::new("log search")
}

/// The log that is looked at, if any.
#[derive(Debug, Default)]
pub struct Evidence {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// Name of the check.
    check: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Loading,
    Shown(Log),
    Missing(Error),
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// Show the log of a check.
    Open(String),
    /// Show the log of the next check that has one.
    Next,
    /// The log of a check, or why it cannot be had.
    Loaded(String, Result<String, Error>),
    /// Search for this.
    Search(String),
    /// Go on in what was found.
    Step(isize),
    /// Write what to search for.
    Find,
    /// Show the other details again.
    Close,
}

impl Evidence {
    /// Whether a log is shown.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Reacts; the check whose log has to be fetched, if one has.
    pub fn update(
        &mut self,
        message: Message,
        workflow: &Workflow,
        look: Look,
    ) -> (Task<Message>, Option<String>) {
        let task = match message {
            Message::Open(check) => return (Task::none(), Some(self.open(check))),
            Message::Next => {
                let next = self.next(workflow);
                return (Task::none(), next.map(|check| self.open(check)));
            }
            Message::Loaded(check, answer) => {
                if let Some(open) = self.open.as_mut().filter(|open| open.check == check) {
                    open.content = match answer {
                        Ok(log) => Content::Shown(Log::new(&log)),
                        Err(error) => Content::Missing(error),
                    };
                }
                // What it says at its end says most.
                operation::snap_to(scroll_id(), scrollable::RelativeOffset { x: 0.0, y: 1.0 })
            }
            Message::Search(query) => self.find(look, |log| log.search(query)),
            Message::Step(steps) => self.find(look, |log| log.step(steps)),
            Message::Find => operation::focus(search_id()),
            Message::Close => {
                self.open = None;
                Task::none()
            }
        };
        (task, None)
    }

    fn open(&mut self, check: String) -> String {
        self.open = Some(Open {
            check: check.clone(),
            content: Content::Loading,
        });
        check
    }

    fn next(&self, workflow: &Workflow) -> Option<String> {
        let logs: Vec<&str> = workflow
            .checks
            .iter()
            .filter(|check| check.has_log)
            .map(|check| check.name.as_str())
            .collect();
        let open = self
            .open
            .as_ref()
            .and_then(|open| logs.iter().position(|name| *name == open.check));
        let next = open.map_or(0, |at| (at + 1) % logs.len().max(1));
        logs.get(next).map(|name| (*name).to_owned())
    }

    fn find(&mut self, look: Look, act: impl FnOnce(&mut Log)) -> Task<Message> {
        let Some(Open {
            content: Content::Shown(log),
            ..
        }) = &mut self.open
        else {
            return Task::none();
        };
        act(log);
        match log.current() {
            Some(line) => {
                let y = row_top(look, line.saturating_sub(ROWS_ABOVE));
                operation::scroll_to(scroll_id(), AbsoluteOffset { x: 0.0, y })
            }
            None => Task::none(),
        }
    }

    /// The log that is open.
    pub fn view(&self, look: Look) -> Option<Element<'_, Message>> {
        let open = self.open.as_ref()?;
        let quiet = |label: &str, message: Option<Message>| pieces::choice(look, Tone::Quiet, label, message);
        let mut head = row![
            text(title(&open.check))
                .font(UI_STRONG)
                .size(look.small())
                .wrapping(text::Wrapping::None),
        ];
        let content: Element<'_, Message> = match &open.content {
            Content::Loading => note(look, "Fetching what it printed…"),
            Content::Missing(error) => note(look, error.to_string()),
            Content::Shown(log) => {
                let (at, count) = log.count();
                let found = if log.query().is_empty() {
                    format!("{} lines", log.lines.len())
                } else {
                    format!("{at} of {count}")
                };
                let field = text_input("Search", log.query())
                    .id(search_id())
                    .size(look.small())
                    .padding([6, 10])
                    .width(220)
                    .on_input(Message::Search)
                    .on_submit(Message::Step(1))
                    .style(style::field(look));
                let step = |steps: isize| (count > 0).then_some(Message::Step(steps));
                head = head
                    .push(field)
                    .push(text(found).size(look.small()).color(look.colors.muted))
                    .push(quiet("↑", step(-1)))
                    .push(quiet("↓", step(1)));
                scrollable(Code::new(Rows::Log(log), look))
                    .id(scroll_id())
                    .width(Length::Fill)
                    .height(Length::Fill)
                    .style(style::scroll(look))
                    .into()
            }
        };
        let head = head
            .push(iced::widget::space::horizontal())
            .push(quiet("Close", Some(Message::Close)))
            .spacing(GAP)
            .padding([6.0, SPACE])
            .align_y(Alignment::Center);
        Some(column![head, pieces::line_across(look), content].into())
    }
}

fn note<'a>(look: Look, content: impl Into<String>) -> Element<'a, Message> {
    container(pieces::remark(look, content))
        .center(Length::Fill)
        .into()
}

//! The line on the left while a workflow runs: a word to whoever works.

use iced::{
    Alignment, Element,
    widget::{Id, row, text_input},
};

use crate::{
    theme::{
        GAP, Look,
        style::{self, Tone},
    },
    widget::pieces,
};

/// Longest remark, in characters; the backend has its own limit.
pub const REMARK_CHARS_MAX: usize = 10_000;

/// Id of the field.
pub fn remark_id() -> Id {
    Id::new("remark")
}

/// What a person is writing.
#[derive(Debug, Default)]
pub struct Remark {
    /// The draft.
    pub text: String,
    /// Whether the backend has not answered yet.
    sending: bool,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// The draft was edited.
    Edited(String),
    /// It is to be sent.
    Send,
}

impl Remark {
    /// Whether there is something to send.
    fn can_send(&self) -> bool {
        !self.sending && !self.text.trim().is_empty() && self.text.chars().count() <= REMARK_CHARS_MAX
    }

    /// Reacts; the remark that has to be sent, if one has.
    pub fn update(&mut self, message: Message) -> Option<String> {
        match message {
            Message::Edited(text) => {
                self.text = text;
                None
            }
            Message::Send => {
                self.sending = self.can_send();
                self.sending.then(|| self.text.trim().to_owned())
            }
        }
    }

    /// The backend has it: the draft is done.
    pub fn sent(&mut self) {
        *self = Self::default();
    }

    /// The backend does not have it: the draft stays.
    pub fn not_sent(&mut self) {
        self.sending = false;
    }

    /// The line.
    pub fn view(&self, look: Look, online: bool) -> Element<'_, Message> {
        let field = text_input("Add a remark for the next step", &self.text)
            .id(remark_id())
            .size(look.small())
            .padding([8, 12])
            .on_input(Message::Edited)
            .on_submit(Message::Send)
            .style(style::field(look));
        let send = (online && self.can_send()).then_some(Message::Send);
        row![field, pieces::choice(look, Tone::Quiet, "Add remark", send)]
            .spacing(GAP)
            .align_y(Alignment::Center)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_sent_once_and_stays_until_the_backend_has_it() {
        let mut remark = Remark::default();
        assert_eq!(remark.update(Message::Send), None);
        assert_eq!(remark.update(Message::Edited(" use sqlite ".to_owned())), None);
        assert_eq!(remark.update(Message::Send), Some("use sqlite".to_owned()));
        assert_eq!(remark.update(Message::Send), None);
        remark.not_sent();
        assert_eq!(remark.update(Message::Send), Some("use sqlite".to_owned()));
        remark.sent();
        assert_eq!(remark.text, "");
        assert_eq!(remark.update(Message::Send), None);
    }
}

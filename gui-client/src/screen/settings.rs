//! The settings over the window: what `gui_config.yaml` says of the backend and
//! the look.

use std::path::PathBuf;

use iced::{
    Alignment, Element, Length,
    widget::{Id, column, container, mouse_area, opaque, row, scrollable, space, text, text_input},
};

use crate::{
    config::{Config, FONT_SIZE, ThemeChoice, Token},
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Id of the field for the backend's address.
pub fn backend_id() -> Id {
    Id::new("settings backend")
}

/// Settings that are being changed.
#[derive(Debug)]
pub struct Settings {
    /// As they were.
    before: Config,
    /// As they are to be; fields that are empty are none.
    after: Config,
    token: String,
    ca_file: String,
    workspace: String,
    /// Why they were not saved.
    error: Option<String>,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// The address was edited.
    Backend(String),
    /// The token was edited.
    Token(String),
    /// The file of certificates was edited.
    CaFile(String),
    /// The workspace was edited.
    Workspace(String),
    /// Other colours.
    Theme(ThemeChoice),
    /// Tell through the desktop, or no longer.
    ToggleNotifications,
    /// Text larger by this, or smaller.
    Larger(i16),
    /// Keep them.
    Save,
    /// Leave them as they were.
    Close,
}

/// What the window must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Write what differs between the first and the second, and go on with that.
    Save(Box<(Config, Config)>),
    /// Close the settings.
    Close,
}

impl Settings {
    /// These settings, to be changed.
    pub fn new(config: &Config) -> Self {
        let path = config.ca_file.as_ref();
        Self {
            before: config.clone(),
            after: config.clone(),
            token: config.token.as_ref().map_or("", Token::expose).to_owned(),
            ca_file: path.map(|path| path.display().to_string()).unwrap_or_default(),
            workspace: config.workspace.clone().unwrap_or_default(),
            error: None,
        }
    }

    /// What is looked at while it is changed.
    pub fn look(&self) -> (ThemeChoice, u16) {
        (self.after.theme, self.after.font_size)
    }

    /// They could not be saved.
    pub fn fail(&mut self, error: String) {
        self.error = Some(error);
    }

    /// Reacts.
    pub fn update(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Backend(text) => self.after.backend = text,
            Message::Token(text) => self.token = text,
            Message::CaFile(text) => self.ca_file = text,
            Message::Workspace(text) => self.workspace = text,
            Message::Theme(theme) => self.after.theme = theme,
            Message::Larger(by) => {
                let size = self.after.font_size.saturating_add_signed(by);
                self.after.font_size = size.clamp(*FONT_SIZE.start(), *FONT_SIZE.end());
            }
            Message::ToggleNotifications => self.after.notifications = !self.after.notifications,
            Message::Close => return Some(Event::Close),
            Message::Save => {
                let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                let mut after = self.after.clone();
                after.backend = after.backend.trim().to_owned();
                after.token = some(&self.token).map(|token| Token::from(token.as_str()));
                after.ca_file = some(&self.ca_file).map(PathBuf::from);
                after.workspace = some(&self.workspace);
                // Whether it can be used is found out before it is written.
                match after.checked().and_then(|after| after.dialer().map(|_| after)) {
                    Ok(after) => return Some(Event::Save(Box::new((self.before.clone(), after)))),
                    Err(error) => self.error = Some(error.to_string()),
                }
            }
        }
        None
    }

    /// The settings; a press beside them closes them.
    pub fn view(&self, look: Look) -> Element<'_, Message> {
        let field = |hint: &'static str, value: &str, message: fn(String) -> Message| {
            text_input(hint, value)
                .size(look.small())
                .padding([8, 12])
                .on_input(message)
                .on_submit(Message::Save)
                .style(style::field(look))
        };
        let choice = |label: &'static str, chosen: bool, message: Message| {
            let tone = if chosen { Tone::TabChosen } else { Tone::Tab };
            pieces::choice(look, tone, label, Some(message))
        };
        let (theme, size) = self.look();
        let told = if self.after.notifications { "On" } else { "Off" };
        let one = |label: &'static str, content: Element<'static, Message>| {
            row![text(label).size(look.size).width(Length::Fill), content].align_y(Alignment::Center)
        };
        let fields = column![
            pieces::heading(look, "Backend"),
            field("http://host:port", &self.after.backend, Message::Backend).id(backend_id()),
            pieces::heading(look, "Token"),
            field("none", &self.token, Message::Token).secure(true),
            pieces::heading(look, "Certificates to trust (PEM file), for https"),
            field("those of this machine", &self.ca_file, Message::CaFile),
            pieces::heading(look, "Workspace"),
            field("the backend's own", &self.workspace, Message::Workspace),
            one(
                "Colours",
                row![
                    choice(
                        "Dark",
                        theme == ThemeChoice::Dark,
                        Message::Theme(ThemeChoice::Dark)
                    ),
                    choice(
                        "Light",
                        theme == ThemeChoice::Light,
                        Message::Theme(ThemeChoice::Light)
                    ),
                ]
                .into()
            ),
            one(
                "Size of text",
                row![
                    pieces::choice(look, Tone::Quiet, "−", Some(Message::Larger(-1))),
                    text(size.to_string()).size(look.size),
                    pieces::choice(look, Tone::Quiet, "+", Some(Message::Larger(1))),
                ]
                .spacing(GAP)
                .align_y(Alignment::Center)
                .into()
            ),
            one(
                "Tell me through the desktop",
                row![choice(
                    told,
                    self.after.notifications,
                    Message::ToggleNotifications
                )]
                .into()
            ),
        ]
        .spacing(GAP)
        .padding(iced::Padding::ZERO.right(14.0));
        // What is below the fields has no place in a low window.
        let head = row![
            text("Settings").font(UI_STRONG).size(look.large()),
            space::horizontal(),
            pieces::action(look, Tone::Quiet, "Cancel", Some(Message::Close)),
            pieces::action(look, Tone::Primary, "Save", Some(Message::Save)),
        ]
        .spacing(GAP)
        .align_y(Alignment::Center);
        let mut content = column![head].spacing(SPACE);
        if let Some(error) = &self.error {
            content = content.push(pieces::card(look, Surface::Error, "Not saved", error.as_str()));
        }
        let fields = scrollable(fields)
            .style(style::scroll(look))
            .height(Length::Shrink);
        let dialog = container(content.push(fields))
            .padding(24)
            .max_width(520)
            .max_height(680)
            .style(style::surface(look, Surface::Dialog));
        let shade = container(opaque(dialog))
            .center(Length::Fill)
            .padding(SPACE)
            .style(style::surface(look, Surface::Shade));
        opaque(mouse_area(shade).on_press(Message::Close))
    }
}

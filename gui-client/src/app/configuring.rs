//! Settings that are changed while the window is open.

use std::sync::Arc;

use iced::{Task, widget::operation};

use super::{App, Message};
use crate::{
    config::{Config, edit},
    screen::settings::{self, Settings},
};

impl App {
    pub(super) fn toggle_settings(&mut self) -> Task<Message> {
        if self.settings.take().is_some() {
            return Task::none();
        }
        let shown = Config {
            theme: self.theme,
            ..self.config.clone()
        };
        self.settings = Some(Settings::new(&shown));
        operation::focus(settings::backend_id())
    }

    pub(super) fn take_settings(&mut self, message: settings::Message) -> Task<Message> {
        let Some(settings) = &mut self.settings else {
            return Task::none();
        };
        let (before, after) = match settings.update(message) {
            Some(settings::Event::Save(both)) => *both,
            Some(settings::Event::Close) => {
                self.settings = None;
                return Task::none();
            }
            None => return Task::none(),
        };
        let saved = match &self.options.config_file {
            Some(path) => edit::save(path, &before, &after),
            None => Ok(()),
        };
        if let Err(error) = saved {
            settings.fail(error.to_string());
            return Task::none();
        }
        self.settings = None;
        self.configure(after)
    }

    /// Goes on with other settings; another backend is connected to at once.
    fn configure(&mut self, config: Config) -> Task<Message> {
        let place = |config: &Config| {
            (
                config.backend.clone(),
                config.token.clone(),
                config.ca_file.clone(),
            )
        };
        let is_elsewhere = place(&config) != place(&self.config);
        if self.interaction.workspace == self.config.workspace.clone().unwrap_or_default() {
            self.interaction.workspace = config.workspace.clone().unwrap_or_default();
        }
        self.theme = config.theme;
        self.config = config;
        let Some(connect) = self.options.connect.filter(|_| is_elsewhere) else {
            return Task::none();
        };
        match connect(&self.config) {
            Ok(connection) => {
                self.connection = Arc::clone(&connection);
                self.connections += 1;
                self.server = None;
                self.error = None;
                self.looked = false;
                self.look_failures = 0;
                self.detach();
                Task::none()
            }
            Err(error) => self.fail(error),
        }
    }
}

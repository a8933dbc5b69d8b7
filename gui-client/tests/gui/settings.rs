//! Settings that are changed in the window.

use std::sync::Arc;

use gui_client::{
    app::{Message, Options},
    clock::Clock,
    config::ThemeChoice,
    connection::fake::{DEMO, Fake},
    screen::settings,
    shortcut::Shortcut,
};

use crate::support::{Driver, proposed, run};

#[test]
fn settings_are_written_and_hold_at_once() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gui_config.yaml");
        std::fs::write(&file, "# mine\ntheme: dark # at night\n").unwrap();
        let options = Options {
            config_file: Some(file.clone()),
            connect: Some(|_| {
                let fake = Fake::new(DEMO, std::time::Duration::ZERO, Clock::system())?;
                Ok(Arc::new(fake))
            }),
            ..Options::default()
        };
        let mut driver = Driver::connected(options).await;
        driver.click("Settings").await;
        driver.click("Light").await;
        driver.click("+").await;
        assert_eq!(
            (driver.app.look().choice, driver.app.look().size),
            (ThemeChoice::Light, 15.0)
        );
        driver.click("Cancel").await;
        assert_eq!(driver.app.look().choice, ThemeChoice::Dark, "nothing was saved");

        driver.send(Message::Shortcut(Shortcut::Settings)).await;
        driver.click("Light").await;
        let backend = |text: &str| Message::Settings(settings::Message::Backend(text.to_owned()));
        driver.send(backend("nowhere")).await;
        driver.click("Save").await;
        assert!(driver.sees("Not saved").await);
        driver.send(backend("https://host:8443")).await;
        let token = settings::Message::Token("s3cret".to_owned());
        driver.send(Message::Settings(token)).await;
        assert!(!driver.sees("s3cret").await);
        driver.click("Save").await;
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "# mine\ntheme: light # at night\nbackend: https://host:8443\ntoken: s3cret\n"
        );
        assert!(driver.app.settings.is_none() && driver.app.server.is_none());
        assert_eq!(driver.app.look().choice, ThemeChoice::Light);
    });
}

#[test]
fn nothing_is_decided_under_the_settings() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Shortcut(Shortcut::Settings)).await;
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        assert_eq!(driver.fake.decisions(), []);
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        assert_eq!(driver.fake.decisions().len(), 1);
    });
}

//! Telling a person who looks elsewhere.

use std::sync::{Arc, Mutex};

use futures::{FutureExt as _, future::BoxFuture};
use gui_client::{
    app::{Focus, Message, Options},
    attention::{Call, Desktop},
    shortcut::Shortcut,
};

use crate::support::{Driver, proposed_with, run};

/// A desktop that remembers what it was asked to show.
#[derive(Debug, Default)]
struct Remembering {
    shown: Mutex<Vec<Call>>,
    broken: bool,
}

impl Desktop for Remembering {
    fn show(&self, call: Call) -> BoxFuture<'static, Result<(), String>> {
        self.shown.lock().unwrap().push(call);
        let result = if self.broken {
            Err("there is none".to_owned())
        } else {
            Ok(())
        };
        async { result }.boxed()
    }
}

fn on(desktop: &Arc<Remembering>) -> Options {
    let desktop: Arc<dyn Desktop> = desktop.clone();
    Options {
        desktop: Some(desktop),
        ..Options::default()
    }
}

/// What is shown when a decision is needed and `before` was done to the window.
async fn check(before: &[Message], expect: &[&str]) {
    let desktop = Arc::new(Remembering::default());
    let mut driver = Driver::connected(on(&desktop)).await;
    for message in before {
        driver.send(message.clone()).await;
    }
    driver.propose().await;
    let shown = desktop.shown.lock().unwrap();
    let shown: Vec<&str> = shown.iter().map(|call| call.title.as_str()).collect();
    assert_eq!(shown, expect, "{before:?}");
}

#[test]
fn who_looks_elsewhere_is_told() {
    let asked = "A proposal is waiting for your decision";
    let (gained, lost) = (Message::Focused(Focus::Gained), Message::Focused(Focus::Lost));
    run(async move {
        check(&[], &[asked]).await;
        check(std::slice::from_ref(&gained), &[]).await;
        check(&[gained, lost], &[asked]).await;
    });
}

#[test]
fn who_wants_no_notifications_has_none() {
    run(async {
        let desktop = Arc::new(Remembering::default());
        let mut driver = Driver::connected(on(&desktop)).await;
        driver.send(Message::Shortcut(Shortcut::Settings)).await;
        driver.click("On").await;
        driver.click("Save").await;
        driver.propose().await;
        assert_eq!(*desktop.shown.lock().unwrap(), []);
    });
}

#[test]
fn a_desktop_that_shows_nothing_disturbs_nobody() {
    run(async {
        let desktop = Arc::new(Remembering {
            broken: true,
            ..Remembering::default()
        });
        let driver = proposed_with(on(&desktop)).await;
        let call = Call {
            title: "A proposal is waiting for your decision".to_owned(),
            content: "Lock accounts".to_owned(),
        };
        assert_eq!(*desktop.shown.lock().unwrap(), [call]);
        assert_eq!(driver.app.error, None);
    });
}

#[test]
fn what_was_answered_long_ago_is_nobodys_call() {
    run(async {
        let mut first = proposed_with(Options::default()).await;
        first.send(Message::Shortcut(Shortcut::Modify)).await;
        first
            .write(gui_client::screen::review::feedback_id(), "otherwise")
            .await;
        first.click("Send feedback").await;
        first.follow().await;
        // Another window reads both questions; one of them is open.
        let desktop = Arc::new(Remembering::default());
        let mut second = Driver::on(first.fake.clone(), on(&desktop));
        second.connect().await;
        second.follow().await;
        assert_eq!(desktop.shown.lock().unwrap().len(), 1);
    });
}

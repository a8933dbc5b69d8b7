//! What a person does with an agent, on the screen that they see; the agent is
//! recorded, the protocol between is real.

use std::{sync::Arc, time::Duration};

use gui_client::{
    agent::{
        event::{Ability, Call},
        fake::{DEMO, Recorded},
        session::{Session, Turn},
        tool::ToolStatus,
        update::{SettingValue, Switch},
    },
    app::{Message, Options, Pane},
    screen::agents::{self, Act, Agents, Identity, Link, kept::Shelf},
    shortcut::Shortcut,
};

use crate::support::{Driver, run, story};

fn options(recording: &str) -> Options {
    let agent = Recorded::new("Sparrow", recording, Duration::ZERO).unwrap();
    Options {
        agents: vec![Arc::new(agent)],
        ..Options::default()
    }
}

fn up(agents: &Agents) -> bool {
    agents.info().is_some()
}

fn idle(agents: &Agents) -> bool {
    agents.waiting.is_none()
}

fn asked(agents: &Agents) -> bool {
    agents.question().is_some()
}

fn your_turn(agents: &Agents) -> bool {
    agents.session.as_ref().is_some_and(Session::is_idle)
}

/// A window on the agents' screen.
async fn talking(options: Options) -> Driver {
    let mut driver = Driver::connected(options).await;
    driver.click("Agents").await;
    driver
}

/// The same, connected, and with a folder to work in.
async fn connected(folder: &std::path::Path) -> Driver {
    let mut driver = talking(options(DEMO)).await;
    driver.click("Connect").await;
    driver.hear(up).await;
    driver.hear(|agents| !agents.listed.is_empty()).await;
    driver.write(agents::folder_id(), folder.to_str().unwrap()).await;
    driver
}

/// The same, signed in and in a session.
async fn begun(folder: &std::path::Path) -> Driver {
    let mut driver = connected(folder).await;
    driver.click("New session").await;
    driver.hear(idle).await;
    driver.click("Sign in with the browser").await;
    driver.hear(idle).await;
    driver.click("New session").await;
    driver.hear(idle).await;
    driver
}

async fn say(driver: &mut Driver, words: &str) {
    driver.write(agents::prompt_id(), words).await;
    driver.click("Send").await;
}

fn session(driver: &Driver) -> &Session {
    driver.app.agents.session.as_ref().unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn an_agent_says_who_it_is_and_what_it_can() {
    run(async {
        let mut driver = talking(options(DEMO)).await;
        assert!(driver.sees("Talk with an agent").await && driver.sees("Sparrow").await);
        driver.click("Connect").await;
        assert!(driver.sees("Disconnect").await && driver.sees("Some agents take a while to start.").await);
        driver.hear(up).await;
        assert!(driver.sees("Sparrow 2.3.0").await);
        assert!(
            driver
                .sees("history · resume · list · files · pictures · sign out")
                .await
        );
        let can =
            [Ability::Load, Ability::Audio].map(|ability| driver.app.agents.info().unwrap().can(ability));
        assert_eq!(can, [true, false]);
    });
}

#[test]
fn whoever_must_sign_in_first_is_asked_how() {
    run(async {
        let folder = folder();
        let mut driver = connected(folder.path()).await;
        assert!(!driver.sees("Sign in first").await);
        driver.click("New session").await;
        assert!(driver.sees("Opening…").await);
        driver.hear(idle).await;
        assert!(driver.sees("Error · E1708").await && driver.sees("Sign in first").await);
        assert!(driver.sees("API key: in a terminal, then connect again").await);
        assert!(driver.sees("sparrow login --key").await);
        driver.click("Sign in with the browser").await;
        driver.hear(idle).await;
        assert_eq!(driver.app.agents.identity, Identity::Told);
        assert!(!driver.sees("Sign in first").await && !driver.sees("Error · E1708").await);
        driver.click("New session").await;
        driver.hear(idle).await;
        assert_eq!(session(&driver).folder, folder.path().canonicalize().unwrap());
        assert!(driver.sees("Your turn").await);
    });
}

#[test]
fn a_turn_with_a_permission() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        say(&mut driver, "Lock accounts").await;
        assert_eq!(driver.app.agents.prompt.text().trim(), "");
        driver.hear(asked).await;
        assert!(
            driver.sees("Allow: Edit accounts.py?").await && driver.sees("It waits for your answer").await
        );
        assert!(
            driver.sees("Lock accounts after failures").await && driver.sees("Count failures and lock").await
        );
        assert!(driver.sees("18400 of 200000 tokens (9 %) · 0.06 USD").await);
        assert!(driver.sees("+12 −1").await);
        assert!(driver.sees("Agents ●").await);
        driver.click("Allow").await;
        driver.hear(your_turn).await;
        assert_eq!(
            story(session(&driver)),
            [
                "you: Lock accounts",
                "thought: The login has no memory of failures. A counter and a time are enough.",
                "agent: I will look at how a login is decided and then lock the account there.",
                "Read: Read accounts.py Completed [12 lines]",
                "Edit: Edit accounts.py Completed [/tmp/shop/accounts.py +12 -1]",
                "agent: An account is locked for 15 minutes after five failures. A login that works forgets them.",
            ]
        );
        assert!(!driver.sees("Allow: Edit accounts.py?").await);
    });
}

#[test]
fn a_permission_is_refused_by_keyboard() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        driver.write(agents::prompt_id(), "Lock accounts").await;
        driver.send(Message::Shortcut(Shortcut::Send)).await;
        driver.hear(asked).await;
        driver.send(Message::Shortcut(Shortcut::Reject)).await;
        driver.hear(your_turn).await;
        assert_eq!(
            story(session(&driver)).last().unwrap(),
            "agent: Then I leave it as it is."
        );
        assert_eq!(session(&driver).call("c2").unwrap().status, ToolStatus::Failed);
    });
}

#[test]
fn stopping_ends_the_turn() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        say(&mut driver, "Lock accounts").await;
        driver.hear(asked).await;
        driver.click("Stop").await;
        assert_eq!(
            (session(&driver).turn.clone(), asked(&driver.app.agents)),
            (Turn::Stopping, false)
        );
        driver.hear(your_turn).await;
        assert_eq!(story(session(&driver)).last().unwrap(), "Info: Stopped ");
        assert_eq!(session(&driver).call("c2").unwrap().status, ToolStatus::Stopped);
    });
}

#[test]
fn a_form_is_filled_in() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        say(&mut driver, "Lock accounts").await;
        driver.hear(asked).await;
        driver.click("Reject").await;
        driver.hear(your_turn).await;
        say(&mut driver, "For how long?").await;
        driver.hear(asked).await;
        assert!(driver.sees("How long shall an account be locked?").await && driver.sees("Minutes *").await);
        driver.write(agents::field_id("minutes"), "x").await;
        driver.click("Send answers").await;
        assert!(driver.sees("Minutes must be a whole number").await && asked(&driver.app.agents));
        driver
            .send(Message::Agents(agents::Message::Field(
                "minutes".to_owned(),
                "30".to_owned(),
            )))
            .await;
        driver.click("Guests only").await;
        assert!(driver.sees("✓ Guests only").await);
        driver.click("Send answers").await;
        driver.hear(your_turn).await;
        assert_eq!(story(session(&driver)).last().unwrap(), "agent: So be it.");
    });
}

#[test]
fn settings_are_what_the_agent_says_they_are() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        assert!(driver.sees("Model").await && driver.sees("✓ On").await);
        driver.click("Sparrow small").await;
        assert_eq!(driver.app.agents.waiting, Some(Call::Set));
        driver.hear(idle).await;
        let values: Vec<_> = session(&driver)
            .settings
            .iter()
            .map(|setting| &setting.value)
            .collect();
        let [SettingValue::Select { current, .. }, SettingValue::Switch(think)] = values[..] else {
            panic!("{values:?}")
        };
        assert_eq!((current.as_str(), *think), ("sparrow-small", Switch::On));
    });
}

#[test]
fn an_older_session_is_gone_on_with() {
    run(async {
        let folder = folder();
        let mut driver = connected(folder.path()).await;
        assert!(driver.sees("Totals with discounts").await && !driver.sees("A first look").await);
        driver.click("More sessions").await;
        driver.hear(idle).await;
        assert!(driver.sees("A first look").await && !driver.sees("More sessions").await);
        driver.click("Totals with discounts").await;
        driver.hear(idle).await;
        assert_eq!(
            story(session(&driver)),
            [
                "you: Apply discounts to totals",
                "agent: Totals take discounts now."
            ]
        );
        driver.click("Leave session").await;
        assert!(driver.sees("Begin a session").await && driver.sees("Go on where you were").await);
    });
}

#[test]
fn the_keyboard_alone_does_it() {
    run(async {
        let folder = folder();
        let mut driver = Driver::connected(options(DEMO)).await;
        let press = async |driver: &mut Driver, wanted: Act| {
            for _ in 0..50 {
                if driver.app.agents.cursor.as_ref() == Some(&wanted) {
                    return driver.send(Message::Shortcut(Shortcut::Act)).await;
                }
                driver.send(Message::Shortcut(Shortcut::NextAct)).await;
            }
            panic!("{wanted:?} is not to be had: {:?}", driver.app.agents.acts());
        };
        driver.send(Message::Shortcut(Shortcut::ShowAgents)).await;
        press(&mut driver, Act::Connect).await;
        driver.hear(up).await;
        driver
            .write(agents::folder_id(), folder.path().to_str().unwrap())
            .await;
        press(&mut driver, Act::NewSession).await;
        driver.hear(idle).await;
        press(&mut driver, Act::SignIn("browser".to_owned())).await;
        driver.hear(idle).await;
        press(&mut driver, Act::NewSession).await;
        driver.hear(idle).await;
        driver.write(agents::prompt_id(), "Lock accounts").await;
        driver.send(Message::Shortcut(Shortcut::Send)).await;
        driver.hear(asked).await;
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        driver.hear(your_turn).await;
        assert_eq!(session(&driver).call("c2").unwrap().status, ToolStatus::Completed);
        press(&mut driver, Act::Disconnect).await;
        assert!(matches!(driver.app.agents.link, Link::Off));
    });
}

#[test]
fn every_act_has_a_button_and_every_step_comes_round() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        say(&mut driver, "Lock accounts").await;
        driver.hear(asked).await;
        let acts = driver.app.agents.acts();
        let mut walked = Vec::new();
        for _ in &acts {
            driver.send(Message::Shortcut(Shortcut::NextAct)).await;
            walked.push(driver.app.agents.cursor.clone().unwrap());
        }
        assert_eq!(walked, acts);
        driver.send(Message::Shortcut(Shortcut::PreviousAct)).await;
        assert_eq!(driver.app.agents.cursor.as_ref(), acts.get(acts.len() - 2));
    });
}

#[test]
fn an_agent_that_goes_leaves_what_was_said() {
    run(async {
        let hello = DEMO.lines().next().unwrap();
        let new = DEMO
            .lines()
            .find(|line| line.contains("\"sessionId\":\"s1\"") && line.contains("configOptions"))
            .unwrap();
        // It knows no prompt: each fails, and what was said may be said again.
        let mut driver = talking(options(&format!("{hello}\n{new}\n"))).await;
        let folder = folder();
        driver.click("Connect").await;
        driver.hear(up).await;
        driver
            .write(agents::folder_id(), folder.path().to_str().unwrap())
            .await;
        driver.click("New session").await;
        driver.hear(idle).await;
        say(&mut driver, "Lock accounts").await;
        driver.hear(your_turn).await;
        assert!(driver.sees("Error · E1707").await);
        assert_eq!(driver.app.agents.prompt.text().trim(), "Lock accounts");
        driver.click("Disconnect").await;
        assert!(driver.sees("Connect").await);
    });
}

#[test]
fn a_folder_that_is_none_is_refused() {
    run(async {
        let check = async |written: &str, expect: &str| {
            let mut driver = talking(options(DEMO)).await;
            driver.click("Connect").await;
            driver.hear(up).await;
            driver.write(agents::folder_id(), written).await;
            driver.click("New session").await;
            let error = driver.app.agents.error.clone().unwrap();
            assert_eq!(
                (error.to_string().as_str(), error.code().as_str()),
                (expect, "E1709")
            );
        };
        check("", ": write the folder of the session first").await;
        check(
            "/no/such/folder",
            "/no/such/folder: No such file or directory (os error 2)",
        )
        .await;
        check("/etc/passwd", "/etc/passwd: it is no folder").await;
    });
}

#[test]
fn closing_the_window_loses_no_words() {
    run(async {
        let (folder, kept) = (folder(), folder());
        let shelf = || Options {
            talks: Shelf::File(kept.path().join("talk.json")),
            ..options(DEMO)
        };
        let mut driver = talking(shelf()).await;
        driver.click("Connect").await;
        driver.hear(|agents| !agents.listed.is_empty()).await;
        driver.click("Totals with discounts").await;
        driver.hear(idle).await;
        driver.write(agents::prompt_id(), "And now").await;
        driver.send(Message::Pane(Pane::Writing)).await;
        driver
            .write(gui_client::screen::interaction::request_id(), "Lock accounts")
            .await;
        drop(driver);

        let mut driver = talking(shelf()).await;
        assert_eq!(driver.app.agents.prompt.text().trim(), "And now");
        driver.click("Connect").await;
        driver.hear(up).await;
        driver.click("Go on where you were").await;
        driver.hear(idle).await;
        assert_eq!(session(&driver).entries.len(), 2);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    });
}

#[test]
fn a_narrow_window_has_room_for_it() {
    run(async {
        let folder = folder();
        let mut driver = begun(folder.path()).await;
        driver.send(Message::Resized(420.0)).await;
        assert_eq!(driver.app.pane, Pane::Agents);
        assert!(driver.sees("Your turn").await);
    });
}

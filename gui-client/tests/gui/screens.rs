//! What a person does, on the screens they see.

use gui_client::{
    Error,
    app::{Message, Options, Pane},
    connection::{Connection, Server},
    model::Phase,
    screen::{footer, interaction, remark, review, undo::Undo},
    shortcut::Shortcut,
};
use shared::{
    error::Class,
    id::{StageId, WorkflowId},
    version::Compatibility,
    wire::{Body, Decision, Question, Span, StageEstimate, StageOutcome, SubmitRequest, WorkflowState},
};

use crate::support::{Driver, events, proposed, run, started, state};

pub fn decisions(driver: &Driver) -> Vec<(Decision, Option<String>)> {
    let taken = driver.fake.journal().into_iter().filter_map(|event| {
        if let Body::DecisionTaken { decision, feedback } = event.body {
            Some((decision, feedback))
        } else {
            None
        }
    });
    taken.collect()
}

#[test]
fn a_request_is_typed_sent_and_proposed() {
    run(async {
        let mut driver = proposed().await;
        let workflow = driver.app.workflow.clone().unwrap();
        assert_eq!(
            (workflow.query.as_str(), workflow.files.len()),
            ("Lock accounts", 3)
        );
        assert_eq!(
            (driver.app.pane, driver.app.interaction.request.text().trim()),
            (Pane::Review, "")
        );
        assert!(driver.sees("Your decision").await && driver.sees("Lock accounts").await);
        assert_eq!(footer::status(&workflow), "✓ Complete (26.2s, 42 tok/s)");
    });
}

#[test]
fn a_command_is_completed_and_names_the_workflow() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "/").await;
        assert!(driver.sees("/plan ‹what to plan›").await && driver.sees("/fix ‹what is wrong›").await);
        driver.click("/fix ‹what is wrong›").await;
        assert_eq!(
            driver.app.interaction.request.text().trim_end_matches('\n'),
            "/fix "
        );
        assert!(driver.sees("Write what is wrong").await && !driver.app.interaction.can_send());
        driver.write(interaction::request_id(), "it hangs").await;
        driver.click("Send").await;
        let sent = driver.fake.sent().unwrap();
        let query = "Find the cause of this problem and remove it: it hangs";
        assert_eq!(
            (sent.workflow_type.as_str(), sent.user_query.as_str()),
            ("feature_implementation", query)
        );
    });
}

#[test]
fn tab_completes_the_first_command_that_fits() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "/te").await;
        driver
            .act(|screen| {
                screen.click(interaction::request_id()).unwrap();
                screen.tap_key(iced::keyboard::key::Named::Tab);
            })
            .await;
        assert_eq!(
            driver.app.interaction.request.text().trim_end_matches('\n'),
            "/test "
        );
    });
}

#[test]
fn a_dropped_file_is_named_or_told() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note.txt");
        std::fs::write(&note, "five times\n").unwrap();
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "As in ").await;
        driver
            .send(Message::Dropped("/home/ada/shop/shop/auth.py".into()))
            .await;
        driver.send(Message::Dropped(note.clone())).await;
        assert_eq!(
            driver.app.interaction.request.text(),
            "As in `shop/auth.py` \n`note.txt`:\n```\nfive times\n```\n"
        );
        std::fs::write(&note, [0xff]).unwrap();
        driver.send(Message::Dropped(note)).await;
        assert!(driver.sees("Error · E1709").await);
    });
}

#[test]
fn a_remark_is_said_while_the_workflow_runs() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "Lock accounts").await;
        driver.click("Send").await;
        driver.write(remark::remark_id(), "Use the clock").await;
        driver.click("Add remark").await;
        assert_eq!(driver.app.remark.text, "");
        driver.follow().await;
        assert_eq!(driver.app.workflow.as_ref().unwrap().remarks, ["Use the clock"]);
        assert!(driver.sees("Use the clock").await);
        assert!(
            !driver.sees("Add remark").await,
            "a question has a place for words"
        );
    });
}

#[test]
fn accept_commits() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Accept").await;
        driver.follow().await;
        assert_eq!(decisions(&driver), [(Decision::Accept, None)]);
        assert!(driver.sees("✓ Committed 3f9c1d27ab on main").await);
        let workflow = driver.app.workflow.as_ref().unwrap();
        assert_eq!(
            (workflow.iteration, workflow.files.len(), driver.app.pane),
            (1, 3, Pane::Review)
        );
        driver.click("New request").await;
        assert!(driver.app.workflow.is_none() && driver.sees("What shall we build?").await);
    });
}

#[test]
fn reject_leaves_everything() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Reject").await;
        driver.follow().await;
        assert_eq!(decisions(&driver), [(Decision::Reject, None)]);
        assert_eq!(driver.app.workflow.as_ref().unwrap().phase, Phase::Rejected);
    });
}

#[test]
fn modify_carries_the_feedback_into_a_new_proposal() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Modify").await;
        driver.write(review::feedback_id(), "Use the clock").await;
        driver.click("Send feedback").await;
        driver.follow().await;
        assert_eq!(
            decisions(&driver),
            [(Decision::Modify, Some("Use the clock".to_owned()))]
        );
        let workflow = driver.app.workflow.as_ref().unwrap();
        assert_eq!((workflow.iteration, workflow.may(Decision::Accept)), (2, true));
        assert!(driver.app.review.feedback.is_none());
        assert!(driver.sees("Use the clock").await && driver.sees("Stages · iteration 2").await);
    });
}

#[test]
fn the_keyboard_does_the_same() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Shortcut(Shortcut::Modify)).await;
        driver.write(review::feedback_id(), "Shorter").await;
        driver.send(Message::Shortcut(Shortcut::Send)).await;
        driver.follow().await;
        driver.send(Message::Shortcut(Shortcut::NextFile)).await;
        driver.send(Message::Shortcut(Shortcut::NextChange)).await;
        assert_eq!((driver.app.review.file, driver.app.review.change), (1, Some(0)));
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        driver.follow().await;
        let expect = [
            (Decision::Modify, Some("Shorter".to_owned())),
            (Decision::Accept, None),
        ];
        assert_eq!(decisions(&driver), expect);
    });
}

/// A window whose workflow has `bodies` and asks; modify asks again, accept ends it.
pub async fn asked(bodies: impl IntoIterator<Item = Body>, question: Question) -> Driver {
    let end = state(WorkflowState::Completed, 1);
    let asked = [needed(question.clone()), needed(question), end];
    let lines = events(bodies.into_iter().chain(asked));
    let lines = lines
        .iter()
        .map(|event| serde_json::to_string(event).unwrap() + "\n");
    let transcript: String = lines.collect();
    let mut driver = Driver::playing(&transcript).await;
    driver.write(interaction::request_id(), "Lock accounts").await;
    driver.click("Send").await;
    driver.follow().await;
    driver
}

fn needed(question: Question) -> Body {
    let mut options = vec![Decision::Accept, Decision::Reject];
    match question {
        Question::Review | Question::Failure { .. } => options.push(Decision::Modify),
        Question::Unisolated { .. } | Question::ToolCall { .. } => {}
    }
    Body::DecisionNeeded {
        iteration: 1,
        options,
        question,
    }
}

#[test]
fn a_failure_can_be_answered_before_there_is_a_proposal() {
    let failed = Body::StageFinished {
        stage_id: StageId::new("code_generation"),
        attempt: 1,
        outcome: StageOutcome::Failed,
        duration_ms: 5,
        reason: Some("The model gave no code.".to_owned()),
    };
    let failed = [started("code_generation", 1), failed];
    let question = Question::Failure {
        stage_id: StageId::new("code_generation"),
    };
    run(async {
        for (label, decision) in [
            ("Try again", Decision::Accept),
            ("End workflow", Decision::Reject),
        ] {
            let mut driver = asked(failed.clone(), question.clone()).await;
            assert!(
                driver.sees("Code generation failed").await && driver.sees("The model gave no code.").await
            );
            driver.click(label).await;
            driver.follow().await;
            assert_eq!(decisions(&driver), [(decision, None)]);
        }
        let mut driver = asked(failed.clone(), question.clone()).await;
        driver.click("With a hint").await;
        driver.write(review::feedback_id(), "Edit app.py").await;
        driver.click("Send feedback").await;
        driver.follow().await;
        assert_eq!(
            decisions(&driver),
            [(Decision::Modify, Some("Edit app.py".to_owned()))]
        );
    });
}

#[test]
fn a_plan_can_be_answered_before_there_is_a_proposal() {
    let estimate = StageEstimate {
        stage_id: StageId::new("code_generation"),
        tokens: Some(Span {
            least: 400,
            most: 1_200,
        }),
        seconds: Some(Span { least: 8, most: 31 }),
    };
    let plan = Body::Plan {
        summary: "Count the attempts".to_owned(),
        steps: vec!["Add a counter".to_owned()],
        stages: Vec::new(),
        estimates: vec![estimate],
    };
    run(async {
        let mut driver = asked([plan], Question::Review).await;
        assert!(driver.sees("Count the attempts").await && driver.sees("Add a counter").await);
        let likely = "Code generation: likely 400 to 1200 tokens, 8 to 31 s";
        assert!(driver.sees(likely).await);
        driver.click("Go on").await;
        driver.follow().await;
        assert_eq!(decisions(&driver), [(Decision::Accept, None)]);
    });
}

#[test]
fn a_commit_is_taken_back() {
    let button = "Undo this commit";
    run(async {
        let mut driver = proposed().await;
        // Nothing was committed yet.
        assert!(!driver.sees(button).await);
        driver.send(Message::Shortcut(Shortcut::Undo)).await;
        assert_eq!(driver.app.undo, Undo::Not);
        driver.click("Accept").await;
        driver.follow().await;
        driver.click(button).await;
        assert!(driver.sees("✓ Taken back by b7e41d0c92 on main").await);
        assert!(!driver.sees(button).await);
        // The next one is another matter.
        driver.click("New request").await;
        assert_eq!(driver.app.undo, Undo::Not);

        // By the key, and refused.
        let mut driver = proposed().await;
        driver.click("Accept").await;
        driver.follow().await;
        let id = driver.app.workflow.as_ref().unwrap().id.clone();
        let error = Error::Refused {
            code: "E1215".to_owned(),
            message: "`app.py` (the same lines were changed)".to_owned(),
            class: Class::User,
        };
        driver.send(Message::Undone(id, Err(error))).await;
        assert!(driver.sees("Error · E1215").await && driver.sees(button).await);
        driver.send(Message::Shortcut(Shortcut::Undo)).await;
        assert!(!driver.sees(button).await && !driver.sees("Error · E1215").await);
        // What comes for a workflow that is no longer shown changes nothing.
        let stranger = WorkflowId::new("another");
        let late = Err(Error::Unexpected("late".to_owned()));
        driver.send(Message::Undone(stranger, late)).await;
        assert!(driver.app.error.is_none());
    });
}

#[test]
fn nothing_can_be_decided_while_nothing_is_asked() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Accept").await;
        driver.send(Message::Shortcut(Shortcut::Reject)).await;
        driver.follow().await;
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        assert_eq!(decisions(&driver), [(Decision::Accept, None)]);
        assert_eq!(driver.app.error, None);
    });
}

#[test]
fn a_window_that_starts_finds_the_unfinished_workflow() {
    run(async {
        let first = proposed().await;
        let mut second = Driver::on(first.fake.clone(), Options::default());
        second.connect().await;
        second.follow().await;
        assert_eq!(second.app.workflow, first.app.workflow);
        assert!(second.sees("Your decision").await);
    });
}

#[test]
fn a_list_that_fails_is_asked_for_again() {
    run(async {
        let driver = proposed().await;
        let mut other = Driver::on(driver.fake.clone(), Options::default());
        other.fake.fail_lists(5);
        other.connect().await;
        let workflow = other.app.workflow.as_ref().unwrap();
        assert_eq!(workflow.query, "Lock accounts");
        assert_eq!(other.app.error, None, "what it said is no longer true");
    });
}

#[test]
fn a_list_is_not_asked_for_behind_a_new_request() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "Lock accounts").await;
        driver.click("Send").await;
        let error = Error::Unreachable {
            url: "http://b".to_owned(),
            reason: "gone".to_owned(),
        };
        driver.send(Message::Found(Err(error))).await;
        assert_eq!(driver.app.workflow.as_ref().unwrap().query, "Lock accounts");
        assert_eq!(driver.app.error, None);
    });
}

#[test]
fn a_request_given_at_the_start_is_sent() {
    run(async {
        let options = Options {
            request: Some("Lock accounts".to_owned()),
            ..Options::default()
        };
        let mut driver = Driver::connected(options).await;
        driver.follow().await;
        assert_eq!(driver.app.workflow.as_ref().unwrap().query, "Lock accounts");
    });
}

#[test]
fn without_a_backend_the_draft_stays_and_nothing_is_sent() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.write(interaction::request_id(), "Lock accounts").await;
        let error = Error::Unreachable {
            url: "http://b".to_owned(),
            reason: "refused".to_owned(),
        };
        driver.send(Message::Server(Server::Down(error))).await;
        driver.click("Send").await;
        driver.send(Message::Shortcut(Shortcut::Send)).await;
        assert!(driver.app.workflow.is_none() && driver.sees("Waiting for the backend").await);
        assert!(driver.sees("Error · E1701").await);
        assert_eq!(driver.app.interaction.request.text().trim(), "Lock accounts");
    });
}

#[test]
fn the_footer_tells_how_the_index_gets_on() {
    use gui_client::connection::{Index, IndexState};
    let check = |state: &str, progress, seconds_left, expect: Option<(Option<bool>, &str)>| {
        let index = Index {
            state: IndexState::parse(state),
            files: 120,
            progress,
            seconds_left,
            code: if state == "waiting" { "E1501" } else { "" }.to_owned(),
        };
        let expect = expect.map(|(good, label)| (good, label.to_owned()));
        assert_eq!(footer::index(&index), expect, "{state}");
    };
    check("idle", None, None, None);
    check("something newer", None, None, None);
    check("scanning", None, None, Some((None, "Indexing…")));
    check("indexing", None, None, Some((None, "Indexing…")));
    check("indexing", Some((3, 40)), None, Some((None, "Indexing 3/40")));
    check(
        "indexing",
        Some((3, 40)),
        Some(9),
        Some((None, "Indexing 3/40, 9.0s left")),
    );
    check("paused", None, None, Some((None, "Index paused")));
    check("waiting", None, None, Some((Some(false), "Index waiting E1501")));
    check("failed", None, None, Some((Some(false), "Index failed")));
    check("ready", None, None, Some((Some(true), "Index 120 files")));
}

#[test]
fn the_footer_tells_how_full_the_memory_of_the_models_is() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        let said = footer::states("b", driver.app.server.as_ref());
        assert_eq!(said.last(), Some(&(Some(true), "VRAM 5.1/8.0 GB".to_owned())));
        assert!(driver.sees("VRAM 5.1/8.0 GB").await);
    });
}

#[test]
fn another_major_version_is_refused() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        let Some(Server::Up(info)) = driver.app.server.clone() else {
            panic!("not connected")
        };
        let info = gui_client::connection::ServerInfo {
            version: "7.0.0".to_owned(),
            compatibility: Compatibility::None,
            ..info
        };
        driver.send(Message::Server(Server::Up(info))).await;
        assert!(!driver.app.online() && driver.sees("Error · E1702").await);
    });
}

#[test]
fn a_request_that_may_have_arrived_is_sent_again_under_the_same_id() {
    let ids = || shared::id::CorrelationId::new(format!("req_{}", next()));
    let mut pane = interaction::Interaction::new(String::new(), "Lock accounts");
    let send = |pane: &mut interaction::Interaction| -> Option<SubmitRequest> {
        let (_, event) = pane.update(interaction::Message::Send, "feature_implementation", ids);
        event.and_then(|event| {
            if let interaction::Event::Submit(request) = event {
                Some(request)
            } else {
                None
            }
        })
    };
    let first = send(&mut pane).unwrap();
    assert_eq!(send(&mut pane), None, "one at a time");
    let error = Error::Unreachable {
        url: "http://b".to_owned(),
        reason: "timed out".to_owned(),
    };
    pane.not_sent(&error);
    assert_eq!(send(&mut pane), Some(first.clone()));
    pane.not_sent(&error);
    let (_, _) = pane.update(
        interaction::Message::Workspace("/src".to_owned()),
        "feature_implementation",
        ids,
    );
    assert_ne!(send(&mut pane).unwrap().correlation_id, first.correlation_id);
}

fn next() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn cancel_stops_it() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Cancel").await;
        driver.follow().await;
        assert_eq!(driver.app.workflow.as_ref().unwrap().phase, Phase::Cancelled);
        let gone = driver.fake.decide(
            &WorkflowId::new("wf_demo"),
            shared::wire::DecisionRequest {
                decision: Decision::Accept,
                feedback: None,
                hunks: None,
                remember: false,
            },
        );
        assert!(gone.await.is_err());
    });
}

#[test]
fn in_the_smallest_window_everything_can_be_pressed() {
    let small = iced::Size::new(400.0, 300.0);
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.resize(small).await;
        driver.write(interaction::request_id(), "Lock accounts").await;
        // The button is a turn of the wheel away.
        driver.send(Message::Shortcut(Shortcut::Send)).await;
        driver.follow().await;
        for button in [
            "⋯", "Request", "Code", "Diff  3", "Details", "Agents", "Reject", "Modify", "Accept",
        ] {
            assert!(driver.can_press(button).await, "{button}");
        }
        driver.click("Modify").await;
        for button in ["Back", "Send feedback"] {
            assert!(driver.can_press(button).await, "{button}");
        }
        let mut driver = asked(
            [],
            Question::Failure {
                stage_id: StageId::new("checks"),
            },
        )
        .await;
        driver.resize(small).await;
        for button in ["End workflow", "With a hint", "Try again"] {
            assert!(driver.can_press(button).await, "{button}");
        }
    });
}

#[test]
fn what_the_bar_has_no_room_for_is_behind_its_sign() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        for (width, height) in [(400.0, 300.0), (760.0, 300.0), (900.0, 800.0)] {
            driver.resize(iced::Size::new(width, height)).await;
            driver.send(Message::Pane(Pane::Writing)).await;
            driver.click("⋯").await;
            for entry in ["Workflows", "Settings", "Light or dark", "Help"] {
                assert!(driver.can_press(entry).await, "{entry} at {width}");
            }
            driver.click("Settings").await;
            assert!(driver.app.settings.is_some() && !driver.app.menu);
            for button in ["Cancel", "Save"] {
                assert!(driver.can_press(button).await, "{button} at {width}");
            }
            driver.click("Cancel").await;
            driver.click("⋯").await;
            driver.click("Help").await;
            assert!(driver.can_press("Close").await, "at {width}");
            driver.send(Message::Shortcut(Shortcut::Close)).await;
            driver.click("⋯").await;
            driver.send(Message::Shortcut(Shortcut::Close)).await;
            assert!(!driver.app.menu);
        }
        driver.resize(iced::Size::new(400.0, 300.0)).await;
        driver.click("⋯").await;
        driver.click("Workflows").await;
        assert_eq!(driver.app.pane, Pane::Workflows);
        assert!(driver.can_press("Refresh").await);
        driver.resize(iced::Size::new(960.0, 800.0)).await;
        for button in ["Workflows", "Agents", "Theme", "Settings", "Help  F1"] {
            assert!(driver.can_press(button).await, "{button}");
        }
    });
}

#[test]
fn a_narrow_window_shows_one_pane_at_a_time() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.send(Message::Resized(420.0)).await;
        assert!(driver.sees("Workspace").await && !driver.sees("What shall we build?").await);
        driver.click("Code").await;
        assert!(!driver.sees("Workspace").await && driver.sees("What shall we build?").await);
        driver.send(Message::Resized(1280.0)).await;
        assert!(driver.sees("Workspace").await && driver.sees("What shall we build?").await);
    });
}

#[test]
fn help_lists_every_shortcut() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.send(Message::Shortcut(Shortcut::Help)).await;
        assert!(driver.sees("Accept the proposal").await && driver.sees("Ctrl+Shift+A").await);
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        assert!(!driver.sees("Accept the proposal").await);
    });
}

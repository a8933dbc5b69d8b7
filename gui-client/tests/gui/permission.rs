//! What needs a person's permission is asked for in a dialog, with four answers.

use gui_client::{
    app::{Message, Pane},
    shortcut::Shortcut,
};
use shared::{
    id::StageId,
    wire::{Body, Decision, DecisionRequest, NoticeLevel, Question, ToolEffect, WantedCall},
};

use crate::{
    screens::{asked, decisions},
    support::run,
};

/// Each of the four answers, where the two that hold once are called this.
async fn check(before: &[Body], question: &Question, seen: &[&str], [yes, no]: [&str; 2]) {
    for (label, decision, remember) in [
        (yes, Decision::Accept, false),
        ("Always in this workspace", Decision::Accept, true),
        (no, Decision::Reject, false),
        ("Never in this workspace", Decision::Reject, true),
    ] {
        let mut driver = asked(before.to_vec(), question.clone()).await;
        for text in seen {
            assert!(driver.sees(text).await, "{text}");
        }
        driver.click(label).await;
        driver.follow().await;
        let expect = DecisionRequest {
            decision,
            feedback: None,
            hunks: None,
            remember,
        };
        assert_eq!(driver.fake.decisions(), [expect], "{label}");
        assert!(!driver.sees(seen[0]).await, "{label}");
    }
}

#[test]
fn a_call_of_a_tool_is_asked_about_with_what_it_would_be_called_with() {
    let question = |effect| Question::ToolCall {
        stage_id: StageId::new("code_generation"),
        call: WantedCall {
            server: "house".to_owned(),
            tool: "repeal".to_owned(),
            title: "Repeal a rule".to_owned(),
            effect,
            arguments: r#"{"topic":"greetings"}"#.to_owned(),
        },
    };
    let title = "May the model call this tool?";
    run(async {
        for (effect, named) in [
            (ToolEffect::Unknown, "house: repeal"),
            (ToolEffect::Adds, "house: repeal, which only adds"),
            (ToolEffect::Destroys, "house: repeal, which may destroy"),
        ] {
            let seen = [title, named, r#"{"topic":"greetings"}"#];
            check(
                &[],
                &question(effect),
                &seen,
                ["Call it this once", "Not this time"],
            )
            .await;
        }
    });
}

#[test]
fn permission_to_run_without_a_sandbox_is_asked_for_in_a_dialog() {
    let why = Body::Notice {
        level: NoticeLevel::Warning,
        code: Some("E1805".to_owned()),
        message: "bubblewrap is not installed".to_owned(),
    };
    let question = Question::Unisolated {
        stage_id: StageId::new("checks"),
    };
    let title = "Build and test without a sandbox?";
    run(async {
        let seen = [title, "bubblewrap is not installed"];
        check(
            std::slice::from_ref(&why),
            &question,
            &seen,
            ["Run it this once", "Do not run it"],
        )
        .await;

        // Put off, looked at something else, and answered by the keys.
        let mut driver = asked([why], question).await;
        driver.send(Message::Shortcut(Shortcut::Modify)).await;
        assert!(driver.app.review.feedback.is_none(), "it is yes or no");
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        assert!(!driver.sees(title).await);
        driver.send(Message::Pane(Pane::Details)).await;
        driver.click("Answer").await;
        assert!(driver.sees(title).await);
        driver.click("Later").await;
        driver.send(Message::Pane(Pane::Review)).await;
        driver.click("Answer").await;
        assert!(driver.sees(title).await);
        driver.send(Message::Shortcut(Shortcut::Reject)).await;
        driver.follow().await;
        assert_eq!(decisions(&driver), [(Decision::Reject, None)]);
    });
}

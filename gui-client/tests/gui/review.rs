//! What is taken of a proposal: hunk by hunk, file by file, or a text of one's
//! own; and what of that outlives the window.

use gui_client::{
    app::{Message, Options},
    connection::Connection,
    drafts::{FILE, Store},
    model::{
        diff::FileView,
        layout::{Layout, Shown, View},
        selection::{Selection, Taken},
    },
    screen::{evidence, interaction, review},
    shortcut::Shortcut,
};
use shared::id::WorkflowId;
use shared::wire::{ChangeKind, Decision, FileDiff, Hunk, HunkChoice};

use crate::support::{Driver, proposed, proposed_with, run};

fn numbered(changed: &[usize]) -> String {
    let line = |n: usize| match changed.contains(&n) {
        true => format!("new {n}\n"),
        false => format!("{n}\n"),
    };
    (1..=30).map(line).collect()
}

/// 30 lines of which the third and the 25th are others, in a hunk each.
fn two_hunks(path: &str) -> FileView {
    let hunk = |start: u32, lines: u32| Hunk {
        old_start: start,
        old_lines: lines,
        new_start: start,
        new_lines: lines,
    };
    FileView::new(&FileDiff {
        path: path.to_owned(),
        change: ChangeKind::Edit,
        old_text: Some(numbered(&[])),
        new_text: Some(numbered(&[3, 25])),
        lines_added: 2,
        lines_removed: 2,
        hunks: vec![hunk(1, 6), hunk(22, 7)],
    })
}

fn choice(path: &str, hunks: Option<&[u32]>, text: Option<&str>) -> HunkChoice {
    HunkChoice {
        path: path.to_owned(),
        hunks: hunks.map(<[u32]>::to_vec),
        text: text.map(str::to_owned),
    }
}

#[test]
fn what_is_taken_is_what_is_sent() {
    let files = [two_hunks("a"), two_hunks("b")];
    let check = |act: &dyn Fn(&mut Selection), expect: Option<Vec<HunkChoice>>| {
        let mut selection = Selection::default();
        act(&mut selection);
        assert_eq!(selection.choices(&files), expect);
        let kept = serde_json::to_string(&selection).unwrap();
        let read: Selection = serde_json::from_str(&kept).unwrap();
        assert_eq!(read.fitting(&files), selection, "it survives the disk");
    };
    check(&|_| {}, None);
    let b = || choice("b", None, None);
    check(
        &|all| all.toggle_hunk(&files[0], 1),
        Some(vec![choice("a", Some(&[0]), None), b()]),
    );
    check(
        &|all| {
            all.toggle_hunk(&files[0], 0);
            all.toggle_hunk(&files[0], 1);
        },
        Some(vec![b()]),
    );
    check(
        &|all| {
            all.toggle_hunk(&files[0], 0);
            all.toggle_hunk(&files[0], 0);
        },
        None,
    );
    check(&|all| all.toggle_hunk(&files[0], 2), None);
    check(&|all| all.toggle_file(&files[0]), Some(vec![b()]));
    check(
        &|all| {
            all.toggle_hunk(&files[0], 1);
            all.toggle_file(&files[0]);
        },
        None,
    );
    check(
        &|all| {
            all.toggle_hunk(&files[0], 1);
            all.write(&files[0], "mine\n".to_owned());
            all.toggle_hunk(&files[0], 1);
        },
        Some(vec![choice("a", None, Some("mine\n")), b()]),
    );
    check(&|all| all.write(&files[0], numbered(&[3, 25])), None);
    check(
        &|all| {
            all.write(&files[0], "mine\n".to_owned());
            all.toggle_file(&files[0]);
        },
        Some(vec![b()]),
    );
    check(
        &|all| {
            all.toggle_file(&files[0]);
            all.toggle_file(&files[1]);
        },
        Some(Vec::new()),
    );
}

#[test]
fn what_was_kept_of_another_proposal_does_not_count() {
    let mut selection = Selection::default();
    selection.toggle_hunk(&two_hunks("a"), 1);
    selection.write(&two_hunks("gone"), "mine\n".to_owned());
    let whole = FileView::new(&FileDiff {
        path: "a".to_owned(),
        change: ChangeKind::Create,
        old_text: None,
        new_text: Some("x\n".to_owned()),
        lines_added: 1,
        lines_removed: 0,
        hunks: Vec::new(),
    });
    assert_eq!(selection.clone().fitting(&[whole]), Selection::default());
    let mut expect = Selection::default();
    expect.toggle_hunk(&two_hunks("a"), 1);
    assert_eq!(selection.fitting(&[two_hunks("a")]), expect);
}

#[test]
fn rows_next_to_and_above_each_other() {
    let file = two_hunks("a");
    assert_eq!(file.hunks, [2..3, 24..25]);
    let rows = |range: std::ops::Range<usize>| range.map(Shown::Row).collect::<Vec<_>>();
    let check = |view: View, layout: Layout, expect: Vec<Vec<Shown>>| {
        assert_eq!(file.shown(view, layout), expect.concat());
    };
    let both = |row: usize| vec![Shown::Removed(row), Shown::Added(row)];
    check(
        View::Folded,
        Layout::Split,
        vec![
            rows(0..2),
            vec![Shown::Hunk(0)],
            rows(2..7),
            vec![Shown::Gap(13)],
            rows(20..24),
            vec![Shown::Hunk(1)],
            rows(24..29),
            rows(29..30),
        ],
    );
    check(
        View::Full,
        Layout::Unified,
        vec![
            rows(0..2),
            vec![Shown::Hunk(0)],
            both(2),
            rows(3..24),
            vec![Shown::Hunk(1)],
            both(24),
            rows(25..30),
        ],
    );
    assert_eq!(file.changes(View::Full, Layout::Unified), [3, 27]);
}

#[test]
fn hunks_that_do_not_fit_are_none() {
    let check = |hunks: Vec<Hunk>| {
        let file = FileView::new(&FileDiff {
            path: "a".to_owned(),
            change: ChangeKind::Edit,
            old_text: Some(numbered(&[])),
            new_text: Some(numbered(&[3, 25])),
            lines_added: 2,
            lines_removed: 2,
            hunks,
        });
        assert!(file.hunks.is_empty());
    };
    let hunk = |start: u32| Hunk {
        old_start: start,
        old_lines: 3,
        new_start: start,
        new_lines: 3,
    };
    check(vec![hunk(2)]);
    check(vec![hunk(2), hunk(10), hunk(24)]);
    check(vec![hunk(24), hunk(2)]);
}

#[test]
fn keys_pick_hunks_and_accept_them() {
    run(async {
        let mut driver = proposed().await;
        for key in [
            Shortcut::NextChange,
            Shortcut::NextChange,
            Shortcut::NextChange,
            Shortcut::ToggleHunk,
            Shortcut::NextFile,
            Shortcut::ToggleFile,
        ] {
            driver.send(Message::Shortcut(key)).await;
        }
        assert!(driver.sees("2 of 4 hunks").await && driver.sees("1/2").await);
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        driver.follow().await;
        let sent: Vec<_> = driver
            .fake
            .decisions()
            .into_iter()
            .map(|sent| sent.hunks)
            .collect();
        let expect = vec![
            choice("shop/auth/routes.py", Some(&[0]), None),
            choice("tests/auth/test_login.py", None, None),
        ];
        assert_eq!(sent, [Some(expect)]);
    });
}

#[test]
fn what_is_typed_before_the_field_has_the_keyboard_is_written() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Typed("lost".to_owned())).await;
        driver.send(Message::Shortcut(Shortcut::Edit)).await;
        for key in ["#", " ", "m", "\r"] {
            driver.send(Message::Typed(key.to_owned())).await;
        }
        let text = driver.app.review.text.as_ref().unwrap().text();
        assert!(text.starts_with("# m\n\"\"\"Routes"), "{text}");
        driver.send(Message::Shortcut(Shortcut::Help)).await;
        driver.send(Message::Typed("unseen".to_owned())).await;
        assert_eq!(driver.app.review.text.as_ref().unwrap().text(), text);
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        driver.send(Message::Shortcut(Shortcut::Modify)).await;
        driver.send(Message::Typed("x".to_owned())).await;
        assert_eq!(driver.app.review.feedback.as_ref().unwrap().text(), "x");
    });
}

#[test]
fn the_mouse_does_the_same() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Review(review::Message::Hunk(1))).await;
        driver.click("✓").await;
        driver.click("lockout.py").await;
        assert_eq!(driver.app.review.file, 1);
        assert!(!driver.sees("Accept").await, "it is not called so any more");
        driver.click("Accept selection").await;
        driver.follow().await;
        assert_eq!(driver.fake.decisions().len(), 1);
    });
}

#[test]
fn nothing_cannot_be_accepted() {
    run(async {
        let mut driver = proposed().await;
        for file in 0..3 {
            driver.send(Message::Review(review::Message::Take(file))).await;
        }
        assert!(driver.sees("Nothing is taken: reject it, or take a part").await);
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        assert_eq!(driver.fake.decisions(), []);
        driver.click("Reject").await;
        driver.follow().await;
        let sent = driver.fake.decisions();
        assert_eq!((sent[0].decision, &sent[0].hunks), (Decision::Reject, &None));
    });
}

#[test]
fn a_text_is_edited_and_accepted() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Shortcut(Shortcut::NextFile)).await;
        driver.click("Edit").await;
        driver.write(review::text_id(), "# mine ").await;
        driver.click("Keep text").await;
        let path = "shop/auth/lockout.py";
        assert_eq!(driver.app.review.selection.taken(path), Taken::Own);
        assert!(driver.sees("edited").await && driver.sees("4 of 4 hunks · 1 file edited").await);
        driver.send(Message::Shortcut(Shortcut::Edit)).await;
        driver.write(review::text_id(), "# twice ").await;
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        driver.follow().await;
        let sent = driver.fake.decisions().remove(0).hunks.unwrap();
        let text = sent[1].text.clone().unwrap();
        assert!(text.contains("# mine ") && text.contains("# twice "), "{text}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
        assert_eq!(
            (sent.len(), sent[0].clone()),
            (3, choice("shop/auth/routes.py", None, None))
        );
    });
}

#[test]
fn an_edited_text_can_be_dropped() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Edit").await;
        driver.write(review::text_id(), "x").await;
        driver.click("Discard").await;
        assert_eq!(driver.app.review.selection, Selection::default());
        driver.click("Edit").await;
        driver.write(review::text_id(), "x").await;
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        driver.click("As proposed").await;
        assert_eq!(driver.app.review.selection, Selection::default());
    });
}

#[test]
fn files_keep_their_line_ends_and_mark() {
    let check = |old: &str, new: &str, editable: Option<&str>| {
        let file = FileView::new(&FileDiff {
            path: "a".to_owned(),
            change: ChangeKind::Edit,
            old_text: Some(old.to_owned()),
            new_text: Some(new.to_owned()),
            lines_added: 0,
            lines_removed: 0,
            hunks: Vec::new(),
        });
        assert_eq!(file.editable().as_deref(), editable);
        if let Some(text) = editable {
            assert_eq!(file.rewritten(text).rows, file.rows);
        }
    };
    check("a\n", "b\n", Some("b\n"));
    check("\u{feff}a\r\nc\r\n", "\u{feff}b\r\nc\r\n", Some("b\nc\n"));
    check("a\n", "caf\u{fffd}\n", None);
    check("a\n", &"x".repeat(2_000_000), None);
}

/// A window that is closed and opened again, on the same disk.
async fn reopened(driver: &mut Driver, options: Options) -> Driver {
    driver.send(Message::Keep).await;
    let mut again = Driver::on(driver.fake.clone(), options);
    again.connect().await;
    again
}

#[test]
fn what_was_being_done_outlives_the_window() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            drafts: Store::at(folder.path().join(FILE)),
            ..Options::default()
        };
        let mut driver = Driver::connected(options.clone()).await;
        driver.write(interaction::request_id(), "Lock acc").await;
        let driver = reopened(&mut driver, options.clone()).await;
        assert_eq!(driver.app.interaction.request.text().trim(), "Lock acc");

        let mut driver = proposed_with(options.clone()).await;
        driver.send(Message::Shortcut(Shortcut::ToggleLayout)).await;
        driver.send(Message::Review(review::Message::Hunk(1))).await;
        driver.click("Modify").await;
        driver.write(review::feedback_id(), "Use the clock").await;
        driver.send(Message::Shortcut(Shortcut::NextFile)).await;
        driver.send(Message::Shortcut(Shortcut::Edit)).await;
        driver.write(review::text_id(), "# mine ").await;
        let before = driver.app.drafts();
        let mut driver = reopened(&mut driver, options.clone()).await;
        driver.follow().await;
        assert_eq!(driver.app.drafts(), before);
        assert!(driver.app.review.text.is_some());
        assert_eq!(driver.app.review.layout, Layout::Unified);
        assert_eq!(
            driver.app.interaction.request.text().trim(),
            "",
            "what was sent is no draft"
        );
        driver.send(Message::Shortcut(Shortcut::Accept)).await;
        driver.follow().await;
        assert_eq!(driver.fake.decisions()[0].hunks.as_ref().map(Vec::len), Some(3));
        let mut driver = reopened(&mut driver, options).await;
        driver.send(Message::Keep).await;
        assert_eq!(driver.app.drafts().review, None, "what was decided is over");
    });
}

#[test]
fn what_a_check_printed_is_fetched_and_searched() {
    run(async {
        let mut driver = proposed().await;
        driver.send(Message::Shortcut(Shortcut::ShowDetails)).await;
        driver.click("Log").await;
        assert!(driver.sees("2 lines").await && driver.sees("Tests").await);
        driver.write(evidence::search_id(), "PASSED").await;
        assert!(driver.sees("1 of 1").await);
        driver.send(Message::Shortcut(Shortcut::Close)).await;
        assert!(driver.sees("Checks").await && !driver.app.evidence.is_open());
        driver.send(Message::Shortcut(Shortcut::ShowDiff)).await;
        driver.send(Message::Shortcut(Shortcut::ShowLog)).await;
        assert!(driver.sees("2 lines").await, "the keyboard does the same");
        let missing = driver.fake.log(&WorkflowId::new("wf_demo"), "none").await;
        assert!(missing.is_err());
    });
}

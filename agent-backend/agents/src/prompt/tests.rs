use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::*;

const BUDGET: u64 = 10_000;
const APP: FileText<'static> = FileText {
    path: "src/app.py",
    text: "def app():\n    return 1\n",
};

fn plan() -> Plan {
    Plan {
        summary: "Add a limit".into(),
        steps: vec!["Write the limiter".into(), "Use it".into()],
        files: vec!["src/limit.py".into(), "src/app.py".into()],
        ..Plan::default()
    }
}

fn failure(code: Code, message: &str) -> Failure {
    Failure {
        class: Class::Transient,
        code,
        message: message.into(),
    }
}

fn facts<'a>(plan: Option<&'a Plan>) -> Facts<'a> {
    Facts {
        query: "Limit the requests of a client",
        packed_context: "src/app.py:1-2 app\ndef app():\n    return 1\n",
        files: &[APP],
        plan,
        ..Facts::default()
    }
}

fn whole(built: &Built) -> String {
    let Prompt { system, messages } = &built.prompt;
    let turns: String = messages
        .iter()
        .map(|m| format!("--- {:?}\n{}", m.role, m.content))
        .collect();
    format!(
        "--- System\n{system}{turns}--- {} tokens, left out: {:?}\n",
        built.tokens, built.left_out
    )
}

fn common(a: &Built, b: &Built) -> String {
    let (a, b) = (whole(a), whole(b));
    let length = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    String::from_utf8_lossy(&a.as_bytes()[..length]).into_owned()
}

#[test]
fn pictures_are_told_of_after_the_request() {
    let check = |shown: usize, hidden: usize, expect: &str| {
        let facts = Facts {
            images: Images { shown, hidden },
            ..facts(None)
        };
        let built = whole(&code_generation(&facts, BUDGET));
        let (_, after) = built.split_once("Limit the requests of a client\n\n").unwrap();
        let (told, _) = after.split_once("# Your task").unwrap();
        assert_eq!(told, expect);
    };
    check(0, 0, "");
    check(1, 0, "An image belongs to the request. It is attached.\n\n");
    check(
        2,
        1,
        "2 images belong to the request. They are attached, in their order.\n\n\
         An image of the request cannot be shown to you: do not guess what is in it.\n\n",
    );
    check(
        0,
        3,
        "3 images of the request cannot be shown to you: do not guess what is in them.\n\n",
    );
}

#[test]
fn a_plan_is_asked_for() {
    let stages = [(StageId::new("test_generation"), "writes tests for the new code")];
    let facts = Facts {
        optional_stages: &stages,
        ..facts(None)
    };
    insta::assert_snapshot!(whole(&planning(&facts, BUDGET)));
}

#[test]
fn code_is_asked_for() {
    insta::assert_snapshot!(whole(&code_generation(&facts(Some(&plan())), BUDGET)));
}

#[test]
fn code_is_asked_for_in_blocks_after_a_failure_with_feedback() {
    let plan = plan();
    let previous = [
        ProposedFile {
            path: "src/limit.py",
            text: Some("LIMIT = 10"),
        },
        ProposedFile {
            path: "src/old.py",
            text: None,
        },
    ];
    let feedback = ["Make the limit a setting.".to_owned()];
    let failures = [failure(
        Code::EditDoesNotApply,
        "the edit of `src/app.py` does not apply: …",
    )];
    let facts = Facts {
        previous: &previous,
        feedback: &feedback,
        failures: &failures,
        format: Format::SearchReplace,
        today: Some("2026-03-01"),
        ..facts(Some(&plan))
    };
    insta::assert_snapshot!(whole(&code_generation(&facts, BUDGET)));
}

/// An example that cannot be read teaches what is refused.
#[test]
fn the_example_of_every_format_can_be_read() {
    let check = |format, expect: &[&str]| {
        let rules = super::text::format_rules(format);
        let example = rules.split("For example:").nth(1).unwrap();
        let example = match format {
            Format::WholeFunction => example.to_owned(),
            Format::WholeFile | Format::SearchReplace | Format::UnifiedDiff | Format::ApplyPatch => {
                example.split("\n\n- ").next().unwrap().to_owned()
            }
        };
        let edits = crate::edit::parse(&example).unwrap();
        let paths: Vec<&str> = edits.iter().map(|edit| edit.path.as_str()).collect();
        assert_eq!(paths, expect, "{format:?}");
    };
    check(Format::WholeFile, &["src/greeting.py"]);
    check(Format::SearchReplace, &["src/greeting.py"]);
    check(Format::UnifiedDiff, &["src/greeting.py"]);
    check(
        Format::ApplyPatch,
        &["src/greeting.py", "src/names.py", "src/old.py"],
    );
    check(Format::WholeFunction, &["src/greeting.py"]);
}

#[test]
fn code_is_asked_for_in_every_format() {
    let rules =
        [Format::UnifiedDiff, Format::ApplyPatch, Format::WholeFunction].map(super::text::format_rules);
    insta::assert_snapshot!(rules.join("\n-----\n\n"));
}

#[test]
fn tests_are_asked_for() {
    let plan = plan();
    let previous = [ProposedFile {
        path: "src/limit.py",
        text: Some("LIMIT = 10\n"),
    }];
    let tests = ["tests/test_app.py".to_owned()];
    let facts = Facts {
        previous: &previous,
        test_files: &tests,
        ..facts(Some(&plan))
    };
    insta::assert_snapshot!(whole(&test_generation(&facts, BUDGET)));
}

#[test]
fn attempts_at_a_stage_share_all_but_the_end() {
    let plan = plan();
    let first = facts(Some(&plan));
    let failures = [failure(Code::AnswerEmpty, "the answer is empty")];
    let second = Facts {
        failures: &failures,
        ..first.clone()
    };
    for stage in [planning, code_generation, test_generation] {
        let (one, two) = (stage(&first, BUDGET), stage(&second, BUDGET));
        let shared = common(&one, &two);
        assert!(
            shared.ends_with("Files: src/limit.py, src/app.py\n\n"),
            "{shared}"
        );
    }
}

#[test]
fn iterations_share_all_but_the_plan_and_what_follows() {
    let (plan, other) = (
        plan(),
        Plan {
            summary: "Make the limit a setting".into(),
            ..plan()
        },
    );
    let feedback = ["Make it a setting.".to_owned()];
    let first = facts(Some(&plan));
    let second = Facts {
        plan: Some(&other),
        feedback: &feedback,
        ..first.clone()
    };
    let shared = common(
        &code_generation(&first, BUDGET),
        &code_generation(&second, BUDGET),
    );
    assert!(shared.ends_with("# Plan\n\n"), "{shared}");
    // Planning itself: everything up to the feedback.
    let first = facts(None);
    let second = Facts {
        feedback: &feedback,
        ..first.clone()
    };
    let shared = common(&planning(&first, BUDGET), &planning(&second, BUDGET));
    assert!(shared.ends_with("    return 1\n```\n\n"), "{shared}");
}

#[test]
fn remarks_come_at_the_end_and_are_never_cut() {
    let plan = plan();
    let remarks = ["Count per user, not per address.\n", "No new settings."].map(str::to_owned);
    let first = facts(Some(&plan));
    let second = Facts {
        remarks: &remarks,
        ..first.clone()
    };
    let told = "# Remark of the person, made during the work: do this\n\nCount per user, not per address.\n\n\
                # Remark of the person, made during the work: do this\n\nNo new settings.\n\n";
    for stage in [planning, code_generation, test_generation] {
        let (one, two) = (stage(&first, BUDGET), stage(&second, BUDGET));
        let shared = common(&one, &two);
        assert!(
            shared.ends_with("Files: src/limit.py, src/app.py\n\n"),
            "{shared}"
        );
        assert!(two.prompt.messages[0].content.contains(told));
        // Nothing is left of what may be cut.
        assert!(stage(&second, 1).prompt.messages[0].content.contains(told));
    }
}

#[test]
fn stages_share_the_system_text_the_code_and_the_request() {
    let plan = plan();
    let shared = common(
        &planning(&facts(None), BUDGET),
        &code_generation(&facts(Some(&plan)), BUDGET),
    );
    assert!(
        shared.ends_with("# Request\n\nLimit the requests of a client\n\n# Your task: "),
        "{shared}"
    );
}

#[test]
fn what_does_not_fit_is_named_and_must_not_be_written() {
    let big = "x = 1\n".repeat(2_000);
    let files = [
        FileText {
            path: "src/big.py",
            text: &big,
        },
        APP,
    ];
    let facts = Facts {
        files: &files,
        ..facts(None)
    };
    let built = code_generation(&facts, 1_000);
    assert_eq!(
        built.left_out,
        [LeftOut {
            what: "src/big.py".into(),
            tokens: 3_012
        }]
    );
    assert!(built.tokens <= 1_000, "{}", built.tokens);
    let content = &built.prompt.messages[0].content;
    assert!(
        content.contains("do not write them\n\n- src/big.py\n"),
        "{content}"
    );
    assert!(content.contains("src/app.py\n```python\n"));
}

#[test]
fn long_failures_lose_their_middle_and_say_so() {
    let failures = [failure(
        Code::ChecksFailed,
        &format!("first\n{}\nlast", "x".repeat(10_000)),
    )];
    let built = code_generation(
        &Facts {
            failures: &failures,
            ..facts(None)
        },
        BUDGET,
    );
    assert_eq!(
        built.left_out,
        [LeftOut {
            what: "middle of failure 1".into(),
            tokens: 1_503
        }]
    );
    let content = &built.prompt.messages[0].content;
    assert!(
        content.contains("first\n")
            && content.contains("\nlast\n")
            && content.contains("characters are not shown")
    );
}

#[test]
fn what_must_be_said_is_said_even_over_the_budget() {
    let built = code_generation(&facts(Some(&plan())), 10);
    assert!(
        built.prompt.messages[0]
            .content
            .contains("Limit the requests of a client")
    );
    assert!(built.tokens > 10);
    assert_eq!(
        built
            .left_out
            .iter()
            .map(|left| left.what.as_str())
            .collect::<Vec<_>>(),
        ["found code", "src/app.py"]
    );
}

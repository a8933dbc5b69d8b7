//! The servers that come with us, asked as any other.

use std::process::Command;

use mcp::{BuiltIn, Server, Toolbox};
use serde_json::{Value, json};

use crate::support::{Desk, names, object, problems};

/// A repository with two commits and one file that is not in order.
fn repository() -> Desk {
    let desk = Desk::new();
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(arguments)
            .current_dir(desk.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}");
    };
    std::fs::write(desk.path().join("Cargo.toml"), "[package]\nedition = \"2024\"\n").unwrap();
    std::fs::write(desk.path().join("a.rs"), "fn a() {}\n").unwrap();
    std::fs::write(desk.path().join(".env"), "KEY=hunter2\n").unwrap();
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "first"]);
    std::fs::write(desk.path().join("a.rs"), "fn a() {}\nfn b( ) { }\n").unwrap();
    desk
}

async fn open(desk: &Desk, which: &[BuiltIn]) -> Toolbox {
    let toolbox = desk
        .open(which.iter().copied().map(Server::built_in).collect())
        .await;
    assert_eq!(problems(&toolbox), [""; 0]);
    toolbox
}

/// What a tool says; of a failure, that it is one.
async fn ask(toolbox: &Toolbox, name: &str, arguments: Value) -> String {
    let answer = toolbox.call(name, object(&arguments)).await.unwrap();
    match answer.is_error {
        true => format!("failed: {}", answer.text),
        false => answer.text,
    }
}

#[tokio::test]
async fn all_tools_only_read_and_say_what_they_take() {
    let desk = repository();
    let toolbox = open(&desk, &BuiltIn::ALL).await;
    assert_eq!(
        names(&toolbox),
        [
            "git__blame",
            "git__diff",
            "git__log",
            "git__show",
            "git__status",
            "format__format",
            "language__definition",
            "language__diagnostics",
            "language__hover",
            "language__references",
        ]
    );
    for tool in toolbox.offered(&[]) {
        assert!(tool.read_only && tool.description.len() > 50, "{}", tool.name);
        assert_eq!(tool.schema["type"], "object");
        assert_eq!(tool.schema["additionalProperties"], false, "{}", tool.name);
    }
}

#[tokio::test]
async fn git_tells_of_the_workspace() {
    let desk = repository();
    let toolbox = open(&desk, &[BuiltIn::Git]).await;
    let status = ask(&toolbox, "git__status", json!({})).await;
    assert_eq!(status, "## main\n M a.rs\n");
    let diff = ask(&toolbox, "git__diff", json!({"path": "a.rs"})).await;
    assert!(diff.ends_with("+fn b( ) { }\n"), "{diff}");
    let staged = ask(&toolbox, "git__diff", json!({"staged": true})).await;
    assert_eq!(staged, "there is no difference");
    let log = ask(&toolbox, "git__log", json!({})).await;
    assert!(log.ends_with("Ada: first\n"), "{log}");
    let show = ask(&toolbox, "git__show", json!({"revision": "main"})).await;
    assert!(show.contains("+fn a() {}") && !show.contains("hunter2"), "{show}");
    let blame = json!({"path": "a.rs", "first_line": 1, "last_line": 2});
    let blame = ask(&toolbox, "git__blame", blame).await;
    assert!(
        blame.contains("Ada") && blame.contains("Not Committed Yet"),
        "{blame}"
    );
    for (tool, given, expect) in [
        ("diff", json!({"path": ".env"}), "failed: error[E1206]: "),
        ("diff", json!({"path": "../x"}), "failed: error[E1205]: "),
        ("diff", json!({"to": "main"}), "failed: error[E1001]: use either"),
        ("show", json!({"revision": "-p"}), "failed: error[E1210]: "),
        (
            "show",
            json!({"rev": "main"}),
            "failed: error[E1001]: unknown field `rev`",
        ),
        ("log", json!({"top": "all"}), "failed: error[E1001]: "),
    ] {
        let told = ask(&toolbox, &format!("git__{tool}"), given).await;
        assert!(told.starts_with(expect), "{told}");
    }
}

#[tokio::test]
async fn format_gives_back_a_text_and_writes_nothing() {
    let desk = repository();
    let toolbox = open(&desk, &[BuiltIn::Format]).await;
    let call = async |given: Value| ask(&toolbox, "format__format", given).await;
    let before = desk.said("a.rs");
    assert_eq!(call(json!({"path": "a.rs"})).await, "fn a() {}\nfn b() {}\n");
    assert_eq!(desk.said("a.rs"), before);
    let text = json!({"path": "new/b.rs", "text": "fn  c(){}"});
    assert_eq!(call(text).await, "fn c() {}\n");
    assert!(!desk.path().join("new").exists());
    for (given, expect) in [
        (json!({"path": "a.rs", "text": "fn ("}), "rustfmt: "),
        (json!({"path": "../a.rs"}), "`../a.rs` cannot be used"),
        (
            json!({"path": "a.py", "text": ""}),
            "the project does not say which formatter it uses",
        ),
        (json!({"path": "b.rs"}), "there is no file b.rs; give a `text`"),
        (
            json!({"path": "a.rs", "formatter": "indent"}),
            "no formatter `indent` is known",
        ),
    ] {
        let told = call(given).await;
        assert!(
            told.starts_with("failed: error[E1") && told.contains(expect),
            "{told}"
        );
    }
}

#[tokio::test]
async fn without_a_sandbox_no_language_server_is_asked() {
    let desk = repository();
    let toolbox = open(&desk, &[BuiltIn::Language]).await;
    let told = ask(&toolbox, "language__diagnostics", json!({"path": "a.rs"})).await;
    assert_eq!(
        told,
        "failed: error[E1801]: language servers run in a sandbox, and there is none here"
    );
}

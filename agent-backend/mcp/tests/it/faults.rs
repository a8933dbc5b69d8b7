//! Servers that do what they should not, each beside one that is in order.

use std::time::Duration;

use mcp::{Options, Server, Toolbox};

use crate::support::{Desk, call, names, problems, program, runs, script, shell, until};

/// What is said of a server that does not begin well; the one beside it works.
async fn check(bad: Server, expect: &str) {
    let desk = Desk::new();
    let toolbox = desk.open(vec![bad, script("good", "")]).await;
    let told = problems(&toolbox);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(expect), "{told:?}\nis not\n{expect}");
    assert_eq!(names(&toolbox), ["good__t"]);
    assert_eq!(call(&toolbox, "good__t").await, Ok("done".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let begin = "E2001 bad: the MCP server `bad` cannot be started or reached:";
    check(
        program("bad", "no-such-program", &[]),
        &format!("{begin} `no-such-program` is not on PATH"),
    )
    .await;
    check(
        program("bad", "/etc/passwd", &[]),
        &format!("{begin} /etc/passwd is no program"),
    )
    .await;
    let ends = shell("bad", "echo 'no license' >&2; exit 3");
    check(
        ends,
        &format!("{begin} it ended before it answered (exit status: 3); it says: no license"),
    )
    .await;
    check(
        shell("bad", "kill -9 $$"),
        &format!("{begin} it ended before it answered (signal: 9 (SIGKILL))"),
    )
    .await;
    let refuses = script("bad", "begun() { refuse -32000 'not today'; }");
    check(refuses, &format!("{begin} it refused: not today")).await;
}

#[tokio::test]
async fn rubbish_and_floods_end_a_connection() {
    let begin = "E2001 bad: the MCP server `bad` cannot be started or reached:";
    let endless = shell("bad", "yes | tr -d '\\n'");
    check(
        endless,
        &format!("{begin} it wrote a line of more than 8388608 bytes"),
    )
    .await;
    check(shell("bad", "yes"), &format!("{begin} it never stops talking")).await;
    // Words between messages are left aside.
    let desk = Desk::new();
    let chatty = script(
        "chatty",
        "echo ready; called() { echo 'a word'; echo '{}'; text done; }",
    );
    let toolbox = desk.open(vec![chatty]).await;
    assert_eq!(call(&toolbox, "chatty__t").await, Ok("done".to_owned()));
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let desk = Desk::new();
    let options = Options {
        start: Duration::from_secs(3),
        ..Options::default()
    };
    let servers = vec![shell("bad", "cat >/dev/null"), script("good", "")];
    let toolbox = Toolbox::open(desk.path(), servers, &options).await;
    assert_eq!(
        problems(&toolbox),
        ["E2002 bad: the MCP server `bad` did not answer the first request within 3 s"]
    );
    assert_eq!(names(&toolbox), ["good__t"]);
}

#[tokio::test]
async fn what_a_call_can_meet_is_told_apart() {
    let desk = Desk::new();
    let tools = |script_text: &str| script("s", script_text);
    let toolbox = desk
        .open(vec![tools("called() { refuse -32602 'no such thing'; }")])
        .await;
    let refused = "E2003: the MCP server `s` refused `t`: no such thing (-32602)";
    assert_eq!(call(&toolbox, "s__t").await, Err(refused.to_owned()));
    assert_eq!(
        call(&toolbox, "s__u").await,
        Err("E2003: there is no tool `s__u`".to_owned())
    );
    let answer = r#"called() { answer '{"content":[{"type":"text","text":"bad"}],"isError":true}'; }"#;
    let toolbox = desk.open(vec![tools(answer)]).await;
    assert_eq!(call(&toolbox, "s__t").await, Ok("error: bad".to_owned()));
    let toolbox = desk
        .open(vec![tools("called() { answer '{\"tools\":[]}'; }")])
        .await;
    assert_eq!(
        call(&toolbox, "s__t").await,
        Err("E2002: the MCP server `s` answered `t` with something else than a result".to_owned())
    );
    let long = "called() { text \"$(head -c 200000 /dev/zero | tr '\\0' x)\"; }";
    let toolbox = desk.open(vec![tools(long)]).await;
    let text = call(&toolbox, "s__t").await.unwrap();
    assert!(
        text.ends_with("x\n[cut: 65536 of 200000 bytes]"),
        "{}",
        &text[text.len() - 99..]
    );
}

#[tokio::test]
async fn a_server_that_dies_is_started_again_by_the_next_call() {
    let desk = Desk::new();
    // It dies at every second call.
    let dies = r#"
      echo begun >> begun
      called() { if [ -e second ]; then rm second; echo 'bad luck' >&2; exit 7; else touch second; text done; fi; }
    "#;
    let toolbox = desk.open(vec![script("s", dies)]).await;
    for _ in 0..2 {
        assert_eq!(call(&toolbox, "s__t").await, Ok("done".to_owned()));
        let broke = call(&toolbox, "s__t").await.unwrap_err();
        assert!(
            broke.starts_with("E2002: the MCP server `s` broke off: "),
            "{broke}"
        );
    }
    assert_eq!(call(&toolbox, "s__t").await, Ok("done".to_owned()));
    assert_eq!(desk.said("begun"), "begun\nbegun\nbegun\n");
}

#[tokio::test]
async fn a_server_that_dies_at_every_call_is_left_alone_in_the_end() {
    let desk = Desk::new();
    let toolbox = desk
        .open(vec![script("s", "echo begun >> begun; called() { exit 1; }")])
        .await;
    let mut last = String::new();
    for _ in 0..8 {
        last = call(&toolbox, "s__t").await.unwrap_err();
    }
    assert_eq!(
        last,
        "E2001: the MCP server `s` cannot be started or reached: it has ended 5 times and is not started again"
    );
    assert_eq!(desk.said("begun").lines().count(), 6);
}

#[tokio::test]
async fn a_server_that_hangs_is_ended_and_started_again() {
    let desk = Desk::new();
    let hangs = "echo $$ >> begun; called() { [ -e heal ] && text done; }";
    let mut server = script("s", hangs);
    server.timeout = Duration::from_secs(1);
    let toolbox = desk.open(vec![server]).await;
    for _ in 0..2 {
        assert_eq!(
            call(&toolbox, "s__t").await,
            Err("E2002: the MCP server `s` did not answer `t` within 1 s".to_owned())
        );
    }
    let first = desk.said("begun").trim().to_owned();
    until(|| !runs(&first)).await;
    std::fs::write(desk.path().join("heal"), "").unwrap();
    assert_eq!(call(&toolbox, "s__t").await, Ok("done".to_owned()));
}

#[tokio::test]
async fn a_list_that_changes_is_followed() {
    let desk = Desk::new();
    let grows = r#"
      listed() { if [ -e more ]; then tools "$(tool t),$(tool u)"; else tools "$(tool t)"; fi; }
      called() { touch more; echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'; text done; }
    "#;
    let toolbox = desk.open(vec![script("s", grows)]).await;
    assert_eq!(names(&toolbox), ["s__t"]);
    assert_eq!(call(&toolbox, "s__t").await, Ok("done".to_owned()));
    until(|| names(&toolbox) == ["s__t", "s__u"]).await;
    assert_eq!(call(&toolbox, "s__u").await, Ok("done".to_owned()));
}

#[tokio::test]
async fn lists_are_bounded() {
    let desk = Desk::new();
    let endless = r#"
      listed() { answer "{\"tools\":[$(tool a$id)],\"nextCursor\":\"more\"}"; }
    "#;
    let toolbox = desk.open(vec![script("s", endless)]).await;
    assert_eq!(names(&toolbox).len(), 32);
    assert_eq!(
        problems(&toolbox),
        ["E2004 s: it has more than 128 tools; those beyond are not offered"]
    );
}

#[tokio::test]
async fn nothing_outlives_the_toolbox() {
    let desk = Desk::new();
    // It ignores the end of its input and every polite signal, and so does what
    // it has started.
    let stubborn = r#"
      trap '' TERM HUP INT
      (while :; do sleep 1000; done) & echo $! > child
      echo $$ > own
      serve; while :; do sleep 1000; done
    "#;
    let toolbox = desk.open(vec![script("s", stubborn)]).await;
    assert_eq!(call(&toolbox, "s__t").await, Ok("done".to_owned()));
    let ids = [desk.said("own"), desk.said("child")].map(|id| id.trim().to_owned());
    assert!(ids.iter().all(|id| runs(id)), "{ids:?}");
    let other = toolbox.clone();
    drop(toolbox);
    assert_eq!(call(&other, "s__t").await, Ok("done".to_owned()));
    drop(other);
    until(|| !ids.iter().any(|id| runs(id))).await;
}

#[tokio::test]
async fn few_variables_reach_a_server() {
    let desk = Desk::new();
    let mut server = script("s", "called() { text \"$OWN,$CARGO_MANIFEST_DIR,$PWD\"; }");
    let mcp::Transport::Stdio { env, .. } = &mut server.transport else {
        panic!("a script is a program");
    };
    env.insert("OWN".to_owned(), "own".to_owned());
    let toolbox = desk.open(vec![server]).await;
    let expect = format!("own,,{}", desk.path().canonicalize().unwrap().display());
    assert_eq!(call(&toolbox, "s__t").await, Ok(expect));
}

#[tokio::test]
async fn of_two_servers_of_one_name_the_first_counts() {
    let desk = Desk::new();
    let servers = vec![
        script("a", "called() { text first; }"),
        script("a", "called() { text second; }"),
        script("b", ""),
    ];
    let toolbox = desk.open(servers).await;
    assert_eq!(call(&toolbox, "a__t").await, Ok("first".to_owned()));
    assert_eq!(names(&toolbox), ["a__t", "b__t"]);
    assert_eq!(
        problems(&toolbox),
        ["E2005 a: it is left out: another server has this name; rename one of them"]
    );
}

#[tokio::test]
async fn tools_are_for_their_languages() {
    let desk = Desk::new();
    let python = Server {
        languages: vec!["Python".to_owned(), "django".to_owned()],
        ..script("python", "")
    };
    let toolbox = desk.open(vec![python, script("all", "")]).await;
    let offered = |languages: &[&str]| -> Vec<String> {
        toolbox
            .offered(languages)
            .into_iter()
            .map(|one| one.server)
            .collect()
    };
    assert_eq!(offered(&["python"]), ["python", "all"]);
    assert_eq!(offered(&["rust"]), ["all"]);
    assert_eq!(offered(&["rust", "django"]), ["python", "all"]);
    assert_eq!(offered(&[]), ["python", "all"]);
}

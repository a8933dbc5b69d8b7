use serde_json::json;

use super::*;
use crate::{BuiltIn, Transport};

fn server(allow: &[&str]) -> Server {
    Server {
        allow: allow.iter().map(|name| (*name).to_owned()).collect(),
        ..Server::new("s", Transport::BuiltIn(BuiltIn::Git), Source::Configuration)
    }
}

fn tool(name: &str, more: &Value) -> Tool {
    let mut tool = json!({"name": name, "inputSchema": {"type": "object"}});
    tool.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    serde_json::from_value(tool).unwrap()
}

fn reads(name: &str) -> Tool {
    tool(name, &json!({"annotations": {"readOnlyHint": true}}))
}

#[track_caller]
fn check(allow: &[&str], tools: Vec<Tool>, offered: &[&str], problems: &[&str]) {
    let survey = Survey::of(&server(allow), Unlisted::Hide, tools, false);
    let names: Vec<&str> = survey.offered.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, offered);
    let told: Vec<String> = survey
        .problems
        .iter()
        .map(|problem| format!("{}: {}", problem.code, problem.message))
        .collect();
    assert_eq!(told, problems);
}

#[test]
fn what_only_reads_is_offered_and_the_rest_where_it_is_allowed() {
    let tools = || vec![tool("write", &json!({})), reads("read"), tool("make", &json!({}))];
    let how = "To allow them, name them under `mcp_servers: s: allow:` in backend.yaml";
    let because = "not offered, as the server does not say that they only read";
    check(
        &[],
        tools(),
        &["s__read"],
        &[&format!("E2004: 2 tools are {because}: `write`, `make`. {how}")],
    );
    check(
        &["make"],
        tools(),
        &["s__make", "s__read"],
        &[&format!("E2004: 1 tool is {because}: `write`. {how}")],
    );
    check(&["*"], tools(), &["s__make", "s__read", "s__write"], &[]);
    check(
        &["read", "gone"],
        vec![reads("read")],
        &["s__read"],
        &["E2004: `allow` names `gone`, which it does not have"],
    );
    let not_so = tool("x", &json!({"annotations": {"readOnlyHint": false}}));
    check(
        &[],
        vec![not_so],
        &[],
        &[&format!("E2004: 1 tool is {because}: `x`. {how}")],
    );
}

#[test]
fn where_a_person_is_asked_all_are_offered_and_say_so() {
    let tools = vec![
        tool("write", &json!({"annotations": {"destructiveHint": true}})),
        reads("read"),
        tool(
            "make",
            &json!({"annotations": {"readOnlyHint": false, "destructiveHint": false}}),
        ),
        tool("send", &json!({})),
    ];
    let survey = Survey::of(&server(&["send"]), Unlisted::Ask, tools, false);
    assert_eq!(survey.problems, []);
    let told: Vec<_> = survey
        .offered
        .iter()
        .map(|one| (one.tool.as_str(), one.needs_permission, one.destructive))
        .collect();
    let expect = [
        ("make", true, Some(false)),
        ("read", false, None),
        ("send", false, None),
        ("write", true, Some(true)),
    ];
    assert_eq!(told, expect);
}

#[test]
fn a_schema_is_of_an_object_and_small() {
    let long = "x".repeat(SCHEMA_BYTES_MAX);
    let annotations = json!({"readOnlyHint": true});
    let with =
        |name: &str, schema: &Value| tool(name, &json!({"inputSchema": schema, "annotations": annotations}));
    check(
        &[],
        vec![
            with("long", &json!({"type": "object", "description": long})),
            with("list", &json!({"type": "array"})),
            with("none", &json!({"$schema": "x"})),
        ],
        &["s__none"],
        &[
            "E2004: 2 tools are not offered, as the schema of the arguments is no object or has more than \
           16384 bytes: `long`, `list`",
        ],
    );
}

#[test]
fn a_tool_is_described_in_short() {
    let long = "ü".repeat(DESCRIPTION_CHARS_MAX + 1);
    let more = json!({
        "description": format!(" \u{7}{long}"),
        "annotations": {"readOnlyHint": true, "title": "The\ntitle"},
        "inputSchema": {"$schema": "s", "properties": {"a": {}}},
    });
    let expect = Offered {
        name: "s__t-a_b-b3a8e0e1".to_owned(),
        server: "s".to_owned(),
        tool: "t a_b".to_owned(),
        title: "The title".to_owned(),
        description: format!("\u{fffd}{}…", "ü".repeat(DESCRIPTION_CHARS_MAX - 1)),
        schema: json!({"type": "object", "properties": {"a": {}}})
            .as_object()
            .unwrap()
            .clone(),
        read_only: true,
        destructive: None,
        needs_permission: false,
        reached: "built in (git)".to_owned(),
    };
    let mut offered = Survey::of(&server(&[]), Unlisted::Hide, vec![tool("t a_b", &more)], true).offered;
    offered[0].name.clone_from(&expect.name);
    assert_eq!(offered, [expect]);
}

#[test]
fn of_two_tools_of_one_name_the_first_counts() {
    let first = tool("a", &json!({"annotations": {"readOnlyHint": true}, "title": "1"}));
    let second = tool("a", &json!({"annotations": {"readOnlyHint": true}, "title": "2"}));
    let survey = Survey::of(&server(&[]), Unlisted::Hide, vec![first, second], true);
    let titles: Vec<&str> = survey.offered.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles, ["1"]);
    assert_eq!(
        survey.problems[0].message,
        "it has more than 128 tools; those beyond are not offered"
    );
}

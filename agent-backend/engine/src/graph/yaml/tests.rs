use super::*;
use crate::graph::{dot, mermaid};

const SHIPPED: &str = include_str!("../../../../../config/workflows/feature_implementation.yaml");
const RICH: &str = include_str!("../../tests/rich.yaml");

fn check(text: &str, expect: Result<&[&str], &str>) {
    match (parse(text), expect) {
        (Ok(graph), Ok(stages)) => {
            let ids: Vec<&str> = graph.stages.iter().map(|stage| stage.id.as_str()).collect();
            assert_eq!(ids, stages);
        }
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
        (got, expect) => panic!("{got:?} is not {expect:?}"),
    }
}

#[test]
fn the_shipped_definition() {
    check(
        SHIPPED,
        Ok(&[
            "retrieval",
            "planning",
            "code_generation",
            "test_generation",
            "checks",
            "review",
            "apply",
        ]),
    );
}

#[test]
fn broken_definitions_say_where() {
    check("name: x\nversion: 1\nstages: []\n", Err("0 stages"));
    check("name: x\nversion: one\nstages: []\n", Err("line 2"));
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: magic}\n",
        Err("magic"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: apply}\n",
        Err("needs a stage of kind `review`"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: retrieval}\n  - {id: a, kind: planning}\n",
        Err("twice"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: retrieval, optional: true}\n",
        Err("cannot be optional"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: retrieval, retry_from: b}\n",
        Err("no earlier stage"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: retrieval, attempts_max: 0}\n",
        Err("attempts_max"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: checks, role: code}\n",
        Err("role is for stages that ask a model"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: apply, cache: true}\n",
        Err("cache is for stages that ask a model"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: planning, role: back end}\n",
        Err("a role has 1 to 64 characters"),
    );
    check(
        "name: x\nversion: 1\nstages:\n  - {id: a, kind: planning, role: backend_expert, cache: true}\n",
        Ok(&["a"]),
    );
    check(
        &SHIPPED.replace("    on_modify: planning\n", ""),
        Err("a review needs on_modify"),
    );
    check("", Err("the file is empty"));
    check("name: x\n---\nname: y\n", Err("second document"));
    check("- a\n", Err("a definition is a mapping, not a list"));
    check(
        "name: &a x\nversion: *a\nstages: []\n",
        Err("an alias is not possible"),
    );
    check(&format!("name: {}", "x".repeat(300_000)), Err("300006 bytes"));
    check(&"[".repeat(60), Err("line 1"));
}

/// Every problem of a text, as `workflows check` prints them.
fn problems(text: &str, library: &Library) -> String {
    parse_with(text, library).unwrap_err().to_string()
}

#[test]
fn all_problems_are_named_at_once_with_their_places() {
    insta::assert_snapshot!(problems(include_str!("tests/broken.yaml"), &Library::new()));
}

#[test]
fn what_is_not_yaml_has_a_place() {
    insta::assert_snapshot!(problems(
        "name: x\nversion: 1\nstages:\n  - id: a\n   kind: retrieval\n",
        &Library::new()
    ));
}

#[test]
fn problems_of_a_sub_workflow_are_shown_where_it_is_used() {
    let text = "name: x\nversion: 1\nstages:\n  - {id: a, kind: workflow, workflow: inner}\n  - {id: b, kind: workflow, workflow: gone}\n  - {id: c, kind: workflow, workflow: self}\n";
    let library = Library::from([
        (
            "inner".to_owned(),
            "name: inner\nversion: 1\nstages:\n  - {id: find, kind: retrieval, speed: 3}\n  - {id: write, kind: apply}\n"
                .to_owned(),
        ),
        (
            "self".to_owned(),
            "name: self\nversion: 1\nstages:\n  - {id: d, kind: workflow, workflow: self}\n".to_owned(),
        ),
    ]);
    insta::assert_snapshot!(problems(text, &library));
}

/// The document shows one whole definition, and what it shows can be used.
#[test]
fn the_definition_of_the_document_can_be_used() {
    let document = include_str!("../../../../../docs/workflows.md");
    let blocks = document.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let whole: Vec<&str> = blocks.filter(|block| block.starts_with("name: ")).collect();
    assert_eq!(whole.len(), 1);
    check(
        whole[0],
        Ok(&[
            "retrieval",
            "planning",
            "approval",
            "modules",
            "test_generation",
            "checks",
            "review",
            "apply",
        ]),
    );
}

#[test]
fn graphs_are_drawn() {
    insta::assert_snapshot!("mermaid_shipped", mermaid(&parse(SHIPPED).unwrap()));
    insta::assert_snapshot!("mermaid_rich", mermaid(&parse(RICH).unwrap()));
    insta::assert_snapshot!("dot_rich", dot(&parse(RICH).unwrap()));
}

#[test]
fn the_source_of_a_graph_is_the_hash_of_its_text() {
    let source = |text: &str| parse(text).unwrap().source;
    assert_eq!(source(SHIPPED), Some(BlobId::of(SHIPPED.as_bytes())));
    assert_ne!(source(SHIPPED), source(&format!("{SHIPPED}# other\n")));
}

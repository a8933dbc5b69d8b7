//! The command line, as a person uses it.

use serde_json::Value;

use crate::world::{World, brief};

#[tokio::test]
async fn the_command_line_runs_shows_and_explains() {
    let world = World::new().await;
    let asked = world.cli(&["run", "Add greetings"]);
    assert_eq!(asked.status.code(), Some(3), "nobody there to decide");
    let output = world.cli(&["run", "Add greetings", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for part in [
        "retrieval",
        "greeting.py (new file, +2 -0)",
        "+def greet(name):",
        "committed",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let output = world.cli(&[
        "run",
        "--json",
        "--yes",
        "Make it again",
        "--correlation-id",
        "json_1",
    ]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // The files are there already: the model's answer changes nothing.
    assert_eq!(brief(&events).last().unwrap(), "failed E1309");
    assert_eq!(output.status.code(), Some(1));

    let list = world.cli(&["workflows", "list", "--json"]);
    let page: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(page["workflows"].as_array().unwrap().len(), 3);
    let doctor = world.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{text}");
    assert!(text.contains("ollama pull nomic-embed-text"), "{text}");
    assert!(text.contains("agentic-ide-vectordb"), "{text}");
    // Either each promise, or why there is none.
    assert!(
        text.contains("✓ sandbox: no network") || text.contains("! sandbox: E1801"),
        "{text}"
    );
    let found = world.cli(&["search", "greet", "--json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let defines = |item: &Value| item["path"] == "greeting.py" && item["symbol"] == "greet";
    assert!(found["items"].as_array().unwrap().iter().any(defines), "{found}");
}

#[tokio::test]
async fn a_second_backend_on_the_same_data_names_the_first() {
    let world = World::new().await;
    let output = world
        .backend()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("E1105"), "{said}");
}

//! Faults from a seed: the same each time, and never too many in a row.

use std::process::Command;

use scripted_ollama::{Fault, Format, IN_A_ROW_MAX_DEFAULT, ScriptedOllama, Seed};

use super::{
    MODEL, builder,
    formats::{ALL, ask, read},
};

/// Each question has its own answer, and the third time another one.
const SCRIPT: &str = "rules:
- match: { contains: again, nth: 2 }
  respond: { text: second time around }
- match: { regex: 'question (?P<n>\\d+)' }
  respond: { text: 'this is the answer to {{n}}', expand: true }";

async fn serve(seed: u64) -> ScriptedOllama {
    builder(SCRIPT).seed(Seed::new(seed)).start().await.unwrap()
}

/// Asks as a client does that reads carefully, and asks again when what it got
/// is not whole. Says how often it had to ask.
async fn persist(server: &ScriptedOllama, format: Format, content: &str) -> (String, u32) {
    for attempt in 1.. {
        let read = read(ask(server, format, content).await).await;
        if read.status == 200 && !read.broke && read.ends(format) > 0 {
            return (read.text(), attempt);
        }
    }
    unreachable!("it asks for ever")
}

fn faults(server: &ScriptedOllama) -> Vec<Option<Fault>> {
    let records = server.requests();
    let places: Vec<Option<u64>> = records.iter().map(|record| record.call).collect();
    let expect: Vec<Option<u64>> = (1..=records.len() as u64).map(Some).collect();
    assert_eq!(places, expect);
    records
        .into_iter()
        .map(|mut record| record.faults.pop())
        .collect()
}

#[tokio::test]
async fn a_client_that_asks_again_gets_through() {
    for seed in 0..2 {
        let server = serve(seed).await;
        for question in 0..8 {
            for format in ALL {
                let content = format!("question {question}");
                let (answer, attempts) = persist(&server, format, &content).await;
                assert_eq!(
                    answer,
                    format!("this is the answer to {question}"),
                    "seed {seed}, {format:?}"
                );
                assert!(
                    attempts <= IN_A_ROW_MAX_DEFAULT + 1,
                    "seed {seed}, {format:?}: {attempts}"
                );
            }
        }
        // What was done is what the plan says.
        let done = faults(&server);
        let plan: Vec<Option<Fault>> = Seed::new(seed).plan().take(done.len()).collect();
        assert_eq!(done, plan, "seed {seed}");
        assert!(done.iter().flatten().count() > 10);
    }
}

#[tokio::test]
async fn the_same_seed_the_same_faults() {
    let run = async |seed: u64| {
        let server = serve(seed).await;
        let mut answers = Vec::new();
        for format in ALL.into_iter().cycle().take(24) {
            let read = read(ask(&server, format, "question 1").await).await;
            answers.push((read.status, read.text(), read.broke));
        }
        (answers, faults(&server))
    };
    let first = run(3).await;
    assert_eq!(first, run(3).await);
    assert_ne!(first.1, run(4).await.1);
}

/// A question that is spoiled does not count: the client asks again.
#[tokio::test]
async fn what_a_seed_spoils_does_not_count_for_nth() {
    for seed in 0..4 {
        let server = serve(seed).await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(persist(&server, Format::Ollama, "question 1 again").await.0);
        }
        let first = "this is the answer to 1";
        assert_eq!(answers, [first, "second time around", first], "seed {seed}");
    }
}

#[tokio::test]
async fn without_a_seed_nothing_goes_wrong() {
    let server = builder(SCRIPT).start().await.unwrap();
    for format in ALL {
        assert_eq!(persist(&server, format, "question 1").await.1, 1);
    }
    assert_eq!(faults(&server), vec![None; 4]);
}

#[test]
fn the_plan_is_printed() {
    let program = env!("CARGO_BIN_EXE_scripted-ollama");
    let out = Command::new(program)
        .args(["--seed", "7", "--plan", "20"])
        .output()
        .unwrap();
    let lines = Seed::new(7).plan().take(20).enumerate();
    let expect: String = lines
        .map(|(index, fault)| format!("{}: {}\n", index + 1, serde_json::to_string(&fault).unwrap()))
        .collect();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), expect);
    assert!(!expect.contains(MODEL) && expect.contains(": null") && expect.contains(": {"));
}

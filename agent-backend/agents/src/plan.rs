//! The planner's answer: the shape it is asked for and how it is read.

use std::collections::HashSet;

use engine::artifact::{Plan, StageChoice};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::id::StageId;

use crate::{Error, answer::one_line, edit::path, json};

/// Steps of one plan.
pub const STEPS_MAX: usize = 20;

/// Files of one plan.
pub const FILES_MAX: usize = 30;

/// Entries about optional stages, repeated ones included.
pub const STAGES_MAX: usize = 64;

/// Characters of the summary.
pub const SUMMARY_CHARS_MAX: usize = 200;

/// Characters of a step or a reason.
pub const TEXT_CHARS_MAX: usize = 500;

/// Reason of a stage that runs because the planner forgot it.
pub const NOT_MENTIONED: &str = "the plan does not mention it";

/// Whether the planner may ask the person instead of planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// It may.
    Allowed,
    /// It may not: the person has said more already.
    Over,
}

/// JSON Schema of a plan, for the model server's structured output.
pub fn schema(optional: &[StageId], asking: Asking) -> Value {
    let mut properties = json!({
        "summary": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": STEPS_MAX},
        "files": {"type": "array", "items": {"type": "string"}, "maxItems": FILES_MAX},
    });
    if asking == Asking::Allowed {
        properties["question"] = json!({"type": "string"});
    }
    let mut required = vec!["summary", "steps", "files"];
    if !optional.is_empty() {
        let names: Vec<&str> = optional.iter().map(StageId::as_str).collect();
        properties["stages"] = json!({
            "type": "array",
            "minItems": names.len(),
            "maxItems": names.len(),
            "items": {
                "type": "object",
                "properties": {
                    "stage": {"type": "string", "enum": names},
                    "run": {"type": "boolean"},
                    "reason": {"type": "string"},
                },
                "required": ["stage", "run", "reason"],
                "additionalProperties": false,
            },
        });
        required.push("stages");
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

#[derive(Deserialize)]
struct Raw {
    summary: String,
    steps: Vec<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    stages: Vec<RawStage>,
    #[serde(default)]
    question: Option<String>,
}

#[derive(Deserialize)]
struct RawStage {
    stage: String,
    run: bool,
    #[serde(default)]
    reason: String,
}

/// Reads a plan. Each optional stage has exactly one choice in the result, in
/// the order of `optional`; other stages that the answer names are dropped.
///
/// # Errors
/// `Empty`, `Truncated` (JSON that ends too early), `Plan` (no JSON, another
/// shape, too much of it), `Path` (a file outside the workspace), `Unclear` (a
/// question to the person, where one may be asked).
pub fn parse(answer: &str, optional: &[StageId], asking: Asking) -> Result<Plan, Error> {
    let raw: Raw = json::object(answer, "the plan", bad)?;
    let question = one_line(raw.question.as_deref().unwrap_or_default(), TEXT_CHARS_MAX);
    if asking == Asking::Allowed && !question.is_empty() {
        return Err(Error::Unclear { question });
    }
    let summary = one_line(&raw.summary, SUMMARY_CHARS_MAX);
    if summary.is_empty() {
        return Err(bad("`summary` is empty".into()));
    }
    let steps = texts("steps", &raw.steps, STEPS_MAX)?;
    if steps.is_empty() {
        return Err(bad("`steps` is empty".into()));
    }
    Ok(Plan {
        summary,
        steps,
        files: files(&raw.files)?,
        stages: choices(&raw.stages, optional)?,
        // What it takes is measured, and not for a model to say.
        estimates: Vec::new(),
    })
}

fn bad(problem: String) -> Error {
    Error::Plan { problem }
}

fn texts(name: &str, raw: &[String], count_max: usize) -> Result<Vec<String>, Error> {
    if raw.len() > count_max {
        return Err(bad(format!(
            "`{name}` has {} entries; {count_max} are possible",
            raw.len()
        )));
    }
    let lines = raw.iter().map(|text| one_line(text, TEXT_CHARS_MAX));
    Ok(lines.filter(|text| !text.is_empty()).collect())
}

fn files(raw: &[String]) -> Result<Vec<String>, Error> {
    if raw.len() > FILES_MAX {
        return Err(bad(format!(
            "`files` has {} entries; {FILES_MAX} are possible",
            raw.len()
        )));
    }
    let mut files: Vec<String> = Vec::new();
    for file in raw {
        let file = path::normal(file.trim());
        if file.is_empty() {
            continue;
        }
        path::check(file)?;
        if !files.iter().any(|known| known == file) {
            files.push(file.to_owned());
        }
    }
    Ok(files)
}

fn choices(raw: &[RawStage], optional: &[StageId]) -> Result<Vec<StageChoice>, Error> {
    if raw.len() > STAGES_MAX {
        return Err(bad(format!(
            "`stages` has {} entries; {STAGES_MAX} are possible",
            raw.len()
        )));
    }
    let mut seen = HashSet::new();
    let mut choices = Vec::new();
    for stage in optional {
        if !seen.insert(stage) {
            continue;
        }
        let mut entries = raw.iter().filter(|entry| entry.stage == stage.as_str());
        // An answer that says yes and no means yes: leaving evidence out needs
        // a clear word.
        let entry = entries.clone().find(|entry| entry.run).or_else(|| entries.next());
        let (run, reason) = match entry {
            Some(entry) => (entry.run, one_line(&entry.reason, TEXT_CHARS_MAX)),
            None => (true, NOT_MENTIONED.to_owned()),
        };
        choices.push(StageChoice {
            stage: stage.clone(),
            run,
            reason,
        });
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use shared::error::Code;

    use super::*;

    fn optional() -> Vec<StageId> {
        vec![StageId::new("test_generation"), StageId::new("security")]
    }

    fn show(plan: &Plan) -> String {
        let stages: Vec<String> = plan
            .stages
            .iter()
            .map(|c| format!("{}={} ({})", c.stage, c.run, c.reason))
            .collect();
        format!(
            "{} | {} | {} | {}",
            plan.summary,
            plan.steps.join("; "),
            plan.files.join(", "),
            stages.join(", ")
        )
    }

    #[track_caller]
    fn check(answer: &str, expect: &str) {
        let got = match parse(answer, &optional(), Asking::Allowed) {
            Ok(plan) => show(&plan),
            Err(error) => error.code().as_str().to_owned(),
        };
        assert_eq!(got, expect, "{answer}");
    }

    const GOOD: &str = r#"{"summary":"Add a limit","steps":["Write it","Use it"],"files":["src/limit.py","./src/app.py","src/limit.py"],
        "stages":[{"stage":"test_generation","run":true,"reason":"new code"},{"stage":"security","run":false,"reason":"no input"}]}"#;
    const READ: &str = "Add a limit | Write it; Use it | src/limit.py, src/app.py | test_generation=true (new code), security=false (no input)";

    #[test]
    fn plans_that_can_be_read() {
        check(GOOD, READ);
        check(&format!("<think>hmm {{}}</think>\n{GOOD}"), READ);
        check(
            &format!("Here is the plan:\n```json\n{GOOD}\n```\nShall I go on?"),
            READ,
        );
        check(&GOOD.replace('\n', "\r\n"), READ);
        let forgotten = "Add | a |  | test_generation=true (the plan does not mention it), security=true (the plan does not mention it)";
        check(r#"{"summary":"Add","steps":["a"]}"#, forgotten);
        check(
            r#"{"summary":" Add\n","steps":["a",""],"files":[""],"stages":[{"stage":"deploy","run":true}]}"#,
            forgotten,
        );
        check(
            r#"{"summary":"x","steps":["a"],"extra":1,"stages":[{"stage":"security","run":false,"reason":"n"},{"stage":"security","run":true,"reason":"y"}]}"#,
            "x | a |  | test_generation=true (the plan does not mention it), security=true (y)",
        );
    }

    #[test]
    fn plans_that_are_refused() {
        check("", "E1301");
        check(" \n ", "E1301");
        check("<think></think>", "E1301");
        check("<think>hm", "E1303");
        check("First we add a limit.", "E1307");
        check("I'm sorry, but I can't help with that.", "E1312");
        check("[1, 2]", "E1307");
        check(r#"{"summary": 3, "steps": []}"#, "E1307");
        check(r#"{"summary":"a","steps":"b"}"#, "E1307");
        check(r#"{"summary":"","steps":["b"]}"#, "E1307");
        check(r#"{"summary":"a","steps":[]}"#, "E1307");
        check(r#"{"steps":["b"]}"#, "E1307");
        check(r#"{"summary":"a","steps":["b"],}"#, "E1307");
        check(
            r#"{"summary":"a","steps":["b"]} {"summary":"c","steps":["d"]}"#,
            "E1307",
        );
        check(
            &format!(
                r#"{{"summary":"a","steps":[{}"b"]}}"#,
                r#""b","#.repeat(STEPS_MAX)
            ),
            "E1307",
        );
        check(r#"{"summary":"a","steps":["b"],"files":["../x"]}"#, "E1305");
        check(
            r#"{"summary":"a","steps":["b"],"files":["/etc/passwd"]}"#,
            "E1305",
        );
    }

    #[test]
    fn json_that_ends_early_is_never_completed() {
        let whole = GOOD.trim_end();
        for end in (1..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
            let error = parse(&whole[..end], &optional(), Asking::Allowed).unwrap_err();
            assert_eq!(error.code(), Code::AnswerTruncated, "{}", &whole[..end]);
        }
    }

    #[test]
    fn long_texts_are_shortened() {
        let plan = parse(
            &format!(r#"{{"summary":"{0}","steps":["{0}"]}}"#, "a".repeat(9_000)),
            &[],
            Asking::Allowed,
        )
        .unwrap();
        assert_eq!(plan.summary.chars().count(), SUMMARY_CHARS_MAX);
        assert_eq!(plan.steps[0].chars().count(), TEXT_CHARS_MAX);
    }

    #[test]
    fn schema_of_a_plan() {
        insta::assert_json_snapshot!("schema", schema(&[StageId::new("test_generation")], Asking::Over));
        assert_eq!(schema(&[], Asking::Over)["properties"].get("stages"), None);
        let asking = schema(&[], Asking::Allowed);
        assert_eq!(asking["properties"]["question"]["type"], "string");
        assert_eq!(asking["required"], json!(["summary", "steps", "files"]));
    }

    #[test]
    fn a_question_is_one_only_while_it_may_be_asked() {
        let check = |question: &str, asking, expect: Option<&str>| {
            let answer =
                json!({"summary": "a", "steps": ["b"], "files": [], "question": question}).to_string();
            let expect = expect.map_or(Ok("a"), |question| {
                Err(Error::Unclear {
                    question: question.to_owned(),
                })
            });
            let got = parse(&answer, &[], asking).map(|plan| plan.summary);
            assert_eq!(got, expect.map(str::to_owned), "{question}");
        };
        check("Which one?", Asking::Allowed, Some("Which one?"));
        check(" \nWhich\none? ", Asking::Allowed, Some("Which one?"));
        check("Which one?", Asking::Over, None);
        check(" ", Asking::Allowed, None);
    }
}

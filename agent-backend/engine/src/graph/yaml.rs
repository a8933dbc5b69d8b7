//! Reads a definition from YAML text.

use serde::Deserialize;
use shared::id::StageId;

use super::{Error, Graph, Presence, Stage, StageKind};

/// Attempts where a definition says nothing.
const ATTEMPTS_DEFAULT: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: u32,
    #[serde(default)]
    #[expect(dead_code, reason = "accepted in files, for people")]
    description: Option<String>,
    stages: Vec<FileStage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStage {
    id: String,
    kind: FileKind,
    #[serde(default)]
    optional: bool,
    attempts_max: Option<u32>,
    retry_from: Option<String>,
    on_modify: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    Retrieval,
    Planning,
    CodeGeneration,
    TestGeneration,
    Checks,
    Review,
    Apply,
}

/// Reads and validates a definition.
pub fn parse(text: &str) -> Result<Graph, Error> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| Error::Syntax(error.to_string()))?;
    let stages = file.stages.into_iter().map(stage).collect::<Result<_, _>>()?;
    Graph {
        name: file.name,
        version: file.version,
        stages,
    }
    .validate()
}

fn stage(stage: FileStage) -> Result<Stage, Error> {
    let id = |text: String| StageId::parse(&text).map_err(|error| Error::Syntax(error.to_string()));
    Ok(Stage {
        id: id(stage.id)?,
        kind: match stage.kind {
            FileKind::Retrieval => StageKind::Retrieval,
            FileKind::Planning => StageKind::Planning,
            FileKind::CodeGeneration => StageKind::CodeGeneration,
            FileKind::TestGeneration => StageKind::TestGeneration,
            FileKind::Checks => StageKind::Checks,
            FileKind::Review => StageKind::Review,
            FileKind::Apply => StageKind::Apply,
        },
        presence: if stage.optional {
            Presence::Optional
        } else {
            Presence::Required
        },
        attempts_max: stage.attempts_max.unwrap_or(ATTEMPTS_DEFAULT),
        retry_from: stage.retry_from.map(id).transpose()?,
        on_modify: stage.on_modify.map(id).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    const SHIPPED: &str = include_str!("../../../../config/workflows/feature_implementation.yaml");

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
            &SHIPPED.replace("    on_modify: planning\n", ""),
            Err("a review needs on_modify"),
        );
    }
}

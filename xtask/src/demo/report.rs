//! What the demo shows: processes, the result, where to look next.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use serde_json::Value;

use super::{
    programs::{BACKEND, Programs, VECTORDB},
    workspace,
};
use crate::{crew::Crew, say};

/// The programs that run.
pub fn running(crew: &mut Crew, programs: &Programs) {
    let mut rows = vec![["program", "pid", "address", "log"].map(str::to_owned).to_vec()];
    for program in crew.programs() {
        let address = match program.name() {
            BACKEND => programs.backend_url(),
            VECTORDB => programs.qdrant_url(),
            _ => "",
        };
        let log = program.log().display().to_string();
        rows.push(vec![
            program.name().to_owned(),
            program.pid().to_string(),
            address.to_owned(),
            log,
        ]);
    }
    say::table(&rows);
}

/// The commit and the time each stage took; answers whether there is a commit.
pub fn result(programs: &Programs, dir: &Path) -> anyhow::Result<bool> {
    let view = programs.last_workflow(dir)?;
    if let Some(code) = view["error"]["code"].as_str() {
        let message = view["error"]["message"].as_str().unwrap_or_default();
        bail!("the workflow failed with {code}: {message}\nsee docs/errors/{code}.md");
    }
    say::step("The result");
    match view["commit"].as_str() {
        Some(commit) => match workspace::git(dir, &["show", "--stat", "--format=fuller", commit]) {
            Some(text) => say::note(text.trim_end()),
            None => bail!("the backend names the commit {commit}, but git does not find it"),
        },
        None => say::note("the files are written; without a git repository there is no commit"),
    }
    say::step("Time of each stage");
    say::table(&stages(&view));
    Ok(view["commit"].is_string())
}

fn stages(view: &Value) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["stage", "time", "attempts", "status"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for stage in view["stages"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let text = |key: &str| stage[key].as_str().unwrap_or_default().to_owned();
        let time = stage["duration_ms"].as_u64().map(Duration::from_millis);
        rows.push(vec![
            text("stage_id"),
            time.map_or_else(|| "-".to_owned(), say::duration),
            stage["attempt"].as_u64().unwrap_or_default().to_string(),
            text("status"),
        ]);
    }
    rows
}

/// Where to look next.
pub fn next(
    dir: &Path,
    repository: Option<&PathBuf>,
    picture: Option<&Path>,
    programs: &Programs,
    keep: bool,
) {
    say::step("Where to look next");
    if let Some(repository) = repository {
        say::note(&format!("the commit:    git -C {} show", repository.display()));
    }
    if let Some(picture) = picture {
        say::note(&format!("the window:    {}", picture.display()));
    }
    say::note(&format!("the logs:      {}", dir.join("logs").display()));
    if keep {
        say::note(&format!(
            "the interface: curl {}/api/workflows",
            programs.backend_url()
        ));
    } else {
        say::note("keep it up:    cargo xtask demo --keep");
    }
    say::note("your own code: cargo xtask demo --workspace DIR --request \"…\"");
    say::note("how it works:  ARCHITECTURE.md, docs/README.md");
    say::note(&format!("to clean up:   rm -rf {}", dir.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_for_each_stage() {
        let view = serde_json::json!({"stages": [
            {"stage_id": "planning", "status": "succeeded", "attempt": 1, "duration_ms": 2500},
            {"stage_id": "review", "status": "pending", "attempt": 0, "duration_ms": null},
        ]});
        let rows = stages(&view);
        assert_eq!(rows[1], ["planning", "2.5 s", "1", "succeeded"]);
        assert_eq!(rows[2], ["review", "-", "0", "pending"]);
    }
}

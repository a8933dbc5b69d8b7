//! What differs between two workflows: request, way, and proposed files.

use std::collections::BTreeSet;

use shared::wire::{FileDiff, WorkflowView};
use tools::diff::{printable, unified};

/// One line for each difference, and the changed files as unified diffs from
/// what `a` proposes to what `b` proposes. Empty where nothing differs.
pub(super) fn lines(a: &WorkflowView, b: &WorkflowView) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            lines.push(printable(&format!("{what}: {a} | {b}")));
        }
    };
    let summary = |view: &WorkflowView| view.summary.clone();
    compare("type", summary(a).workflow_type, summary(b).workflow_type);
    compare("request", summary(a).user_query, summary(b).user_query);
    compare("workspace", summary(a).workspace, summary(b).workspace);
    let model = |view: &WorkflowView| view.choices.model.clone();
    let configured = || "configured".to_owned();
    compare(
        "model",
        model(a).unwrap_or_else(configured),
        model(b).unwrap_or_else(configured),
    );
    let thought_level = |view: &WorkflowView| view.choices.thought_level.as_str().to_owned();
    compare("thought level", thought_level(a), thought_level(b));
    compare(
        "state",
        format!("{:?}", a.summary.state),
        format!("{:?}", b.summary.state),
    );
    compare("iteration", a.iteration.to_string(), b.iteration.to_string());
    let stages = |view: &WorkflowView| view.stages.iter().map(|stage| stage.stage_id.clone()).collect();
    let mut names: Vec<_> = stages(a);
    let more: Vec<_> = stages(b);
    names.extend(
        more.into_iter()
            .filter(|name| !a.stages.iter().any(|stage| stage.stage_id == *name)),
    );
    for name in names {
        let of = |view: &WorkflowView| {
            let stage = view.stages.iter().find(|stage| stage.stage_id == name);
            stage.map_or("not there".to_owned(), |stage| {
                format!("{}, attempt {}", stage.status, stage.attempt)
            })
        };
        compare(&format!("stage {name}"), of(a), of(b));
    }
    let error = |view: &WorkflowView| {
        view.error
            .as_ref()
            .map_or("none".to_owned(), |error| error.code.clone())
    };
    compare("error", error(a), error(b));
    for path in paths(a).union(&paths(b)) {
        let (old, new) = (proposed(a, path), proposed(b, path));
        if old != new {
            lines.extend(unified(path, old, new).lines().map(printable));
        }
    }
    lines
}

fn files(view: &WorkflowView) -> &[FileDiff] {
    view.diff.as_deref().unwrap_or_default()
}

fn paths(view: &WorkflowView) -> BTreeSet<String> {
    files(view).iter().map(|file| file.path.clone()).collect()
}

fn proposed<'a>(view: &'a WorkflowView, path: &str) -> Option<&'a str> {
    let file = files(view).iter().find(|file| file.path == path)?;
    file.new_text.as_deref()
}

#[cfg(test)]
mod tests {
    use shared::{
        id::{CorrelationId, Seq, StageId, WorkflowId},
        wire::{ChangeKind, Choices, StageView, WorkflowState, WorkflowSummary},
    };

    use super::*;

    fn view(status: &str, text: &str) -> WorkflowView {
        WorkflowView {
            summary: WorkflowSummary {
                workflow_id: WorkflowId::new("w"),
                correlation_id: CorrelationId::new("c"),
                workflow_type: "t".to_owned(),
                user_query: "q".to_owned(),
                workspace: "/w".to_owned(),
                state: WorkflowState::Running,
                head: Seq(1),
                created_at: 0,
                updated_at: 0,
            },
            choices: Choices::default(),
            iteration: 1,
            stages: vec![StageView {
                stage_id: StageId::new("checks"),
                status: status.to_owned(),
                attempt: 1,
                duration_ms: None,
            }],
            plan: Vec::new(),
            diff: Some(vec![FileDiff {
                path: "a.py".to_owned(),
                change: ChangeKind::Create,
                hunks: Vec::new(),
                old_text: None,
                new_text: Some(text.to_owned()),
                lines_added: 1,
                lines_removed: 0,
            }]),
            evidence: Vec::new(),
            commit: None,
            undone_by: None,
            undoes: None,
            error: None,
        }
    }

    #[test]
    fn differences_are_named_and_equal_workflows_have_none() {
        let a = view("failed", "x = 1\n");
        assert_eq!(lines(&a, &a), Vec::<String>::new());
        let found = lines(&a, &view("succeeded", "x = 2\n"));
        assert_eq!(found[0], "stage checks: failed, attempt 1 | succeeded, attempt 1");
        assert_eq!(found[found.len() - 2..], ["-x = 1", "+x = 2"]);
    }
}

//! Collects evidence for the proposal: what can be told by looking at it, then,
//! if that finds nothing, what building and testing it shows.

mod log;

use engine::{
    FoundBy, Output, State,
    artifact::{CheckReport, CheckStatus, ContextRead, FileChange},
    blob::Blob,
    recheck,
};
use sandbox::Stop;
use tools::{checks::Timeouts, trial};

use self::log::Log;
use super::{
    Desk, Done,
    apply::{Contents, contents},
};
use crate::{error::Error, runtime::services::Services, trials::Permission};

/// Whether the models that wrote the proposal have read what they were sent.
const CONTEXT: &str = "context";

/// What is known of changes to a workspace.
pub(super) struct Evidence {
    /// One for each check.
    pub(super) reports: Vec<CheckReport>,
    /// The logs that they name.
    pub(super) logs: Vec<Blob>,
    found_by: FoundBy,
}

impl Evidence {
    /// Reports that object to the changes.
    fn problems(&self) -> Vec<&CheckReport> {
        let reports = self.reports.iter();
        reports.filter(|report| tools::checks::blocks(report)).collect()
    }
}

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    let proposal = state.proposal.as_deref().cloned().unwrap_or_default();
    let contents = contents(services, &proposal.files).await?;
    let permission = Permission::of(state);
    let mut evidence = collect(services, desk, workspace, permission, (proposal.files, contents)).await?;
    let problems = evidence.problems().into_iter();
    let problems = problems
        .map(|report| format!("{}: {}", report.name, report.output))
        .collect();
    // Another attempt would be read by the same server: no problem of the
    // proposal, but a thing to know before accepting it.
    evidence.reports.push(context(&proposal.reads));
    let output = Output::Checks {
        reports: evidence.reports,
        problems,
        found_by: evidence.found_by,
    };
    Ok((output, evidence.logs))
}

/// Checks what would be written, with what it says that the evidence of before
/// does not. Of that evidence nothing is left that would be about something
/// else.
pub(super) async fn again(
    services: &Services,
    desk: &Desk,
    workspace: tools::Workspace,
    state: &State,
    what: (Vec<FileChange>, Contents),
) -> Result<(Evidence, Vec<String>), Error> {
    let shown = state.checks.as_slice();
    let mut evidence = collect(services, desk, workspace, Permission::of(state), what).await?;
    let problems = recheck::new_problems(shown, &evidence.problems());
    for before in shown {
        if evidence.reports.iter().any(|report| report.name == before.name) {
            continue;
        }
        let report = if before.name == CONTEXT {
            before.clone()
        } else {
            CheckReport {
                name: before.name.clone(),
                status: CheckStatus::Skipped,
                command: None,
                exit_status: None,
                duration_ms: 0,
                output: "it does not concern what is written".to_owned(),
                log: None,
            }
        };
        evidence.reports.push(report);
    }
    Ok((evidence, problems))
}

/// Looks at the files as they would be; then, if that finds nothing, builds and
/// tests the workspace with them.
async fn collect(
    services: &Services,
    desk: &Desk,
    workspace: tools::Workspace,
    permission: Permission,
    (files, contents): (Vec<FileChange>, Contents),
) -> Result<Evidence, Error> {
    let changes: trial::Changes = files
        .iter()
        .map(|file| {
            let new = file.new.and_then(|id| contents.get(&id).cloned());
            (file.path.clone(), new)
        })
        .collect();
    let looked = workspace.clone();
    let mut reports = super::blocking(move || {
        let blob = |id| contents.get(&id).cloned();
        Ok(tools::checks::run(&looked, &files, &blob, Timeouts::default()))
    })
    .await?;
    let holds = !reports.iter().any(tools::checks::blocks);
    let tried = tried(services, desk, workspace, changes, holds.then_some(permission)).await?;
    reports.extend(tried.reports);
    Ok(Evidence {
        reports,
        logs: tried.logs,
        found_by: if holds { FoundBy::Running } else { FoundBy::Reading },
    })
}

/// Builds and tests the proposal; what runs is streamed, and ends with the
/// worker. A proposal that does not even hold when looked at comes without a permission
/// and is not tried.
async fn tried(
    services: &Services,
    desk: &Desk,
    workspace: tools::Workspace,
    changes: trial::Changes,
    permission: Option<Permission>,
) -> Result<trial::Evidence, Error> {
    let Some(permission) = permission else {
        let bounds = services.trials.bounds();
        return super::blocking(move || Ok(trial::left_out(bounds, &workspace, &changes))).await;
    };
    let stop = Stop::default();
    let _stopped = StopOnDrop(stop.clone());
    let (tell, log) = Log::new();
    let trials = services.trials.clone();
    let work = super::blocking(move || {
        let mut tell = tell;
        let told = &mut |told: trial::Told<'_>| tell.tell(told);
        let allowed = |wanted| trials.allowed(wanted, &permission);
        trial::run(allowed, &workspace, &changes, &stop, told)
    });
    let (evidence, ()) = tokio::join!(work, log.stream(desk));
    evidence
}

/// A worker that is stopped leaves no build behind.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The numbers of each call, and whether they agree.
fn context(reads: &[ContextRead]) -> CheckReport {
    let judged = |read: &ContextRead| models::Context {
        requested: read.requested,
        loaded: read.loaded,
        sent_tokens_min: read.sent_min,
        used_tokens: read.used,
    };
    let agree = reads.iter().all(|read| judged(read).check().is_ok());
    let silent = reads.iter().all(|read| read.used.is_none());
    let line = |read: &ContextRead| format!("{} ({}): {}", read.provider, read.model, judged(read));
    let (status, output) = if reads.is_empty() {
        let why = "no model was asked: the answer was known, or was complete before a restart";
        (CheckStatus::Skipped, why.to_owned())
    } else {
        let lines: Vec<String> = reads.iter().map(line).collect();
        let status = match (agree, silent) {
            (false, _) => CheckStatus::Failed,
            (true, true) => CheckStatus::Skipped,
            (true, false) => CheckStatus::Passed,
        };
        (status, lines.join("\n"))
    };
    CheckReport {
        name: CONTEXT.to_owned(),
        status,
        command: None,
        exit_status: None,
        duration_ms: 0,
        output,
        log: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(loaded: Option<u32>, used: Option<u64>) -> ContextRead {
        ContextRead {
            provider: "ollama".to_owned(),
            model: "qwen3".to_owned(),
            requested: 8192,
            loaded,
            sent_min: 1000,
            used,
        }
    }

    #[test]
    fn what_was_read_is_evidence() {
        let check = |reads: &[ContextRead], status, output: &str| {
            let report = context(reads);
            assert_eq!((report.status, report.output.as_str()), (status, output));
        };
        check(
            &[],
            CheckStatus::Skipped,
            "no model was asked: the answer was known, or was complete before a restart",
        );
        check(
            &[read(Some(8192), Some(1350)), read(None, Some(1350))],
            CheckStatus::Passed,
            "ollama (qwen3): 8192 tokens of context requested, 8192 loaded, at least 1000 sent, 1350 used\n\
             ollama (qwen3): 8192 tokens of context requested, loaded unknown, at least 1000 sent, 1350 used",
        );
        check(
            &[read(Some(8192), None)],
            CheckStatus::Skipped,
            "ollama (qwen3): 8192 tokens of context requested, 8192 loaded, at least 1000 sent",
        );
        // All was read this time; a longer prompt would not be.
        check(
            &[read(Some(8192), Some(1350)), read(Some(4096), Some(1350))],
            CheckStatus::Failed,
            "ollama (qwen3): 8192 tokens of context requested, 8192 loaded, at least 1000 sent, 1350 used\n\
             ollama (qwen3): 8192 tokens of context requested, 4096 loaded, at least 1000 sent, 1350 used",
        );
    }
}

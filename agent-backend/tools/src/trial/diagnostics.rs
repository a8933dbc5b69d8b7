//! What language servers say of a proposal: in the sandbox of the trials, and
//! only where no build says the same and more.

use std::{path::Path, process::Command};

use engine::artifact::{CheckReport, CheckStatus};
use language::{Diagnostic, Installed, Places, Server, Severity, Stop, Timeouts, Trust};
use sandbox::Job;
use shared::clock::Stopwatch;

use super::{
    Bounds, Told, dependents,
    evidence::none,
    session::{LEFT_OUT, Session},
};
use crate::{
    limits::{CHECK_OUTPUT_BYTES_MAX, CHECK_PROBLEMS_MAX, FILE_BYTES_MAX},
    overlay::{Changes, Overlay},
    process,
    project::{Ecosystem, Goal, Planned},
};

/// What a server says of packages that are not installed here. That is this
/// machine's affair; it is shown and stops nothing.
const NOT_INSTALLED: &[&str] = &[
    "reportMissingImports",
    "reportMissingModuleSource",
    "2307",
    "7016",
];

/// The servers of each kind of project, the better one first.
pub(super) const SERVERS: &[(Ecosystem, &[Server])] = &[
    (Ecosystem::Cargo, &[Server::RustAnalyzer]),
    (
        Ecosystem::Python,
        &[Server::Basedpyright, Server::Pyright, Server::Pylsp],
    ),
    (
        Ecosystem::Node,
        &[Server::TypeScript, Server::TypeScriptLanguageServer],
    ),
];

/// The installed servers that have something to say of a change: for each kind
/// of project one.
pub(super) fn servers(root: &Path, changes: &Changes) -> Vec<(Ecosystem, Installed)> {
    let places = Places::of_this_process();
    let wanted = |(ecosystem, servers): &(Ecosystem, &[Server])| {
        // Programs of the project itself count: only the sandbox runs them.
        let found = servers
            .iter()
            .filter(|server| changes.keys().any(|path| server.concerns(path)))
            .find_map(|server| language::find(*server, root, Trust::Trusted, &places));
        found.map(|installed| (*ecosystem, installed))
    };
    SERVERS.iter().filter_map(wanted).collect()
}

/// Those that are asked: a build that is planned, and that the person has not
/// turned off, says what its server would say and more.
pub(super) fn where_nothing_is_built(
    servers: Vec<(Ecosystem, Installed)>,
    planned: &[Planned],
    bounds: Bounds,
) -> Vec<(Ecosystem, Installed)> {
    let is_built = |ecosystem: Ecosystem| {
        bounds.build.is_some()
            && planned.iter().any(|planned| match planned {
                Planned::Run(step) => step.goal == Goal::Build && step.ecosystem == ecosystem,
                Planned::Skip { .. } => false,
            })
    };
    let mut asked = servers;
    asked.retain(|(ecosystem, _)| !is_built(*ecosystem));
    asked
}

/// The name of the check.
pub(super) fn name(server: Server) -> String {
    format!("diagnostics-{server}")
}

impl Session<'_> {
    /// Never fails: a server that cannot be asked is a skipped check that says
    /// why.
    pub(super) fn diagnostics(
        &self,
        ecosystem: Ecosystem,
        installed: &Installed,
        overlay: &Overlay,
        changes: &Changes,
        tell: &mut dyn FnMut(Told<'_>),
    ) -> CheckReport {
        let server = installed.server;
        let command = std::iter::once(server.program())
            .chain(server.arguments().iter().copied())
            .collect::<Vec<_>>()
            .join(" ");
        tell(Told::Begins {
            name: &name(server),
            command: &command,
            baseline: false,
        });
        let watch = Stopwatch::start();
        let report = match self.ask(ecosystem, installed, overlay, changes) {
            Ok(found) => judged(server, &found),
            Err(reason) => none(
                &name(server),
                process::complaint(reason.as_bytes(), CHECK_OUTPUT_BYTES_MAX),
            ),
        };
        CheckReport {
            command: Some(command),
            duration_ms: watch.elapsed_ms(),
            ..report
        }
    }

    fn ask(
        &self,
        ecosystem: Ecosystem,
        installed: &Installed,
        overlay: &Overlay,
        changes: &Changes,
    ) -> Result<Vec<Diagnostic>, String> {
        if self.stop.is_stopped() {
            return Err("it was stopped".to_owned());
        }
        let Conversation {
            command,
            timeouts,
            stop,
        } = self.conversation(ecosystem, installed, overlay)?;
        let root = self.workspace.root();
        let server = installed.server;
        let read = |path: &str| old_text(&root.join(path));
        let before: Vec<(&str, String)> = changes
            .keys()
            .filter(|path| server.concerns(path))
            .filter_map(|path| Some((path.as_str(), read(path)?)))
            .collect();
        let mut before: Vec<(&str, &str)> =
            before.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let mut after: Vec<(&str, &str)> = changes
            .iter()
            .filter(|(path, _)| server.concerns(path))
            .filter_map(|(path, new)| Some((path.as_str(), std::str::from_utf8(new.as_deref()?).ok()?)))
            .collect();
        let others = self.files.iter().map(String::as_str);
        let others = others.filter(|path| server.concerns(path) && !changes.contains_key(*path));
        let dependents = dependents::of(&before, &after, others, read);
        for (path, text) in &dependents {
            before.push((path, text));
            after.push((path, text));
        }
        language::check(server, command, root, &before, &after, timeouts, stop)
            .map_err(|error| error.to_string())
    }

    /// A server that runs on a copy, not yet started.
    pub(super) fn conversation(
        &self,
        ecosystem: Ecosystem,
        installed: &Installed,
        overlay: &Overlay,
    ) -> Result<Conversation, String> {
        let time = self.bounds.diagnostics.ok_or(LEFT_OUT)?;
        let root = self.workspace.root();
        let tooling = self
            .machine
            .serving(ecosystem, installed, root, &self.place.builds())?;
        let job = Job {
            args: installed.server.arguments().iter().map(Into::into).collect(),
            ..self.tooled(ecosystem, tooling, overlay, time)?
        };
        let command = self.served(&job)?;
        let stop = self.stop.clone();
        Ok(Conversation {
            command,
            timeouts: Timeouts {
                start: time,
                diagnostics: time,
                answer: time,
            },
            stop: Stop::when(move || stop.is_stopped()),
        })
    }
}

/// How a server is started, and how long it is waited for.
pub(super) struct Conversation {
    /// Sandbox and all.
    pub(super) command: Command,
    pub(super) timeouts: Timeouts,
    pub(super) stop: Stop,
}

/// A text of the workspace, unless it is none or too long.
fn old_text(path: &Path) -> Option<String> {
    let found = path.symlink_metadata().ok()?;
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// New errors fail the check; warnings, and what is not installed, are shown.
fn judged(server: Server, found: &[Diagnostic]) -> CheckReport {
    let is_wrong = |diagnostic: &&Diagnostic| {
        let code = diagnostic.code.as_deref().unwrap_or_default();
        diagnostic.severity == Severity::Error && !NOT_INSTALLED.contains(&code)
    };
    let (wrong, others): (Vec<_>, Vec<_>) = found.iter().partition(is_wrong);
    let mut lines: Vec<String> = wrong
        .iter()
        .chain(&others)
        .take(CHECK_PROBLEMS_MAX)
        .map(ToString::to_string)
        .collect();
    if found.len() > CHECK_PROBLEMS_MAX {
        lines.push(format!("and {} more", found.len() - CHECK_PROBLEMS_MAX));
    }
    CheckReport {
        status: if wrong.is_empty() {
            CheckStatus::Passed
        } else {
            CheckStatus::Failed
        },
        ..none(
            &name(server),
            process::complaint(lines.join("\n").as_bytes(), CHECK_OUTPUT_BYTES_MAX),
        )
    }
}

#[cfg(test)]
mod tests;

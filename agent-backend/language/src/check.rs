//! The whole of a check: what a change brings of new diagnostics.

use std::{path::Path, process::Command};

use crate::{Client, Diagnostic, Error, Server, Severity, Stop, Timeouts, compare::new_ones};

/// The errors and warnings that the change from `before` to `after` brings, in
/// the order of the files. Hints and information are left out.
///
/// Both are pairs of a path relative to `root` and its text; a file that one of
/// them lacks is not there at that time. Files of other languages are passed
/// over. To learn what a change breaks elsewhere, name those files in both with
/// the same text.
///
/// `command` runs the server, already in its sandbox; `root` is absolute,
/// without symbolic links, and where the server finds the files that are not
/// named here. Whatever happens, no process of it stays behind; `stop` ends it
/// in the middle.
pub fn check(
    server: Server,
    command: Command,
    root: &Path,
    before: &[(&str, &str)],
    after: &[(&str, &str)],
    timeouts: Timeouts,
    stop: Stop,
) -> Result<Vec<Diagnostic>, Error> {
    let ours = |files: &[(&str, &str)]| -> Vec<(String, String)> {
        let files = files.iter().filter(|(path, _)| server.concerns(path));
        files
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    };
    let (before, after) = (ours(before), ours(after));
    if after.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = Client::start_until(server, command, root, timeouts, stop)?;
    // All texts first: what is said of one depends on the others.
    for (path, text) in &before {
        client.open(path, text)?;
    }
    let old = collect(&mut client, &before, timeouts)?;
    for (path, _) in &before {
        if !after.iter().any(|(kept, _)| kept == path) {
            client.close(path)?;
        }
    }
    for (path, text) in &after {
        client.change(path, text)?;
    }
    let new = collect(&mut client, &after, timeouts)?;
    Ok(new_ones(&old, &new))
}

fn collect(
    client: &mut Client,
    files: &[(String, String)],
    timeouts: Timeouts,
) -> Result<Vec<Diagnostic>, Error> {
    let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    let found = client.diagnostics(&paths, timeouts.diagnostics)?;
    let found = found.into_iter().flat_map(|file| file.diagnostics);
    Ok(found
        .filter(|diagnostic| match diagnostic.severity {
            Severity::Error | Severity::Warning => true,
            Severity::Information | Severity::Hint => false,
        })
        .collect())
}

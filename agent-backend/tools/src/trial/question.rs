//! Questions to a language server about a file of the workspace, as it is or
//! with another text: in the sandbox of the trials, on a copy.

use language::{Client, Diagnostic, Installed, Location, Places, Position, Trust};
use sandbox::Stop;

use super::{
    Trials,
    diagnostics::{Conversation, SERVERS},
    session::{LEFT_OUT, Session},
};
use crate::{
    Workspace,
    limits::FILE_BYTES_MAX,
    overlay::{self, Changes, Overlay},
    project::Ecosystem,
};

/// Places that an answer shows.
const PLACES_MAX: usize = 100;

/// Longest line that is shown of a place, in characters.
const LINE_CHARS_MAX: usize = 200;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What is wrong with the file.
    Diagnostics,
    /// What the server says of a name.
    Hover(Name),
    /// Where a name is defined.
    Definition(Name),
    /// Where the thing that a name stands for is named.
    References(Name),
}

/// A name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Its line, from 1.
    pub line: u32,
    /// The name, as it stands there; the first of that line counts.
    pub text: String,
}

/// Asks about the file at `path`, with `text` in place of what it has. Never
/// writes to the workspace. Blocks for as long as `trials` lets a language server
/// take, after whatever else is tried in this workspace; `stop` ends the waiting.
///
/// # Errors
/// Why there is no answer, in words.
pub fn ask(
    trials: &Trials,
    workspace: &Workspace,
    path: &str,
    text: Option<&str>,
    question: &Question,
    stop: &Stop,
) -> Result<String, String> {
    let path = workspace.resolve(path).map_err(|error| error.to_string())?;
    let path = path.relative();
    let text = match text {
        Some(text) => text.to_owned(),
        None => read(workspace, path)?.ok_or_else(|| format!("there is no file {path}"))?,
    };
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("the text has more than {FILE_BYTES_MAX} bytes"));
    }
    let position = match question {
        Question::Diagnostics => None,
        Question::Hover(name) | Question::Definition(name) | Question::References(name) => {
            Some(position(&text, name)?)
        }
    };
    let (ecosystem, installed) = server(workspace, path)?;
    let files = overlay::listed(workspace).map_err(|error| error.to_string())?;
    let mut session = Session::begin(trials, workspace, &files, stop)?;
    let changes = Changes::from([(path.to_owned(), Some(text.as_bytes().to_vec()))]);
    let overlay = session
        .lay("question", &changes)
        .map_err(|error| error.to_string())?;
    let mut client = session.client(ecosystem, &installed, &overlay)?;
    let failed = |error: language::Error| error.to_string();
    client.open(path, &text).map_err(failed)?;
    let places = |locations: Vec<Location>| shown(workspace, path, &text, &locations);
    match (question, position) {
        (Question::Hover(_), Some(at)) => {
            let told = client.hover(path, at).map_err(failed)?;
            Ok(told.unwrap_or_else(|| "the language server says nothing of it".to_owned()))
        }
        (Question::Definition(_), Some(at)) => client.definition(path, at).map_err(failed).map(places),
        (Question::References(_), Some(at)) => client.references(path, at).map_err(failed).map(places),
        (
            Question::Diagnostics | Question::Hover(_) | Question::Definition(_) | Question::References(_),
            _,
        ) => {
            let time = session.bounds.diagnostics.ok_or(LEFT_OUT)?;
            let found = client.diagnostics(&[path], time).map_err(failed)?;
            let found: Vec<Diagnostic> = found.into_iter().flat_map(|file| file.diagnostics).collect();
            Ok(listed(&found))
        }
    }
}

/// The first server for such a file that is installed.
fn server(workspace: &Workspace, path: &str) -> Result<(Ecosystem, Installed), String> {
    let machine = Places::of_this_process();
    let able = || {
        SERVERS
            .iter()
            .flat_map(|(ecosystem, servers)| servers.iter().map(|server| (*ecosystem, *server)))
            .filter(|(_, server)| server.concerns(path))
    };
    // Programs of the project itself count: only the sandbox runs them.
    let found = able().find_map(|(ecosystem, server)| {
        let installed = language::find(server, workspace.root(), Trust::Trusted, &machine)?;
        Some((ecosystem, installed))
    });
    found.ok_or_else(|| {
        let names: Vec<&str> = able().map(|(_, server)| server.name()).collect();
        match names.is_empty() {
            true => format!("no language server is known for {path}"),
            false => format!(
                "no language server for {path} is installed; one of these would do: {}",
                names.join(", ")
            ),
        }
    })
}

impl Session<'_> {
    /// A server that runs on a copy, and may do so for as long as there is one.
    fn client(
        &self,
        ecosystem: Ecosystem,
        installed: &Installed,
        overlay: &Overlay,
    ) -> Result<Client, String> {
        let Conversation {
            command,
            timeouts,
            stop,
        } = self.conversation(ecosystem, installed, overlay)?;
        Client::start_until(installed.server, command, self.workspace.root(), timeouts, stop)
            .map_err(|error| error.to_string())
    }
}

fn read(workspace: &Workspace, path: &str) -> Result<Option<String>, String> {
    let file = workspace.read_text(path).map_err(|error| error.to_string())?;
    Ok(file.map(|file| file.text))
}

/// The place of a name, as the protocol counts it.
fn position(text: &str, name: &Name) -> Result<Position, String> {
    let line = name.line.checked_sub(1).ok_or("lines are counted from 1")?;
    let found = text
        .lines()
        .nth(usize::try_from(line).unwrap_or(usize::MAX))
        .ok_or_else(|| format!("there is no line {}", name.line))?;
    let at = match name.text.trim() {
        "" => None,
        name => word(found, name),
    };
    let at = at.ok_or_else(|| format!("line {} has no `{}`", name.line, name.text))?;
    let units = found[..at].encode_utf16().count();
    Ok(Position {
        line,
        character: u32::try_from(units).unwrap_or(u32::MAX),
    })
}

/// Where a line has a name: as a word of its own, or else in another one.
fn word(line: &str, name: &str) -> Option<usize> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let alone = line.match_indices(name).find(|(at, _)| {
        !is_part(line[..*at].chars().next_back()) && !is_part(line[at + name.len()..].chars().next())
    });
    alone.map(|(at, _)| at).or_else(|| line.find(name))
}

/// Each place with the line that is there, where it may be read.
fn shown(workspace: &Workspace, path: &str, text: &str, locations: &[Location]) -> String {
    if locations.is_empty() {
        return "the language server finds no place".to_owned();
    }
    let line = |location: &Location| {
        let at = usize::try_from(location.range.start.line).unwrap_or(usize::MAX);
        let of = |text: &str| {
            text.lines()
                .nth(at)
                .map(|line| line.trim().chars().take(LINE_CHARS_MAX).collect())
        };
        let found: Option<String> = if location.path == path {
            of(text)
        } else {
            read(workspace, &location.path)
                .ok()
                .flatten()
                .and_then(|text| of(&text))
        };
        let number = u64::from(location.range.start.line) + 1;
        match found {
            Some(found) => format!("{}:{number}: {found}", location.path),
            None => format!("{}:{number}", location.path),
        }
    };
    let mut lines: Vec<String> = locations.iter().take(PLACES_MAX).map(line).collect();
    if locations.len() > PLACES_MAX {
        lines.push(format!("and {} more", locations.len() - PLACES_MAX));
    }
    lines.join("\n")
}

fn listed(found: &[Diagnostic]) -> String {
    if found.is_empty() {
        return "the language server finds nothing wrong".to_owned();
    }
    let mut lines: Vec<String> = found.iter().take(PLACES_MAX).map(ToString::to_string).collect();
    if found.len() > PLACES_MAX {
        lines.push(format!("and {} more", found.len() - PLACES_MAX));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: u32, name: &str, expect: Result<(u32, u32), &str>) {
        let name = Name {
            line,
            text: name.to_owned(),
        };
        let found = position("fn total() {}\nlet 𝒳 = subtotal(total);\n", &name);
        let found = found.map(|at| (at.line, at.character));
        assert_eq!(found, expect.map_err(str::to_owned));
    }

    #[test]
    fn a_name_is_found_on_its_line() {
        check(1, "total", Ok((0, 3)));
        // Two units of UTF-16 before it, and the word before the part of one.
        check(2, "total", Ok((1, 18)));
        check(2, "sub", Ok((1, 9)));
        check(2, "gone", Err("line 2 has no `gone`"));
        check(2, " ", Err("line 2 has no ` `"));
        check(3, "total", Err("there is no line 3"));
        check(0, "total", Err("lines are counted from 1"));
    }
}

//! The text of a commit message. Knows no git.

use std::fmt;

use engine::artifact::FileChange;
use shared::{id::WorkflowId, redact::redact};

use crate::limits::{BODY_PATHS_MAX, SUBJECT_COLUMNS_MAX};

/// Columns at which the body is wrapped.
const BODY_COLUMNS: usize = 72;

/// A commit message: its display is the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMessage {
    /// First line.
    pub subject: String,
    /// Paragraphs and lists; may be empty.
    pub body: String,
    /// Keys and values of the last paragraph.
    pub trailers: Vec<(String, String)>,
}

impl CommitMessage {
    /// The message of an accepted proposal: `feat: <summary>`, what changed in
    /// each file, and where it comes from. Credentials in the summary go.
    pub fn feature(summary: &str, files: &[FileChange], workflow: &WorkflowId) -> Self {
        Self {
            subject: subject("feat", summary),
            body: body(summary, files),
            trailers: vec![
                ("Workflow-Id".to_owned(), workflow.to_string()),
                ("Generated-by".to_owned(), "Agentic IDE".to_owned()),
            ],
        }
    }
}

impl fmt::Display for CommitMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        if !self.body.is_empty() {
            write!(f, "\n{}\n", self.body.trim_end())?;
        }
        if !self.trailers.is_empty() {
            writeln!(f)?;
        }
        for (key, value) in &self.trailers {
            writeln!(f, "{key}: {value}")?;
        }
        Ok(())
    }
}

/// One line of words.
fn line(text: &str) -> String {
    let words: String = redact(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn subject(kind: &str, summary: &str) -> String {
    let mut text = line(summary);
    // A model often writes the prefix itself.
    if let Some((head, rest)) = text.split_once(": ")
        && matches!(
            head.split('(').next(),
            Some("feat" | "fix" | "chore" | "refactor" | "docs" | "test")
        )
    {
        text = rest.to_owned();
    }
    let text = text.trim_end_matches(['.', ' ']);
    let text = if text.is_empty() {
        "apply the accepted changes"
    } else {
        text
    };
    let whole = format!("{kind}: {text}");
    if whole.chars().count() <= SUBJECT_COLUMNS_MAX {
        return whole;
    }
    let cut: String = whole.chars().take(SUBJECT_COLUMNS_MAX - 1).collect();
    // At a word's end, unless that leaves next to nothing.
    let end = cut
        .rfind(' ')
        .filter(|end| *end > SUBJECT_COLUMNS_MAX / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end_matches([',', ';', ':', ' ']))
}

fn body(summary: &str, files: &[FileChange]) -> String {
    let mut body = String::new();
    let summary = line(summary);
    // The whole sentence, if the subject could not hold it.
    if summary.chars().count() + "feat: ".len() > SUBJECT_COLUMNS_MAX {
        body.push_str(&wrap(&summary));
        body.push_str("\n\n");
    }
    for file in files.iter().take(BODY_PATHS_MAX) {
        let verb = match (file.old, file.new) {
            (None, _) => "Add",
            (Some(_), Some(_)) => "Update",
            (Some(_), None) => "Remove",
        };
        body.push_str(&format!(
            "- {verb} {} (+{} -{})\n",
            file.path, file.lines_added, file.lines_removed
        ));
    }
    if files.len() > BODY_PATHS_MAX {
        body.push_str(&format!("- and {} more files\n", files.len() - BODY_PATHS_MAX));
    }
    body.trim_end().to_owned()
}

fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > BODY_COLUMNS {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::blob::BlobId;

    fn check_subject(summary: &str, expect: &str) {
        assert_eq!(subject("feat", summary), expect);
    }

    #[test]
    fn subjects_fit_and_are_one_line() {
        check_subject("add a login page.", "feat: add a login page");
        check_subject("feat(auth): add a\nlogin  page", "feat: add a login page");
        check_subject("", "feat: apply the accepted changes");
        check_subject("note: keep this", "feat: note: keep this");
        check_subject("use sk-abcdefghijklmnopqrstuv", "feat: use [redacted]");
        check_subject(
            "add a function that computes the sum of all the numbers in a list, quickly",
            "feat: add a function that computes the sum of all the numbers in a…",
        );
        assert_eq!(
            subject("feat", &"ä".repeat(200)).chars().count(),
            SUBJECT_COLUMNS_MAX
        );
    }

    #[test]
    fn the_whole_message() {
        let some = Some(BlobId::of(b"x"));
        let file = |path: &str, old, new, lines_added, lines_removed| FileChange {
            path: path.to_owned(),
            old,
            new,
            lines_added,
            lines_removed,
        };
        let files = [
            file("a.py", some, some, 3, 1),
            file("b.py", None, some, 9, 0),
            file("c.py", some, None, 0, 4),
        ];
        let summary = "add login with a rate limit and an audit log for every failed attempt of each person";
        let message = CommitMessage::feature(summary, &files, &WorkflowId::new("wf-1"));
        assert_eq!(
            message.to_string(),
            "feat: add login with a rate limit and an audit log for every failed…\n\
             \n\
             add login with a rate limit and an audit log for every failed attempt of\n\
             each person\n\
             \n\
             - Update a.py (+3 -1)\n\
             - Add b.py (+9 -0)\n\
             - Remove c.py (+0 -4)\n\
             \n\
             Workflow-Id: wf-1\n\
             Generated-by: Agentic IDE\n"
        );
    }
}

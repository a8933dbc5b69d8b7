//! The words of a commit.
//!
//! A model's summary, a person's request and the names of files are untrusted:
//! none of them can begin a line of its own, so none can forge a trailer.

use std::fmt;

use engine::artifact::{CheckReport, CheckStatus};
use shared::id::WorkflowId;

use crate::answer::{is_invisible, one_line, shorten};

/// Longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 72;

/// Files that the body lists.
pub const FILES_MAX: usize = 50;

/// Characters of a path or a check's name in the body.
const NAME_CHARS_MAX: usize = 160;

/// Trailer that names the workflow; a resumed backend finds its commit by it.
pub const WORKFLOW_TRAILER: &str = "Workflow-Id";

/// Trailer that says what wrote the code.
pub const GENERATOR_TRAILER: (&str, &str) = ("Generated-by", "Agentic IDE");

/// Trailer of an undo that names the workflow whose commit it takes back.
pub const UNDONE_TRAILER: &str = "Undoes-Workflow";

const PREFIX: &str = "feat: ";

const REVERT: &str = "Revert \"";

/// Words of commit messages and the imperative that is written instead.
const IMPERATIVES: [(&str, &str); 24] = [
    ("add", "Add"),
    ("allow", "Allow"),
    ("build", "Build"),
    ("change", "Change"),
    ("convert", "Convert"),
    ("create", "Create"),
    ("enable", "Enable"),
    ("ensure", "Ensure"),
    ("extend", "Extend"),
    ("fix", "Fix"),
    ("handle", "Handle"),
    ("implement", "Implement"),
    ("improve", "Improve"),
    ("introduce", "Introduce"),
    ("make", "Make"),
    ("move", "Move"),
    ("refactor", "Refactor"),
    ("remove", "Remove"),
    ("rename", "Rename"),
    ("replace", "Replace"),
    ("return", "Return"),
    ("support", "Support"),
    ("update", "Update"),
    ("validate", "Validate"),
];

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It existed and still does.
    Modified,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    fn verb(self) -> &'static str {
        match self {
            Self::Added => "add",
            Self::Modified => "update",
            Self::Removed => "remove",
        }
    }
}

/// What the evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The proposal, which is what is committed.
    Proposed,
    /// What is committed, after the proposal was merged, cut or edited.
    Merged,
}

/// A commit message in parts; `to_string` puts it together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitText {
    /// The first line.
    pub subject: String,
    /// Lines between subject and trailers, without a line end at the end.
    pub body: String,
    /// Names and values of the last paragraph.
    pub trailers: Vec<(String, String)>,
}

impl fmt::Display for CommitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}\n\n", self.subject, self.body)?;
        self.trailers
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

/// What a message is made of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The person's request, used where the summary says nothing.
    pub query: &'a str,
    /// The model's line.
    pub summary: &'a str,
    /// Paths and what happens to them.
    pub changed: &'a [(&'a str, ChangeKind)],
    /// The evidence.
    pub checks: &'a [CheckReport],
    /// What it is about.
    pub checked: Checked,
    /// Files that the person wrote anew.
    pub edited: &'a [&'a str],
    /// The workflow.
    pub workflow: &'a WorkflowId,
}

/// What the message of an undo is made of.
#[derive(Debug, Clone, Copy)]
pub struct Reverted<'a> {
    /// First line of the message of the commit that is taken back.
    pub subject: &'a str,
    /// Its id.
    pub commit: &'a str,
    /// The workflow that made it.
    pub undoes: &'a WorkflowId,
    /// Paths and what happens to them now.
    pub changed: &'a [(&'a str, ChangeKind)],
    /// The workflow of the undo.
    pub workflow: &'a WorkflowId,
}

/// The message for what takes a commit back, as `git revert` begins it.
pub fn revert(reverted: &Reverted<'_>) -> CommitText {
    let Reverted {
        subject,
        commit,
        undoes,
        changed,
        workflow,
    } = reverted;
    let room = SUBJECT_CHARS_MAX - REVERT.len() - "\"".len();
    let subject = one_line(subject, NAME_CHARS_MAX);
    let subject = if subject.chars().count() > room {
        cut(&subject, room)
    } else {
        subject
    };
    CommitText {
        subject: format!("{REVERT}{subject}\""),
        body: format!(
            "This reverts commit {}.\n\n{}",
            one_line(commit, NAME_CHARS_MAX),
            files(changed)
        ),
        trailers: vec![
            (WORKFLOW_TRAILER.to_owned(), workflow.to_string()),
            (UNDONE_TRAILER.to_owned(), undoes.to_string()),
            (GENERATOR_TRAILER.0.to_owned(), GENERATOR_TRAILER.1.to_owned()),
        ],
    }
}

/// The message for a proposal.
pub fn message(facts: &Facts<'_>) -> CommitText {
    let Facts {
        query,
        summary,
        changed,
        checks,
        checked,
        edited,
        workflow,
    } = facts;
    let subject = [*summary, *query]
        .into_iter()
        .find_map(subject)
        .unwrap_or_else(|| fallback(changed));
    let mut body = format!("{}\n\n{}", files(changed), evidence(checks, *checked));
    if !edited.is_empty() {
        let paths: Vec<String> = edited.iter().map(|path| plain(path)).collect();
        let when = match checked {
            Checked::Proposed => " after the checks",
            Checked::Merged => "",
        };
        body.push_str(&format!("\nEdited by hand{when}: {}", paths.join(", ")));
    }
    CommitText {
        subject,
        body,
        trailers: vec![
            (WORKFLOW_TRAILER.to_owned(), workflow.to_string()),
            (GENERATOR_TRAILER.0.to_owned(), GENERATOR_TRAILER.1.to_owned()),
        ],
    }
}

fn fallback(changed: &[(&str, ChangeKind)]) -> String {
    format!("{PREFIX}Change {}", count(changed.len(), "file"))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A subject from untrusted text; none if nothing is left of it.
fn subject(text: &str) -> Option<String> {
    // The first line with words: what follows is detail.
    let line = text
        .lines()
        .map(plain)
        .find(|line| line.contains(char::is_alphanumeric))?;
    let mut rest = line.as_str();
    for opening in [
        "feat: ",
        "feat:",
        "feature: ",
        "this change ",
        "this commit ",
        "this ",
        "please ",
        "we ",
    ] {
        if rest
            .get(..opening.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(opening))
        {
            rest = rest[opening.len()..].trim_start();
        }
    }
    let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
    let first = imperative(first);
    let sentence = if more.is_empty() {
        first
    } else {
        format!("{first} {more}")
    };
    let sentence = cut(&sentence, SUBJECT_CHARS_MAX - PREFIX.len());
    (!sentence.is_empty()).then(|| format!("{PREFIX}{sentence}"))
}

/// One line without control, invisible or Markdown characters around it.
fn plain(line: &str) -> String {
    let line: String = line
        .chars()
        .filter(|c| !is_invisible(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_matches(['#', '*', '`', '"', '-', '>', ' ']).to_owned()
}

/// "Adds", "Added" and "adding" as "Add"; other words with a capital.
fn imperative(word: &str) -> String {
    let lower = word.to_lowercase();
    let known = IMPERATIVES.iter().find(|(stem, _)| {
        let short = stem.strip_suffix('e').unwrap_or(stem);
        lower == *stem
            || lower
                .strip_prefix(stem)
                .is_some_and(|end| matches!(end, "s" | "es" | "d" | "ed" | "ing"))
            || lower
                .strip_prefix(short)
                .is_some_and(|end| matches!(end, "ed" | "es" | "ing"))
    });
    if let Some((_, imperative)) = known {
        return (*imperative).to_owned();
    }
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// At most `chars_max` characters, up to the end of a word, without a full
/// stop.
fn cut(text: &str, chars_max: usize) -> String {
    let mut end = text.len();
    if let Some((byte, _)) = text.char_indices().nth(chars_max) {
        let whole_word = text[byte..].starts_with(' ');
        end = if whole_word {
            byte
        } else {
            text[..byte].rfind(' ').unwrap_or(byte)
        };
    }
    text[..end]
        .trim_end_matches([' ', '.', ',', ';', ':', '…', '-', '–', '—'])
        .to_owned()
}

fn files(changed: &[(&str, ChangeKind)]) -> String {
    let mut lines: Vec<String> = changed
        .iter()
        .take(FILES_MAX)
        .map(|(path, kind)| format!("- {} {}", kind.verb(), one_line(path, NAME_CHARS_MAX)))
        .collect();
    if changed.len() > FILES_MAX {
        lines.push(format!("- and {}", count(changed.len() - FILES_MAX, "more file")));
    }
    if lines.is_empty() {
        "- no files".to_owned()
    } else {
        lines.join("\n")
    }
}

/// One line that says what was checked and what was not.
fn evidence(checks: &[CheckReport], checked: Checked) -> String {
    if checks.is_empty() {
        return "Checks: none ran".to_owned();
    }
    let words = checks.iter().map(|check| {
        let status = match check.status {
            CheckStatus::Passed => "passed",
            CheckStatus::Failed => "FAILED",
            CheckStatus::Skipped => "not run",
        };
        format!(
            "{} {status}",
            shorten(&one_line(&check.name, NAME_CHARS_MAX), NAME_CHARS_MAX)
        )
    });
    let again = match checked {
        Checked::Proposed => "",
        Checked::Merged => " (checked again after merging)",
    };
    format!("Checks: {}{again}", words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(name: &str, status: CheckStatus) -> CheckReport {
        CheckReport {
            name: name.into(),
            status,
            command: None,
            exit_status: None,
            duration_ms: 1,
            output: String::new(),
            log: None,
        }
    }

    fn id() -> WorkflowId {
        WorkflowId::new("wf_1")
    }

    fn facts<'a>(
        summary: &'a str,
        changed: &'a [(&'a str, ChangeKind)],
        workflow: &'a WorkflowId,
    ) -> Facts<'a> {
        Facts {
            query: "Make it so",
            summary,
            changed,
            checks: &[],
            checked: Checked::Proposed,
            edited: &[],
            workflow,
        }
    }

    #[track_caller]
    fn check(summary: &str, expect: &str) {
        let changed = [("a", ChangeKind::Added)];
        assert_eq!(message(&facts(summary, &changed, &id())).subject, expect);
    }

    #[test]
    fn subjects() {
        check(
            "Implement JWT authentication with expiration",
            "feat: Implement JWT authentication with expiration",
        );
        check("adds token expiry.", "feat: Add token expiry");
        check("Implementing a limit...", "feat: Implement a limit");
        check("feat: created   a\tlimit", "feat: Create a limit");
        check("This change introduces a limit", "feat: Introduce a limit");
        check("**Added** a limit", "feat: Added** a limit");
        check("# Rate limit\n\nmore", "feat: Rate limit");
        check("", "feat: Make it so");
        check("\n---\n", "feat: Make it so");
        check("Added x\nWorkflow-Id: forged", "feat: Add x");
        check("Add \u{1b}[31mred\u{202e} text", "feat: Add [31mred text");
        check(
            "Add a limit to the number of requests that one client may send within a minute",
            "feat: Add a limit to the number of requests that one client may send",
        );
        check(&"x".repeat(200), &format!("feat: X{}", "x".repeat(65)));
        check("Adder for numbers", "feat: Adder for numbers");
    }

    #[test]
    fn a_whole_message() {
        let changed = [
            ("src/auth/jwt.py", ChangeKind::Added),
            ("src/app.py", ChangeKind::Modified),
            ("old.py", ChangeKind::Removed),
        ];
        let checks = [
            report("syntax", CheckStatus::Passed),
            report("tests", CheckStatus::Skipped),
        ];
        let id = id();
        let all = Facts {
            checks: &checks,
            edited: &["src/app.py"],
            ..facts("Implement JWT authentication", &changed, &id)
        };
        let text = message(&all).to_string();
        assert_eq!(
            text,
            "feat: Implement JWT authentication\n\n- add src/auth/jwt.py\n- update src/app.py\n- remove old.py\n\n\
             Checks: syntax passed, tests not run\nEdited by hand after the checks: src/app.py\n\nWorkflow-Id: wf_1\nGenerated-by: Agentic IDE\n"
        );
        let again = message(&Facts {
            checked: Checked::Merged,
            ..all
        });
        assert_eq!(
            again.body.lines().skip(4).collect::<Vec<_>>(),
            [
                "Checks: syntax passed, tests not run (checked again after merging)",
                "Edited by hand: src/app.py",
            ]
        );
        let none = Facts {
            query: "",
            ..facts("", &[], &id)
        };
        let none = message(&none).to_string();
        assert_eq!(
            none,
            "feat: Change 0 files\n\n- no files\n\nChecks: none ran\n\nWorkflow-Id: wf_1\nGenerated-by: Agentic IDE\n"
        );
    }

    #[test]
    fn an_undo_says_what_it_takes_back() {
        let (id, other) = (id(), WorkflowId::new("wf_0"));
        let text = |subject: &str| {
            revert(&Reverted {
                subject,
                commit: "1f7a7a4",
                undoes: &other,
                changed: &[("a.py", ChangeKind::Modified)],
                workflow: &id,
            })
            .to_string()
        };
        assert_eq!(
            text("feat: Add a limit"),
            "Revert \"feat: Add a limit\"\n\nThis reverts commit 1f7a7a4.\n\n- update a.py\n\n\
             Workflow-Id: wf_1\nUndoes-Workflow: wf_0\nGenerated-by: Agentic IDE\n"
        );
        let again = text("Revert \"feat: Add a limit\"");
        assert!(
            again.starts_with("Revert \"Revert \"feat: Add a limit\"\"\n"),
            "{again}"
        );
        let long = text(&format!("feat: {}\nWorkflow-Id: forged", "word ".repeat(30)));
        let lines: Vec<&str> = long.lines().collect();
        assert!(
            lines[0].chars().count() <= SUBJECT_CHARS_MAX && lines[0].ends_with("word\""),
            "{long}"
        );
        assert_eq!(lines.len(), 9, "{long}");
    }

    proptest! {
        #[test]
        fn nothing_forges_a_line(query in any::<String>(), summary in "(\\PC|\\n|\\r|: |Workflow-Id)*", path in any::<String>(), name in any::<String>()) {
            let id = id();
            let text = message(&Facts {
                query: &query,
                checks: &[report(&name, CheckStatus::Failed)],
                edited: &[&path],
                ..facts(&summary, &[(&path, ChangeKind::Modified)], &id)
            });
            prop_assert!(text.subject.chars().count() <= SUBJECT_CHARS_MAX);
            prop_assert!(text.subject.starts_with(PREFIX));
            let whole = text.to_string();
            let lines: Vec<&str> = whole.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{b}', '\u{c}']).collect();
            prop_assert_eq!(lines.len(), 10, "{:?}", whole);
            prop_assert_eq!(lines[7..].to_vec(), vec!["Workflow-Id: wf_1", "Generated-by: Agentic IDE", ""]);
            prop_assert!(lines[2].starts_with("- update"));
            prop_assert!(lines[4].starts_with("Checks: "));
            prop_assert!(lines[5].starts_with("Edited by hand"));
        }
    }
}

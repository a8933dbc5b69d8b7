//! Whether the evidence is about what would be written. It is not where the
//! person has edited a proposed file meanwhile, takes a part of the proposal,
//! or wrote a text of their own.

use crate::{
    artifact::{CheckReport, FileChange},
    blob::BlobId,
    state::State,
};

/// What was checked right before it would have been written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recheck {
    /// [`identity`] of what would have been written.
    pub of: BlobId,
    /// What the evidence that was shown before does not say.
    pub problems: Vec<String>,
    /// Whether the person was asked since: who accepts then knows it.
    pub shown: bool,
}

/// How what would be written stands to the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The evidence is about it, or there never was any.
    Known,
    /// It was checked, and the person has not seen these problems yet.
    Objected(Vec<String>),
    /// Nobody has checked it.
    Unchecked,
}

/// Names the contents that files get, whatever they had before and in whatever
/// order they are listed.
pub fn identity(files: &[FileChange]) -> BlobId {
    let mut lines: Vec<String> = files
        .iter()
        .map(|file| {
            let new = file.new.map_or_else(|| "-".to_owned(), BlobId::to_hex);
            format!("{new} {}\0", file.path)
        })
        .collect();
    lines.sort_unstable();
    BlobId::of(lines.concat().as_bytes())
}

/// The problems among `found` that `shown` does not have: another check that
/// fails, or the same one with more to say.
pub fn new_problems(shown: &[CheckReport], found: &[&CheckReport]) -> Vec<String> {
    let is_new = |report: &&&CheckReport| {
        let before = shown
            .iter()
            .find(|before| before.name == report.name && before.status == report.status);
        before.is_none_or(|before| {
            let known = complaints(&before.output);
            complaints(&report.output)
                .iter()
                .any(|line| !known.contains(line))
        })
    };
    let found = found.iter().filter(is_new);
    found
        .map(|report| format!("{}: {}", report.name, report.output))
        .collect()
}

/// What a report objects to, without what its program printed and without how
/// many there are: the items of its list, or its first paragraph.
fn complaints(output: &str) -> Vec<&str> {
    let head = output.split("\n\n").next().unwrap_or_default();
    let items: Vec<&str> = head.lines().filter(|line| line.starts_with("- ")).collect();
    if items.is_empty() {
        return head.lines().collect();
    }
    items
}

impl State {
    /// How these files, about to be written, stand to the evidence.
    pub fn standing(&self, files: &[FileChange]) -> Standing {
        let wanted = identity(files);
        match &self.recheck {
            Some(recheck) if recheck.of == wanted => {
                if recheck.shown || recheck.problems.is_empty() {
                    Standing::Known
                } else {
                    Standing::Objected(recheck.problems.clone())
                }
            }
            Some(_) => Standing::Unchecked,
            // A definition without checks wants none.
            None if self.checks.is_empty() => Standing::Known,
            None => {
                let proposed = self.proposal.as_ref().map(|proposal| identity(&proposal.files));
                if proposed == Some(wanted) {
                    Standing::Known
                } else {
                    Standing::Unchecked
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::CheckStatus;

    fn report(name: &str, output: &str) -> CheckReport {
        CheckReport {
            name: name.to_owned(),
            status: CheckStatus::Failed,
            command: None,
            exit_status: None,
            duration_ms: 1,
            output: output.to_owned(),
            log: None,
        }
    }

    fn check(shown: &[(&str, &str)], found: (&str, &str), expect: &[&str]) {
        let shown: Vec<CheckReport> = shown.iter().map(|(name, output)| report(name, output)).collect();
        let found = report(found.0, found.1);
        assert_eq!(new_problems(&shown, &[&found]), expect);
    }

    #[test]
    fn what_was_shown_before_is_no_new_problem() {
        let one = "exit status 1; 1 of 1 failures are new\n- a\n\n1 failed in 2 s";
        let two = "exit status 1; 2 of 2 failures are new\n- a\n- b\n\n2 failed";
        check(&[], ("test", one), &[&format!("test: {one}")]);
        check(&[("other", one)], ("test", one), &[&format!("test: {one}")]);
        check(&[("test", one)], ("test", one), &[]);
        check(&[("test", two)], ("test", one), &[]);
        check(&[("test", one)], ("test", two), &[&format!("test: {two}")]);
        check(&[("syntax", "a.py:3: no")], ("syntax", "a.py:3: no"), &[]);
        check(
            &[("syntax", "a.py:3: no")],
            ("syntax", "b.py:1: no"),
            &["syntax: b.py:1: no"],
        );
    }

    #[test]
    fn contents_alone_tell_what_is_written() {
        let file = |path: &str, old: Option<&str>, new: Option<&str>| FileChange {
            path: path.to_owned(),
            old: old.map(|text| BlobId::of(text.as_bytes())),
            new: new.map(|text| BlobId::of(text.as_bytes())),
            lines_added: 1,
            lines_removed: 0,
        };
        let (a, b) = (file("a", None, Some("x")), file("b", Some("y"), None));
        let both = identity(&[a.clone(), b.clone()]);
        assert_eq!(identity(&[b.clone(), a.clone()]), both);
        assert_eq!(identity(&[file("a", Some("other"), Some("x")), b.clone()]), both);
        for other in [vec![a.clone()], vec![file("a", None, Some("z")), b], vec![]] {
            assert_ne!(identity(&other), both);
        }
    }
}

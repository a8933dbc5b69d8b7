//! What must not be in added lines: merge markers and credentials.

use shared::redact::redact;

use super::{Changed, Finding};
use crate::diff;

/// Conflict markers. A line of `=======` alone is also a heading in prose, so
/// it takes one of the others.
pub(super) fn merge_markers(changed: &[Changed]) -> Finding {
    let mut problems = Vec::new();
    for file in changed {
        for (line, text) in diff::added_lines(&file.old, &file.new) {
            if text.starts_with("<<<<<<< ") || text.starts_with(">>>>>>> ") || text.starts_with("||||||| ") {
                problems.push(format!("{}:{line}: a merge conflict marker", file.path));
            }
        }
    }
    Finding::of(&problems, None)
}

/// Credentials. The report names the line and never the secret.
pub(super) fn secrets(changed: &[Changed]) -> Finding {
    let mut problems = Vec::new();
    for file in changed {
        let added = diff::added_lines(&file.old, &file.new);
        for (line, text) in &added {
            if redact(text) != *text {
                problems.push(format!("{}:{line}: looks like a credential", file.path));
            }
        }
        // A key block spans lines; alone none of them need look like one.
        let joined: String = added.iter().map(|(_, text)| format!("{text}\n")).collect();
        if problems.is_empty() && redact(&joined) != joined {
            problems.push(format!(
                "{}: looks like a credential over several lines",
                file.path
            ));
        }
    }
    Finding::of(&problems, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::artifact::CheckStatus;

    fn changed(old: &str, new: &str) -> Vec<Changed> {
        vec![Changed {
            path: "f".to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }]
    }

    fn check(finding: &Finding, status: CheckStatus, output: &str) {
        assert_eq!((finding.status, finding.output.as_str()), (status, output));
    }

    #[test]
    fn markers() {
        let new = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n";
        let expect = "f:2: a merge conflict marker\nf:6: a merge conflict marker";
        check(&merge_markers(&changed("a\n", new)), CheckStatus::Failed, expect);
        check(
            &merge_markers(&changed(new, &format!("{new}x\n"))),
            CheckStatus::Passed,
            "",
        );
        check(
            &merge_markers(&changed("", "Title\n=======\n")),
            CheckStatus::Passed,
            "",
        );
    }

    #[test]
    fn credentials_are_named_by_line_alone() {
        let key = format!("key = \"{}{}\"\n", "ghp_", "a".repeat(36));
        check(
            &secrets(&changed("a\n", &format!("a\n{key}"))),
            CheckStatus::Failed,
            "f:2: looks like a credential",
        );
        check(
            &secrets(&changed(&key, &format!("{key}b\n"))),
            CheckStatus::Passed,
            "",
        );
    }
}

//! What a lane made, put together with what others made meanwhile.

use crate::artifact::{FileChange, Proposal};

/// What comes of a lane's proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Merged {
    /// The lane has changed nothing.
    Unchanged,
    /// This is proposed now.
    Proposal(Proposal),
    /// Another lane has changed this file too.
    Conflict {
        /// The file.
        path: String,
    },
}

/// Three-way, by whole files: `base` is what the lane began with, `ours` what
/// is proposed now, `theirs` what the lane made.
pub(super) fn merge(base: Option<&Proposal>, ours: Option<&Proposal>, theirs: Option<&Proposal>) -> Merged {
    fn find<'a>(proposal: Option<&'a Proposal>, path: &str) -> Option<&'a FileChange> {
        proposal?.files.iter().find(|file| file.path == path)
    }
    let Some(theirs) = theirs else {
        return Merged::Unchanged;
    };
    let changed: Vec<&FileChange> = theirs
        .files
        .iter()
        .filter(|file| find(base, &file.path) != Some(file))
        .collect();
    if changed.is_empty() {
        return Merged::Unchanged;
    }
    let conflict = changed.iter().find(|file| {
        let now = find(ours, &file.path);
        now != find(base, &file.path) && now != Some(file)
    });
    if let Some(file) = conflict {
        return Merged::Conflict {
            path: file.path.clone(),
        };
    }
    let mut files: Vec<FileChange> = ours.map(|ours| ours.files.clone()).unwrap_or_default();
    for file in changed {
        match files.iter_mut().find(|known| known.path == file.path) {
            Some(known) => *known = file.clone(),
            None => files.push(file.clone()),
        }
    }
    let summary = match ours {
        Some(ours) if !ours.summary.is_empty() => ours.summary.clone(),
        Some(_) | None => theirs.summary.clone(),
    };
    let mut reads = ours.map(|ours| ours.reads.clone()).unwrap_or_default();
    for read in &theirs.reads {
        // A lane has those that it began with, too.
        if !reads.contains(read) {
            reads.push(read.clone());
        }
    }
    Merged::Proposal(Proposal {
        summary,
        files,
        reads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::BlobId;

    /// `a1` is file `a` with contents `1`.
    fn proposal(files: &[&str]) -> Option<Proposal> {
        let change = |text: &&str| FileChange {
            path: text[..1].to_owned(),
            old: None,
            new: Some(BlobId::of(text.as_bytes())),
            lines_added: 1,
            lines_removed: 0,
        };
        let files: Vec<FileChange> = files.iter().map(change).collect();
        (!files.is_empty()).then(|| Proposal {
            summary: "s".to_owned(),
            files,
            reads: Vec::new(),
        })
    }

    fn check(base: &[&str], ours: &[&str], theirs: &[&str], expect: Result<&[&str], &str>) {
        let (base, ours, theirs) = (proposal(base), proposal(ours), proposal(theirs));
        let merged = merge(base.as_ref(), ours.as_ref(), theirs.as_ref());
        let expect = match expect {
            Ok(files) => proposal(files).map_or(Merged::Unchanged, Merged::Proposal),
            Err(path) => Merged::Conflict {
                path: path.to_owned(),
            },
        };
        assert_eq!(merged, expect);
    }

    #[test]
    fn lanes_are_put_together_file_by_file() {
        check(&[], &[], &[], Ok(&[]));
        check(&[], &[], &["a1"], Ok(&["a1"]));
        check(&["a1"], &["a1"], &["a1"], Ok(&[]));
        check(&["a1"], &["a1"], &["a2"], Ok(&["a2"]));
        check(&["a1"], &["a1", "b1"], &["a2", "c1"], Ok(&["a2", "b1", "c1"]));
        check(&[], &["a1"], &["a1"], Ok(&["a1"]));
        check(&[], &["a1"], &["a2"], Err("a"));
        check(&["a1"], &["a2"], &["a3"], Err("a"));
        check(&["a1"], &["a2"], &["a1", "b1"], Ok(&["a2", "b1"]));
    }
}

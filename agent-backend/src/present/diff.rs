//! A proposal's files with their texts, read from the journal.

use engine::{artifact::FileChange, blob::BlobId, ports::Journal};
use shared::wire;

use crate::error::Error;

pub(crate) async fn files(
    journal: &dyn Journal,
    changes: &[FileChange],
) -> Result<Vec<wire::FileDiff>, Error> {
    let mut files = Vec::with_capacity(changes.len());
    for change in changes {
        let (old, new) = (text(journal, change.old).await?, text(journal, change.new).await?);
        files.push(wire::FileDiff {
            hunks: hunks(old.as_deref(), new.as_deref()),
            path: change.path.clone(),
            change: match (change.old, change.new) {
                (None, _) => wire::ChangeKind::Create,
                (Some(_), Some(_)) => wire::ChangeKind::Edit,
                (Some(_), None) => wire::ChangeKind::Delete,
            },
            old_text: old,
            new_text: new,
            lines_added: change.lines_added,
            lines_removed: change.lines_removed,
        });
    }
    Ok(files)
}

/// What a decision can name by its index: the same texts are split the same way
/// when it is carried out.
fn hunks(old: Option<&str>, new: Option<&str>) -> Vec<wire::Hunk> {
    let hunks = tools::diff::hunks(old.unwrap_or_default(), new.unwrap_or_default());
    let place = |hunk: &tools::diff::Hunk| wire::Hunk {
        old_start: hunk.old_start,
        old_lines: hunk.old_lines,
        new_start: hunk.new_start,
        new_lines: hunk.new_lines,
    };
    hunks.iter().map(place).collect()
}

async fn text(journal: &dyn Journal, id: Option<BlobId>) -> Result<Option<String>, Error> {
    let Some(id) = id else { return Ok(None) };
    let bytes = journal.blob(id).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

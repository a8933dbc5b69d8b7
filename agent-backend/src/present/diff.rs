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
        files.push(wire::FileDiff {
            path: change.path.clone(),
            change: match (change.old, change.new) {
                (None, _) => wire::ChangeKind::Create,
                (Some(_), Some(_)) => wire::ChangeKind::Edit,
                (Some(_), None) => wire::ChangeKind::Delete,
            },
            old_text: text(journal, change.old).await?,
            new_text: text(journal, change.new).await?,
            lines_added: change.lines_added,
            lines_removed: change.lines_removed,
        });
    }
    Ok(files)
}

async fn text(journal: &dyn Journal, id: Option<BlobId>) -> Result<Option<String>, Error> {
    let Some(id) = id else { return Ok(None) };
    let bytes = journal.blob(id).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

//! Records of what is about to be written.

use engine::{artifact, blob::BlobId};
use serde::{Deserialize, Serialize};

use super::{
    Unreadable,
    artifact::{FileChange, blob},
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ApplyIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<CommitIntent>,
    files: Vec<FileChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unsaved: Vec<Unsaved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    restored: Vec<Restored>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restored {
    #[serde(rename = "p")]
    path: String,
    #[serde(rename = "x")]
    executable: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsaved {
    #[serde(rename = "p")]
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    author: String,
    date: String,
    #[serde(rename = "msg")]
    message: String,
}

impl From<&artifact::ApplyIntent> for ApplyIntent {
    fn from(intent: &artifact::ApplyIntent) -> Self {
        let artifact::ApplyIntent {
            commit,
            files,
            unsaved,
            restored,
        } = intent;
        let commit = commit.clone().map(|commit| {
            let artifact::CommitIntent {
                base,
                reference,
                author,
                date,
                message,
            } = commit;
            CommitIntent {
                base,
                reference,
                author,
                date,
                message,
            }
        });
        let unsaved = unsaved.iter().map(|file| Unsaved {
            path: file.path.clone(),
            disk: file.disk.map(BlobId::to_hex),
        });
        let restored = restored.iter().map(|file| Restored {
            path: file.path.clone(),
            executable: file.executable,
        });
        Self {
            commit,
            files: files.iter().map(Into::into).collect(),
            unsaved: unsaved.collect(),
            restored: restored.collect(),
        }
    }
}

impl TryFrom<ApplyIntent> for artifact::ApplyIntent {
    type Error = Unreadable;

    fn try_from(intent: ApplyIntent) -> Result<Self, Unreadable> {
        let ApplyIntent {
            commit,
            files,
            unsaved,
            restored,
        } = intent;
        let commit = commit.map(|commit| {
            let CommitIntent {
                base,
                reference,
                author,
                date,
                message,
            } = commit;
            artifact::CommitIntent {
                base,
                reference,
                author,
                date,
                message,
            }
        });
        let unsaved = unsaved.into_iter().map(|Unsaved { path, disk }| {
            let disk = disk.as_deref().map(blob).transpose()?;
            Ok(artifact::Unsaved { path, disk })
        });
        let restored = restored
            .into_iter()
            .map(|Restored { path, executable }| artifact::Restored { path, executable });
        Ok(Self {
            commit,
            files: files
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            unsaved: unsaved.collect::<Result<_, Unreadable>>()?,
            restored: restored.collect(),
        })
    }
}

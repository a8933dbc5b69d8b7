//! What a repository's state means to the person, in words.

use engine::event::{Notice, NoticeLevel};
use shared::error::Code;

use crate::repository::{Head, NoRepository, Repository};

pub(super) fn of(repository: &Repository) -> Vec<Notice> {
    match repository {
        Repository::None(why) => {
            let (code, why) = match why {
                NoRepository::Absent => (None, "the workspace is in no git repository".to_owned()),
                NoRepository::Ignored { top_level } => (
                    None,
                    format!("the repository in {} ignores the workspace", top_level.display()),
                ),
                NoRepository::GitMissing => (Some(Code::GitMissing), "git is not installed".to_owned()),
            };
            vec![Notice {
                level: NoticeLevel::Warning,
                code,
                message: format!("{why}: changes will be written without a commit"),
            }]
        }
        Repository::Git(git) => {
            let mut notices = Vec::new();
            if let Some(operation) = git.in_progress {
                notices.push(Notice {
                    level: NoticeLevel::Warning,
                    code: Some(Code::GitBusy),
                    message: format!(
                        "a {operation} is in progress: nothing can be committed until it is finished or aborted"
                    ),
                });
            }
            match &git.head {
                Head::Branch { .. } => {}
                Head::Unborn { reference } => notices.push(info(format!(
                    "{} has no commit yet: an accepted change becomes its first",
                    reference.strip_prefix("refs/heads/").unwrap_or(reference)
                ))),
                Head::Detached { .. } => {
                    notices.push(info(
                        "HEAD is detached: the commit will be on no branch".to_owned(),
                    ));
                }
            }
            if !git.hooks.is_empty() {
                notices.push(info(format!(
                    "these git hooks are not run on the commit: {}",
                    git.hooks.join(", ")
                )));
            }
            notices
        }
    }
}

fn info(message: String) -> Notice {
    Notice {
        level: NoticeLevel::Info,
        code: None,
        message,
    }
}

//! Credentials in what a person says. Neither the journal nor a model gets them.

use std::borrow::Cow;

use shared::{error::Code, redact::redact};

use crate::{
    artifact::Decision,
    command::Command,
    event::{Event, Notice, NoticeLevel},
};

/// Takes them out of what a person said; whether there were any.
pub(super) fn clean(words: &mut String) -> bool {
    let Cow::Owned(clean) = redact(words) else {
        return false;
    };
    *words = clean;
    true
}

/// The same for what a command says.
pub(super) fn clean_command(command: &mut Command) -> bool {
    let (Command::Remark { text: words }
    | Command::Decide {
        decision:
            Decision::Modify { feedback: words }
            | Decision::Reject {
                feedback: Some(words),
            },
        ..
    }) = command
    else {
        return false;
    };
    clean(words)
}

/// What the person is told of it.
pub(super) fn left_out() -> Event {
    Event::Noticed(Notice {
        level: NoticeLevel::Warning,
        code: Some(Code::CredentialLeftOut),
        message:
            "what looks like a credential was left out of your words: it is neither kept nor shown to a model"
                .to_owned(),
    })
}

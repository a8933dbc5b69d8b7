//! What needs a person's permission before it is done.

use shared::{
    error::Code,
    wire::{Question, WantedCall},
};

use super::{Phase, Workflow};

/// What a person is asked to allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission<'a> {
    /// Running code without a sandbox; why there is none.
    Unisolated(&'a str),
    /// A call of a tool.
    Tool(&'a WantedCall),
}

impl Workflow {
    /// What a person is asked to allow, if they are.
    pub fn permission_asked(&self) -> Option<Permission<'_>> {
        let Phase::Review { question, .. } = &self.phase else {
            return None;
        };
        match question {
            Question::Review | Question::Failure { .. } => None,
            Question::ToolCall { call, .. } => Some(Permission::Tool(call)),
            Question::Unisolated { .. } => {
                let said = self.notices.iter().rev();
                let mut said =
                    said.filter(|notice| notice.code.as_deref() == Some(Code::UnisolatedRun.as_str()));
                let why = said.next().map(|notice| notice.message.as_str());
                Some(Permission::Unisolated(
                    why.unwrap_or("Nothing here isolates what is run."),
                ))
            }
        }
    }
}

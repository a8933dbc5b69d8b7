//! What a person is asked about a workflow.

use agent_client_protocol::v1::schema::{ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, ToolKind};
use engine::{Event, event::Help};
use shared::error::Code;

use super::{super::client::Question, Updates, evidence, why};

/// What a person is asked where there is no sandbox.
const UNISOLATED: &str = "Nothing here isolates what is run. Build and test with your own rights?";

impl Updates<'_> {
    /// What is asked, and as what it is the subject of a permission request.
    pub(in crate::edge::acp) fn question(&self, asked: &Event) -> (Question, ToolCallUpdate) {
        if let Event::HelpRequested {
            question: Help::Tool(call),
            ..
        } = asked
        {
            return (Question::Tool, self.tools.asked(&self.call, call));
        }
        if let Event::HelpRequested {
            question: Help::Unisolated,
            ..
        } = asked
        {
            let fields = ToolCallUpdateFields::new()
                .title(UNISOLATED.to_owned())
                .kind(ToolKind::Execute)
                .status(ToolCallStatus::Pending);
            return (
                Question::Unisolated,
                ToolCallUpdate::new(self.call.clone(), fields),
            );
        }
        let failure = matches!(asked, Event::HelpRequested { .. }).then_some(self.failure.as_ref());
        let (question, kind, title) = match failure {
            Some(Some(failure)) if failure.code == Code::RequestUnclear => {
                (Question::Unclear, ToolKind::Think, failure.message.as_str())
            }
            Some(_) => (Question::Help, ToolKind::Other, "A stage failed. Try it again?"),
            None if self.diffs.is_empty() => (Question::Review, ToolKind::Edit, "Go on with this plan?"),
            None => (Question::Review, ToolKind::Edit, "Apply these changes?"),
        };
        // It takes the place of what the call has shown.
        let mut content: Vec<_> = failure.flatten().map(why).into_iter().collect();
        content.extend(self.diffs.iter().cloned());
        content.extend(self.checks.iter().map(evidence));
        let fields = ToolCallUpdateFields::new()
            .title(title.to_owned())
            .kind(kind)
            .status(ToolCallStatus::Pending)
            .content(content);
        (question, ToolCallUpdate::new(self.call.clone(), fields))
    }
}

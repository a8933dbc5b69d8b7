//! Session updates as version 2 has them. The rest of the agent speaks version 1;
//! this knows nothing but both.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the protocol's enums are open, and version 1's cannot be matched whole"
)]

use agent_client_protocol::{schema::MaybeUndefined, v1::schema as one, v2::schema as two};
use shared::{
    id::{Seq, WorkflowId},
    wire::SessionPosition,
};

use super::{super::updates::is_deleted, words};

/// The one plan of a session.
const PLAN: &str = "plan";

/// Which message the text of the agent belongs to: pieces of one kind in a row
/// are one. The same for all who are told, and whenever, because a message is
/// named after where it begins.
#[derive(Debug, Default)]
pub(super) struct Messages(Option<(Voice, two::MessageId)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Said,
    Thought,
}

impl Messages {
    /// The message of a piece; one that comes from nowhere is one of its own.
    fn of(&mut self, voice: Voice, from: Option<&SessionPosition>) -> two::MessageId {
        let Some(from) = from else { return own_message() };
        if let Some((last, id)) = &self.0
            && *last == voice
        {
            return id.clone();
        }
        let of = from
            .workflow_id
            .as_ref()
            .map_or(from.correlation_id.as_str(), WorkflowId::as_str);
        let part = from.part.unwrap_or_default();
        let id = two::MessageId::new(format!("{of}:{}.{part}", from.seq.0));
        self.0 = Some((voice, id.clone()));
        id
    }

    /// Something else comes in between.
    fn end(&mut self) {
        self.0 = None;
    }

    /// An update as version 2 has it; none where it has none for it.
    pub(super) fn update(
        &mut self,
        update: one::SessionUpdate,
        from: Option<&SessionPosition>,
    ) -> Option<two::SessionUpdate> {
        use two::SessionUpdate as Two;
        Some(match update {
            one::SessionUpdate::UserMessageChunk(chunk) => {
                self.end();
                let id = message(from);
                match chunk.content {
                    // It goes on with the message that its words began.
                    image @ one::ContentBlock::Image(_) => {
                        Two::UserMessageChunk(two::ContentChunk::new(content(image), id))
                    }
                    words => Two::UserMessage(two::UserMessage::new(id).content(vec![content(words)])),
                }
            }
            one::SessionUpdate::AgentMessageChunk(chunk) => {
                let id = self.of(Voice::Said, from);
                Two::AgentMessageChunk(two::ContentChunk::new(content(chunk.content), id))
            }
            one::SessionUpdate::AgentThoughtChunk(chunk) => {
                let id = self.of(Voice::Thought, from);
                Two::AgentThoughtChunk(two::ContentChunk::new(content(chunk.content), id))
            }
            one::SessionUpdate::ToolCall(call) => {
                self.end();
                Two::ToolCallUpdate(tool_call(call))
            }
            one::SessionUpdate::ToolCallUpdate(update) => {
                self.end();
                Two::ToolCallUpdate(tool_call_update(update))
            }
            one::SessionUpdate::Plan(plan) => {
                self.end();
                let entries = plan.entries.into_iter().map(plan_entry).collect();
                Two::PlanUpdate(two::PlanUpdate::new(two::PlanUpdateContent::items(PLAN, entries)))
            }
            one::SessionUpdate::AvailableCommandsUpdate(update) => {
                Two::AvailableCommandsUpdate(two::AvailableCommandsUpdate::new(commands(update)))
            }
            one::SessionUpdate::ConfigOptionUpdate(update) => {
                Two::ConfigOptionUpdate(two::ConfigOptionUpdate::new(options(update.config_options)))
            }
            one::SessionUpdate::SessionInfoUpdate(info) => {
                let told = two::SessionInfoUpdate::new();
                let told = told.updated_at(info.updated_at.value().cloned());
                Two::SessionInfoUpdate(match info.title {
                    MaybeUndefined::Value(title) => told.title(title),
                    MaybeUndefined::Null | MaybeUndefined::Undefined => told,
                })
            }
            one::SessionUpdate::UsageUpdate(usage) => {
                let told = two::UsageUpdate::new(usage.used, usage.size);
                Two::UsageUpdate(match usage.cost {
                    Some(cost) => told.cost(two::Cost::new(cost.amount, cost.currency)),
                    None => told,
                })
            }
            one::SessionUpdate::Notice(notice) => {
                let severity = match notice.severity {
                    one::NoticeSeverity::Error => two::NoticeSeverity::Error,
                    one::NoticeSeverity::Warning => two::NoticeSeverity::Warning,
                    _ => two::NoticeSeverity::Info,
                };
                Two::Notice(two::Notice::new(severity, notice.title).description(notice.description))
            }
            // The mode is an option there, and the agent says nothing else.
            _ => return None,
        })
    }
}

/// A message that the journal has nowhere.
pub(super) fn own_message() -> two::MessageId {
    two::MessageId::new(uuid::Uuid::now_v7().to_string())
}

/// The message of the person: a request is known by its key, what came later by its
/// place.
fn message(from: Option<&SessionPosition>) -> two::MessageId {
    match from {
        None => own_message(),
        Some(from) if from.seq == Seq::default() => two::MessageId::new(from.correlation_id.as_str()),
        Some(from) => match &from.workflow_id {
            Some(workflow) => words::message(workflow, from.seq),
            None => own_message(),
        },
    }
}

/// The agent says nothing but text, and the person nothing but text and pictures.
fn content(block: one::ContentBlock) -> two::ContentBlock {
    let text = match block {
        one::ContentBlock::Text(text) => text.text,
        one::ContentBlock::Image(image) => {
            return two::ContentBlock::Image(two::ImageContent::new(image.data, image.mime_type));
        }
        _ => String::new(),
    };
    two::ContentBlock::Text(two::TextContent::new(text))
}

fn tool_call(call: one::ToolCall) -> two::ToolCallUpdate {
    let update = two::ToolCallUpdate::new(call.tool_call_id.0)
        .title(call.title)
        .kind(kind(call.kind))
        .status(status(&call.status));
    with_contents(update, Some(call.content), Some(call.locations))
}

pub(super) fn tool_call_update(update: one::ToolCallUpdate) -> two::ToolCallUpdate {
    let fields = update.fields;
    let mut told = two::ToolCallUpdate::new(update.tool_call_id.0);
    if let Some(title) = fields.title {
        told = told.title(title);
    }
    if let Some(tool) = fields.kind {
        told = told.kind(kind(tool));
    }
    if let Some(now) = fields.status {
        told = told.status(status(&now));
    }
    with_contents(told, fields.content, fields.locations)
}

fn with_contents(
    mut update: two::ToolCallUpdate,
    contents: Option<Vec<one::ToolCallContent>>,
    locations: Option<Vec<one::ToolCallLocation>>,
) -> two::ToolCallUpdate {
    if let Some(contents) = contents {
        update = update.content(contents.into_iter().filter_map(tool_content).collect::<Vec<_>>());
    }
    if let Some(locations) = locations {
        let location = |location: one::ToolCallLocation| {
            // Lines count from 1.
            two::ToolCallLocation::new(location.path).line(location.line.filter(|line| *line > 0))
        };
        update = update.locations(locations.into_iter().map(location).collect::<Vec<_>>());
    }
    update
}

fn tool_content(content_of: one::ToolCallContent) -> Option<two::ToolCallContent> {
    match content_of {
        one::ToolCallContent::Content(inner) => {
            let inner = two::Content::new(content(inner.content));
            Some(two::ToolCallContent::Content(Box::new(inner)))
        }
        one::ToolCallContent::Diff(diff) => Some(two::ToolCallContent::Diff(changes(&diff))),
        _ => None,
    }
}

/// One changed file.
fn changes(diff: &one::Diff) -> two::Diff {
    let path = diff.path.as_path();
    let new = Some(diff.new_text.as_str()).filter(|_| !is_deleted(diff));
    let change = match (&diff.old_text, new) {
        (None, _) => two::DiffChange::add(path),
        (Some(_), None) => two::DiffChange::delete(path),
        (Some(_), Some(_)) => two::DiffChange::modify(path),
    };
    let name = diff.path.to_string_lossy();
    let name = name.trim_start_matches('/');
    let text = tools::diff::unified(name, diff.old_text.as_deref(), new);
    two::Diff::new(vec![change]).with_patch(two::DiffPatch::new(text))
}

fn kind(kind: one::ToolKind) -> two::ToolKind {
    match kind {
        one::ToolKind::Read => two::ToolKind::Read,
        one::ToolKind::Edit => two::ToolKind::Edit,
        one::ToolKind::Delete => two::ToolKind::Delete,
        one::ToolKind::Move => two::ToolKind::Move,
        one::ToolKind::Search => two::ToolKind::Search,
        one::ToolKind::Execute => two::ToolKind::Execute,
        one::ToolKind::Think => two::ToolKind::Think,
        one::ToolKind::Fetch => two::ToolKind::Fetch,
        one::ToolKind::SwitchMode => two::ToolKind::SwitchMode,
        _ => two::ToolKind::Unknown("other".to_owned()),
    }
}

/// What an answer to a question is.
pub(super) fn permission_kind(kind: one::PermissionOptionKind) -> two::PermissionOptionKind {
    match kind {
        one::PermissionOptionKind::AllowOnce => two::PermissionOptionKind::AllowOnce,
        one::PermissionOptionKind::AllowAlways => two::PermissionOptionKind::AllowAlways,
        one::PermissionOptionKind::RejectAlways => two::PermissionOptionKind::RejectAlways,
        _ => two::PermissionOptionKind::RejectOnce,
    }
}

fn status(status: &one::ToolCallStatus) -> two::ToolCallStatus {
    match status {
        one::ToolCallStatus::InProgress => two::ToolCallStatus::InProgress,
        one::ToolCallStatus::Completed => two::ToolCallStatus::Completed,
        one::ToolCallStatus::Failed => two::ToolCallStatus::Failed,
        _ => two::ToolCallStatus::Pending,
    }
}

fn plan_entry(entry: one::PlanEntry) -> two::PlanEntry {
    let priority = match entry.priority {
        one::PlanEntryPriority::High => two::PlanEntryPriority::High,
        one::PlanEntryPriority::Low => two::PlanEntryPriority::Low,
        _ => two::PlanEntryPriority::Medium,
    };
    let status = match entry.status {
        one::PlanEntryStatus::InProgress => two::PlanEntryStatus::InProgress,
        one::PlanEntryStatus::Completed => two::PlanEntryStatus::Completed,
        _ => two::PlanEntryStatus::Pending,
    };
    two::PlanEntry::new(entry.content, priority, status)
}

/// What a prompt can begin with.
pub(super) fn commands(update: one::AvailableCommandsUpdate) -> Vec<two::AvailableCommand> {
    let command = |command: one::AvailableCommand| {
        let input = match command.input {
            Some(one::AvailableCommandInput::Unstructured(input)) => Some(two::AvailableCommandInput::Text(
                two::TextCommandInput::new(input.hint),
            )),
            _ => None,
        };
        let command = two::Command::new(command.name, command.description).input(input);
        two::AvailableCommand::Command(command)
    };
    update.available_commands.into_iter().map(command).collect()
}

/// What is chosen, and could be.
pub(super) fn options(options: Vec<one::SessionConfigOption>) -> Vec<two::SessionConfigOption> {
    options.into_iter().filter_map(option).collect()
}

fn option(option: one::SessionConfigOption) -> Option<two::SessionConfigOption> {
    let id = option.id.0;
    let told = match option.kind {
        one::SessionConfigKind::Select(select) => {
            let one::SessionConfigSelectOptions::Ungrouped(values) = select.options else {
                return None;
            };
            let value = |value: one::SessionConfigSelectOption| {
                two::SessionConfigSelectOption::new(value.value.0, value.name).description(value.description)
            };
            let values: Vec<_> = values.into_iter().map(value).collect();
            two::SessionConfigOption::select(id, option.name, select.current_value.0, values)
        }
        one::SessionConfigKind::Boolean(switch) => {
            two::SessionConfigOption::boolean(id, option.name, switch.current_value)
        }
        _ => return None,
    };
    let category = option.category.map(|category| match category {
        one::SessionConfigOptionCategory::Mode => two::SessionConfigOptionCategory::Mode,
        one::SessionConfigOptionCategory::Model => two::SessionConfigOptionCategory::Model,
        one::SessionConfigOptionCategory::ThoughtLevel => two::SessionConfigOptionCategory::ThoughtLevel,
        one::SessionConfigOptionCategory::Other(other) => two::SessionConfigOptionCategory::Other(other),
        _ => two::SessionConfigOptionCategory::ModelConfig,
    });
    Some(told.description(option.description).category(category))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::id::CorrelationId;

    use super::{super::super::updates::diff, *};

    fn at(seq: u64) -> SessionPosition {
        SessionPosition {
            correlation_id: CorrelationId::new("r"),
            workflow_id: Some(WorkflowId::new("w")),
            seq: Seq(seq),
            part: Some(1),
        }
    }

    fn chunk(words: &str) -> one::ContentChunk {
        one::ContentChunk::new(one::ContentBlock::Text(one::TextContent::new(words)))
    }

    #[test]
    fn text_of_one_kind_is_one_message_until_something_comes_between() {
        let said = |words| one::SessionUpdate::AgentMessageChunk(chunk(words));
        let thought = |words| one::SessionUpdate::AgentThoughtChunk(chunk(words));
        let call = one::SessionUpdate::ToolCall(one::ToolCall::new("c", "Write code"));
        let usage = one::SessionUpdate::UsageUpdate(one::UsageUpdate::new(1, 2));
        let mut messages = Messages::default();
        let told = [
            (said("a"), "w:1.1"),
            (said("b"), "w:1.1"),
            (usage, ""),
            (said("c"), "w:1.1"),
            (thought("d"), "w:5.1"),
            (said("e"), "w:6.1"),
            (call, ""),
            (said("f"), "w:8.1"),
        ];
        for (seq, (update, expect)) in (1..).zip(told) {
            let update = messages.update(update, Some(&at(seq))).unwrap();
            let update = serde_json::to_value(update).unwrap();
            assert_eq!(
                update["messageId"].as_str().unwrap_or_default(),
                expect,
                "{update}"
            );
        }
    }

    #[test]
    fn words_of_the_person_are_known_by_their_request_or_by_themselves() {
        let check = |from: &SessionPosition, expect: &str| {
            let update = one::SessionUpdate::UserMessageChunk(chunk("hi"));
            let update = Messages::default().update(update, Some(from)).unwrap();
            assert_eq!(serde_json::to_value(update).unwrap()["messageId"], expect);
        };
        check(&at(0), "r");
        check(&at(7), "w:7");
        // The same words again.
        check(&at(9), "w:9");
    }

    #[test]
    fn a_changed_file_is_told_with_a_patch() {
        let check = |old: Option<&str>, new: Option<&str>, operation: &str, line: &str| {
            let diff = diff("/w/a.py".into(), old.map(str::to_owned), new.map(str::to_owned));
            let told: Value = serde_json::to_value(changes(&diff)).unwrap();
            let change = &told["changes"][0];
            assert_eq!(
                (&change["operation"], &change["path"]),
                (&json!(operation), &json!("/w/a.py"))
            );
            let patch = told["patch"]["text"].as_str().unwrap();
            assert!(patch.lines().any(|other| other == line), "{patch}");
        };
        check(None, Some("x = 1\n"), "add", "+x = 1");
        check(Some("x = 1\n"), Some("x = 2\n"), "modify", "-x = 1");
        check(Some("x = 1\n"), Some(""), "modify", "-x = 1");
        check(Some("x = 1\n"), None, "delete", "-x = 1");
    }
}

//! What an agent says and asks, from the protocol's types into the window's.

use std::path::Path;

use agent_client_protocol::{schema::MaybeUndefined, v1::schema};

use crate::agent::{
    event::{Listed, PermissionKind, PermissionOption, SessionId, StopReason},
    tool::{FileChange, Location, ToolContent, ToolKind, ToolPatch, ToolStatus},
    update::{Notice, Piece, Severity, SlashCommand, Speaker, Step, StepStatus, Update, Usage},
};

use super::setup;

/// The update, if the window shows it. Paths are shown relative to `folder`.
pub(super) fn update(update: schema::SessionUpdate, folder: &Path) -> Option<Update> {
    Some(match update {
        schema::SessionUpdate::UserMessageChunk(chunk) => Update::Text(piece(Speaker::Person, chunk)),
        schema::SessionUpdate::AgentMessageChunk(chunk) => Update::Text(piece(Speaker::Agent, chunk)),
        schema::SessionUpdate::AgentThoughtChunk(chunk) => Update::Text(piece(Speaker::Thought, chunk)),
        schema::SessionUpdate::ToolCall(call) => Update::Tool(begun(call, folder)),
        schema::SessionUpdate::ToolCallUpdate(call) => Update::Tool(patch(call, folder)),
        schema::SessionUpdate::Plan(plan) => Update::Plan(plan.entries.into_iter().map(step).collect()),
        schema::SessionUpdate::AvailableCommandsUpdate(update) => {
            Update::Commands(update.available_commands.into_iter().map(command).collect())
        }
        schema::SessionUpdate::CurrentModeUpdate(update) => Update::Mode(update.current_mode_id.to_string()),
        schema::SessionUpdate::ConfigOptionUpdate(update) => {
            Update::Settings(setup::options(update.config_options))
        }
        schema::SessionUpdate::SessionInfoUpdate(update) => match update.title {
            MaybeUndefined::Undefined => return None,
            MaybeUndefined::Null => Update::Title(None),
            MaybeUndefined::Value(title) => Update::Title(Some(title)),
        },
        schema::SessionUpdate::UsageUpdate(usage) => Update::Usage(Usage {
            used: usage.used,
            size: usage.size,
            cost: usage.cost.map(|cost| (cost.amount, cost.currency)),
        }),
        schema::SessionUpdate::Notice(notice) => Update::Notice(Notice {
            severity: match notice.severity {
                schema::NoticeSeverity::Warning => Severity::Warning,
                schema::NoticeSeverity::Error => Severity::Error,
                schema::NoticeSeverity::Info | schema::NoticeSeverity::Other(_) | _ => Severity::Info,
            },
            title: notice.title,
            text: notice.description.unwrap_or_default(),
        }),
        schema::SessionUpdate::CompactionUpdate(update) => Update::Notice(compaction(update)?),
        // The whole summary comes with the end of it.
        schema::SessionUpdate::CompactionSummaryChunk(_) => return None,
        // What a newer version of the protocol says.
        _ => return None,
    })
}

/// A call as a permission names it, or as an update changes it.
pub(super) fn patch(call: schema::ToolCallUpdate, folder: &Path) -> ToolPatch {
    let fields = call.fields;
    ToolPatch {
        id: call.tool_call_id.to_string(),
        title: fields.title,
        kind: fields.kind.map(kind),
        status: fields.status.map(status),
        content: fields.content.map(|content| contents(content, folder)),
        locations: fields.locations.map(locations),
        input: fields.raw_input.as_ref().and_then(input),
    }
}

/// What may be answered to a request for permission.
pub(super) fn permission(option: schema::PermissionOption) -> PermissionOption {
    PermissionOption {
        id: option.option_id.to_string(),
        name: option.name,
        kind: match option.kind {
            schema::PermissionOptionKind::AllowOnce => PermissionKind::AllowOnce,
            schema::PermissionOptionKind::AllowAlways => PermissionKind::AllowAlways,
            schema::PermissionOptionKind::RejectAlways => PermissionKind::RejectAlways,
            // What is not known to be a yes is a no.
            schema::PermissionOptionKind::RejectOnce | _ => PermissionKind::RejectOnce,
        },
    }
}

/// Why a turn ended.
pub(super) fn stop(stop: schema::StopReason) -> StopReason {
    match stop {
        schema::StopReason::MaxTokens => StopReason::MaxTokens,
        schema::StopReason::MaxTurnRequests => StopReason::MaxRequests,
        schema::StopReason::Refusal => StopReason::Refusal,
        schema::StopReason::Cancelled => StopReason::Cancelled,
        schema::StopReason::EndTurn | _ => StopReason::EndTurn,
    }
}

/// A session that the agent has.
pub(super) fn listed(info: schema::SessionInfo) -> Listed {
    Listed {
        id: SessionId(info.session_id.to_string()),
        folder: info.cwd,
        title: info.title,
        updated_at: info.updated_at,
    }
}

fn piece(speaker: Speaker, chunk: schema::ContentChunk) -> Piece {
    Piece {
        speaker,
        text: text(chunk.content),
        message: chunk.message_id.map(|id| id.0.to_string()),
    }
}

/// A block as text; what is none is named.
fn text(block: schema::ContentBlock) -> String {
    match block {
        schema::ContentBlock::Text(text) => text.text,
        schema::ContentBlock::Image(image) => format!("[picture, {}]", image.mime_type),
        schema::ContentBlock::Audio(audio) => format!("[sound, {}]", audio.mime_type),
        schema::ContentBlock::ResourceLink(link) => format!("[{}]({})", link.name, link.uri),
        schema::ContentBlock::Resource(resource) => match resource.resource {
            schema::EmbeddedResourceResource::TextResourceContents(contents) => {
                format!("{}\n{}", contents.uri, contents.text)
            }
            schema::EmbeddedResourceResource::BlobResourceContents(contents) => format!("[{}]", contents.uri),
            _ => "[something that this window does not know]".to_owned(),
        },
        _ => "[something that this window does not know]".to_owned(),
    }
}

fn begun(call: schema::ToolCall, folder: &Path) -> ToolPatch {
    ToolPatch {
        id: call.tool_call_id.to_string(),
        title: Some(call.title),
        kind: Some(kind(call.kind)),
        status: Some(status(call.status)),
        content: Some(contents(call.content, folder)),
        locations: Some(locations(call.locations)),
        input: call.raw_input.as_ref().and_then(input),
    }
}

fn contents(contents: Vec<schema::ToolCallContent>, folder: &Path) -> Vec<ToolContent> {
    let content = |content| match content {
        schema::ToolCallContent::Content(content) => ToolContent::text(&text(content.content)),
        schema::ToolCallContent::Diff(diff) => {
            let change = FileChange::new(diff.path, diff.old_text, diff.new_text, folder);
            ToolContent::Diff(Box::new(change))
        }
        schema::ToolCallContent::Terminal(_) => {
            ToolContent::Other("What its terminal shows stays with the agent.".to_owned())
        }
        _ => ToolContent::Other("Something that this window does not know.".to_owned()),
    };
    contents.into_iter().map(content).collect()
}

fn locations(locations: Vec<schema::ToolCallLocation>) -> Vec<Location> {
    let location = |location: schema::ToolCallLocation| Location {
        path: location.path,
        line: location.line,
    };
    locations.into_iter().map(location).collect()
}

/// What a tool is given, where that says anything.
fn input(value: &serde_json::Value) -> Option<String> {
    let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    if empty {
        return None;
    }
    serde_json::to_string_pretty(value).ok()
}

fn kind(kind: schema::ToolKind) -> ToolKind {
    match kind {
        schema::ToolKind::Read => ToolKind::Read,
        schema::ToolKind::Edit => ToolKind::Edit,
        schema::ToolKind::Delete => ToolKind::Delete,
        schema::ToolKind::Move => ToolKind::Move,
        schema::ToolKind::Search => ToolKind::Search,
        schema::ToolKind::Execute => ToolKind::Execute,
        schema::ToolKind::Think => ToolKind::Think,
        schema::ToolKind::Fetch => ToolKind::Fetch,
        schema::ToolKind::SwitchMode => ToolKind::SwitchMode,
        schema::ToolKind::Other | _ => ToolKind::Other,
    }
}

fn status(status: schema::ToolCallStatus) -> ToolStatus {
    match status {
        schema::ToolCallStatus::InProgress => ToolStatus::Running,
        schema::ToolCallStatus::Completed => ToolStatus::Completed,
        schema::ToolCallStatus::Failed => ToolStatus::Failed,
        schema::ToolCallStatus::Pending | _ => ToolStatus::Pending,
    }
}

fn step(entry: schema::PlanEntry) -> Step {
    Step {
        text: entry.content,
        status: match entry.status {
            schema::PlanEntryStatus::InProgress => StepStatus::Running,
            schema::PlanEntryStatus::Completed => StepStatus::Completed,
            schema::PlanEntryStatus::Pending | _ => StepStatus::Pending,
        },
    }
}

fn command(command: schema::AvailableCommand) -> SlashCommand {
    SlashCommand {
        name: command.name,
        description: command.description,
        hint: command.input.and_then(|input| match input {
            schema::AvailableCommandInput::Unstructured(input) => Some(input.hint),
            _ => None,
        }),
    }
}

fn compaction(update: schema::CompactionUpdate) -> Option<Notice> {
    let (severity, title) = match update.status {
        schema::CompactionStatus::Completed => (Severity::Info, "The context was shortened"),
        schema::CompactionStatus::Failed => (Severity::Warning, "The context could not be shortened"),
        schema::CompactionStatus::InProgress
        | schema::CompactionStatus::Cancelled
        | schema::CompactionStatus::Other(_)
        | _ => return None,
    };
    let summary = match (update.summary, update.error) {
        (_, MaybeUndefined::Value(error)) => error,
        (MaybeUndefined::Value(blocks), _) => blocks.into_iter().map(text).collect(),
        (MaybeUndefined::Null | MaybeUndefined::Undefined, _) => String::new(),
    };
    Some(Notice {
        severity,
        title: title.to_owned(),
        text: summary,
    })
}

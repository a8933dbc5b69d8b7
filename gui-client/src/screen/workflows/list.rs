//! How the list is drawn.

use iced::{
    Alignment, Color, Element, Length,
    widget::{column, container, row, scrollable, space, text, text_input},
};
use shared::{
    id::WorkflowId,
    wire::{WorkflowState, WorkflowSummary},
};

use super::{Message, Place, Workflows, label, scroll_id, search_id};
use crate::{
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Characters of a request that are shown.
const QUERY_CHARS_MAX: usize = 160;

/// The pane; `shown` is the workflow in the other panes, `now` in seconds since
/// the Unix epoch.
pub fn view<'a>(
    workflows: &'a Workflows,
    look: Look,
    shown: Option<&WorkflowId>,
    now: u64,
) -> Element<'a, Message> {
    let search = text_input("Search by request, folder or state", &workflows.words)
        .id(search_id())
        .size(look.size)
        .padding([8, 12])
        .on_input(Message::Words)
        .style(style::field(look));
    let refresh = (!workflows.is_asking()).then_some(Message::Refresh);
    let head = row![search, pieces::choice(look, Tone::Quiet, "Refresh", refresh)]
        .spacing(GAP)
        .align_y(Alignment::Center);
    let mut list = column![].spacing(GAP).padding([0.0, SPACE]);
    if let Some(error) = &workflows.error {
        let title = format!("Error · {}", error.code());
        list = list.push(pieces::card(look, Surface::Error, title, error.to_string()));
    }
    let mut found = workflows.found().peekable();
    if found.peek().is_none() {
        let nothing = match (workflows.is_asking(), workflows.words.trim()) {
            (true, _) => "Looking…",
            (false, "") => "Nothing was asked for yet.",
            (false, _) => "Nothing is found.",
        };
        list = list.push(pieces::remark(look, nothing));
    }
    for workflow in found {
        list = list.push(entry(look, workflows, workflow, shown, now));
    }
    if workflows.older.is_some() {
        let more = (!workflows.is_asking()).then_some(Message::More);
        list = list.push(pieces::choice(look, Tone::Quiet, "Older ones", more));
    }
    let list = scrollable(list.max_width(900))
        .id(scroll_id())
        .on_scroll(|seen| {
            Message::Placed(Place {
                offset: seen.absolute_offset().y,
                height: seen.content_bounds().height,
            })
        })
        .width(Length::Fill)
        .height(Length::Fill)
        .style(style::scroll(look));
    column![container(head).padding(SPACE).max_width(900), list].into()
}

fn entry<'a>(
    look: Look,
    workflows: &Workflows,
    workflow: &'a WorkflowSummary,
    shown: Option<&WorkflowId>,
    now: u64,
) -> Element<'a, Message> {
    let id = &workflow.workflow_id;
    let (sign, color) = sign(look, workflow.state);
    let query = pieces::shortened(&workflow.user_query, QUERY_CHARS_MAX);
    let mut title = row![
        text(sign).size(look.size).color(color).width(18),
        text(query)
            .font(UI_STRONG)
            .size(look.size)
            .width(Length::Fill)
            .wrapping(text::Wrapping::WordOrGlyph),
    ]
    .spacing(GAP)
    .align_y(Alignment::Center);
    if !workflow.state.is_terminal() {
        let cancel = Some(Message::Cancel(id.clone()));
        title = title.push(pieces::choice(look, Tone::Quiet, "Cancel", cancel));
    }
    if shown == Some(id) {
        title = title.push(pieces::remark(look, "shown"));
    }
    let open = Some(Message::Open(id.clone()));
    title = title.push(pieces::choice(look, Tone::Quiet, "Open", open));
    let about = [
        label(workflow.state).to_owned(),
        ago(now.saturating_sub(workflow.updated_at)),
        workflow.workflow_type.clone(),
        workflow.workspace.clone(),
    ];
    let about = row![space().width(18), pieces::remark(look, about.join(" · "))].spacing(GAP);
    let surface = if workflows.cursor.as_ref() == Some(id) {
        Surface::Focus
    } else {
        Surface::Card
    };
    container(column![title, about].spacing(4))
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, surface))
        .into()
}

fn sign(look: Look, state: WorkflowState) -> (&'static str, Color) {
    let colors = look.colors;
    match state {
        WorkflowState::Running => ("●", colors.accent),
        WorkflowState::AwaitingDecision => ("●", colors.warn),
        WorkflowState::Completed => ("✓", colors.good),
        WorkflowState::Rejected | WorkflowState::Cancelled => ("–", colors.faint),
        WorkflowState::Failed => ("✗", colors.bad),
    }
}

/// How long ago something was, in the largest unit that fits.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |seconds: u64, expect: &str| assert_eq!(ago(seconds), expect);
        check(0, "just now");
        check(59, "just now");
        check(60, "1 min ago");
        check(7_199, "1 h ago");
        check(86_400 * 3, "3 d ago");
    }
}

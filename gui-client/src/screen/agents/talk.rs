//! The main pane: what was said and done, what the agent asks, and the prompt.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, row, scrollable, space, text, text_editor},
};

use super::{
    Act, Agents, Link, Message, Shown, act::SHOWN_MAX, prompt_id, question, scroll_id, side::Buttons,
};
use crate::{
    agent::{
        session::{Entry, Said, Session, Turn},
        tool::{FileChange, ToolCall, ToolContent, ToolStatus},
        update::{Notice, Severity, Speaker, Usage},
    },
    model::layout::{Layout, View},
    shortcut::Shortcut,
    theme::{
        GAP, Look, MONO, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::{
        code::Code,
        commands, keys, pieces,
        rows::{Diff, Rows},
    },
};

/// Rows of a diff that are in sight at once.
const DIFF_ROWS_MAX: usize = 12;
/// Lines of what a tool said that are shown.
const TOOL_LINES_MAX: usize = 12;
/// Width of a conversation; longer lines are hard to read.
const WIDTH_MAX: f32 = 1_000.0;

/// The pane.
pub fn view(agents: &Agents, look: Look) -> Element<'_, Message> {
    let Some(session) = &agents.session else {
        return nobody(agents, look);
    };
    let buttons = Buttons::of(agents, look);
    let mut parts = column![head(session, look), pieces::line_across(look)];
    parts = parts.push(
        scrollable(container(entries(agents, session, &buttons)).padding(SPACE))
            .id(scroll_id())
            .anchor_bottom()
            .width(Length::Fill)
            .height(Length::Fill)
            .style(style::scroll(look)),
    );
    parts = parts.push(pieces::line_across(look));
    if let Some(asked) = agents.question() {
        parts = parts.push(question::view(agents, asked, &buttons));
        parts = parts.push(pieces::line_across(look));
    }
    parts.push(prompt(agents, session, &buttons)).into()
}

fn nobody(agents: &Agents, look: Look) -> Element<'_, Message> {
    let (title, hint) = match &agents.link {
        Link::Off => (
            "Talk with an agent",
            "Choose one on the left and connect. Ctrl+Shift with the arrows down and up walks along what can be \
             done, Ctrl+Shift+Enter does it.",
        ),
        Link::Opening(_) => ("Connecting…", "Some agents take a while to start."),
        Link::Up(..) => (
            "Begin a session",
            "Write its folder on the left, or go on with an older session.",
        ),
    };
    let content = column![
        text(title).font(UI_STRONG).size(look.huge()),
        text(hint).size(look.size).color(look.colors.muted),
    ]
    .spacing(SPACE)
    .max_width(560);
    let question = agents.question();
    let greeting = container(content).center(Length::Fill).padding(SPACE);
    let Some(asked) = question else {
        return greeting.into();
    };
    let asked = question::view(agents, asked, &Buttons::of(agents, look));
    column![greeting, pieces::line_across(look), asked].into()
}

fn head(session: &Session, look: Look) -> Element<'_, Message> {
    let title = session.title.as_deref().unwrap_or("Session");
    let usage = session.usage.as_ref().map(usage).unwrap_or_default();
    let line = row![
        text(pieces::shortened(title, 80))
            .font(UI_STRONG)
            .size(look.small()),
        space::horizontal(),
        text(usage).size(look.small()).color(look.colors.faint),
    ]
    .spacing(GAP)
    .align_y(Alignment::Center);
    container(line).padding([8.0, SPACE]).into()
}

/// How full the context is, and the cost.
pub(super) fn usage(usage: &Usage) -> String {
    let percent = usage
        .used
        .saturating_mul(100)
        .checked_div(usage.size)
        .unwrap_or(0);
    let cost = match &usage.cost {
        Some((amount, currency)) => format!(" · {amount:.2} {currency}"),
        None => String::new(),
    };
    format!("{} of {} tokens ({percent} %){cost}", usage.used, usage.size)
}

fn entries<'a>(agents: &'a Agents, session: &'a Session, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let count = session.entries.len();
    let from = match agents.shown {
        Shown::End => count.saturating_sub(SHOWN_MAX),
        Shown::All => 0,
    };
    let mut parts = column![].spacing(SPACE).width(Length::Fill).max_width(WIDTH_MAX);
    if session.dropped > 0 {
        let what = format!("{} older entries are not kept here.", session.dropped);
        parts = parts.push(pieces::remark(look, what));
    }
    if from > 0 {
        let label = format!("Show {from} earlier entries");
        parts = parts.push(buttons.choice(Tone::Quiet, label, Act::Show(Shown::All)));
    }
    for entry in &session.entries[from..] {
        parts = parts.push(match entry {
            Entry::Said(words) => said(words, look),
            Entry::Tool(call) => tool(call, look),
            Entry::Notice(notice) => note(notice, look),
        });
    }
    if session.entries.is_empty() {
        let hint = "Say what you want below. Nothing was said yet.";
        parts = parts.push(text(hint).size(look.size).color(look.colors.faint));
    }
    container(parts).center_x(Length::Fill).into()
}

fn said(said: &Said, look: Look) -> Element<'_, Message> {
    let (name, color) = match said.speaker {
        Speaker::Person => ("You", look.colors.accent),
        Speaker::Agent => ("Agent", look.colors.muted),
        Speaker::Thought => ("Thought", look.colors.faint),
    };
    let name = text(name).font(UI_STRONG).size(look.small()).color(color);
    let words = blocks(&said.text).into_iter().map(|block| match block {
        Block::Words(words) => text(words)
            .size(look.size)
            .color(match said.speaker {
                Speaker::Person | Speaker::Agent => look.colors.text,
                Speaker::Thought => look.colors.muted,
            })
            .wrapping(text::Wrapping::WordOrGlyph)
            .into(),
        Block::Code(code) => {
            let code = text(code)
                .font(MONO)
                .size(look.code())
                .wrapping(text::Wrapping::WordOrGlyph);
            container(code)
                .padding(12)
                .width(Length::Fill)
                .style(style::surface(look, Surface::Card))
                .into()
        }
    });
    let parts = column![name, column(words).spacing(GAP)]
        .spacing(4)
        .width(Length::Fill);
    match said.speaker {
        Speaker::Person => container(parts)
            .padding(12)
            .width(Length::Fill)
            .style(style::surface(look, Surface::Card))
            .into(),
        Speaker::Agent | Speaker::Thought => parts.into(),
    }
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block<'a> {
    /// Prose.
    Words(&'a str),
    /// What stands between fences; one that is not closed goes to the end.
    Code(&'a str),
}

/// Prose and code of a text in Markdown; nothing else of Markdown is looked at.
fn blocks(text: &str) -> Vec<Block<'_>> {
    const FENCE: &str = "```";
    let mut all = Vec::new();
    let (mut from, mut at, mut inside) = (0, 0, false);
    let mut push = |range: std::ops::Range<usize>, code: bool| {
        let part = text[range].trim_end();
        let part = part.trim_start_matches('\n');
        if !part.is_empty() {
            all.push(if code {
                Block::Code(part)
            } else {
                Block::Words(part)
            });
        }
    };
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim_start().starts_with(FENCE) {
            push(from..at, inside);
            (from, inside) = (end, !inside);
        }
        at = end;
    }
    push(from..text.len(), inside);
    all
}

fn tool(call: &ToolCall, look: Look) -> Element<'_, Message> {
    let colors = look.colors;
    let (sign, color) = match call.status {
        ToolStatus::Pending => ("○", colors.faint),
        ToolStatus::Running => ("●", colors.warn),
        ToolStatus::Completed => ("✓", colors.good),
        ToolStatus::Failed => ("✗", colors.bad),
        ToolStatus::Stopped => ("–", colors.faint),
    };
    let title = if call.title.is_empty() {
        call.id.as_str()
    } else {
        call.title.as_str()
    };
    let head = row![
        text(sign).size(look.size).color(color),
        text(call.kind.label()).size(look.small()).color(colors.muted),
        text(pieces::shortened(title, 160))
            .font(UI_STRONG)
            .size(look.size)
            .wrapping(text::Wrapping::WordOrGlyph),
    ]
    .spacing(GAP)
    .align_y(Alignment::Center);
    let mut parts = column![head].spacing(GAP);
    if call.changes().next().is_none() {
        for location in call.locations.iter().take(TOOL_LINES_MAX) {
            let line = location.line.map(|line| format!(":{line}")).unwrap_or_default();
            let place = format!("{}{line}", location.path.display());
            parts = parts.push(text(place).font(MONO).size(look.small()).color(colors.faint));
        }
    }
    for content in &call.content {
        parts = parts.push(match content {
            ToolContent::Text(said) => text(end_of(said))
                .font(MONO)
                .size(look.small())
                .color(colors.muted)
                .wrapping(text::Wrapping::WordOrGlyph)
                .into(),
            ToolContent::Diff(change) => diff(change, look),
            ToolContent::Other(what) => pieces::remark(look, what.as_str()),
        });
    }
    container(parts)
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Card))
        .into()
}

/// The end of what a tool said: the last lines say most.
fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.trim_end().lines().collect();
    match lines.len().checked_sub(TOOL_LINES_MAX) {
        Some(more) if more > 0 => format!("… {more} lines\n{}", lines[more..].join("\n")),
        Some(_) | None => lines.join("\n"),
    }
}

/// A file before and after.
pub(super) fn diff(change: &FileChange, look: Look) -> Element<'_, Message> {
    let file = &change.view;
    let rows = Rows::Diff(Diff {
        file,
        view: View::Folded,
        layout: Layout::Split,
        selection: &change.selection,
        current: None,
    });
    let count = rows.len();
    let code = Code::new(rows, look);
    let head = row![
        text(file.path.as_str()).font(MONO).size(look.small()),
        text(format!("+{} −{}", file.added, file.removed))
            .size(look.small())
            .color(look.colors.muted),
    ]
    .spacing(GAP);
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let height = (count.min(DIFF_ROWS_MAX) + 1) as f32 * look.code_line();
    let code: Element<'_, Message> = if count > DIFF_ROWS_MAX {
        scrollable(code).height(height).style(style::scroll(look)).into()
    } else {
        code.into()
    };
    column![head, code].spacing(GAP).into()
}

fn note(notice: &Notice, look: Look) -> Element<'_, Message> {
    let surface = match notice.severity {
        Severity::Info => Surface::Card,
        Severity::Warning => Surface::Warning,
        Severity::Error => Surface::Error,
    };
    pieces::card(look, surface, notice.title.as_str(), notice.text.as_str())
}

fn prompt<'a>(agents: &'a Agents, session: &'a Session, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let editor = text_editor(&agents.prompt)
        .id(prompt_id())
        .placeholder("Say what you want. Ctrl+Enter sends it.")
        .size(look.size)
        .padding(12)
        .height(Length::Fixed(92.0))
        .wrapping(text::Wrapping::WordOrGlyph)
        .on_action(Message::Prompt)
        .key_binding(|press| {
            keys::bind(
                press,
                &[(Shortcut::Send, Message::Act(Act::Send))],
                Message::Shortcut,
            )
        })
        .style(style::editor(look));
    let (sign, color, state) = match session.turn {
        Turn::Idle => ("○", look.colors.faint, "Your turn"),
        Turn::Running if agents.question().is_some() => ("●", look.colors.warn, "It waits for your answer"),
        Turn::Running => ("●", look.colors.accent, "It works"),
        Turn::Stopping => ("●", look.colors.warn, "Stopping…"),
    };
    let state = match agents.link {
        Link::Up(..) => state,
        Link::Off | Link::Opening(_) => "Not connected",
    };
    let line = row![
        pieces::sign(look, sign, color, state),
        space::horizontal(),
        buttons.choice(Tone::Quiet, "Stop", Act::Stop),
        buttons.action(Tone::Primary, "Send", Act::Send),
    ]
    .spacing(GAP)
    .align_y(Alignment::Center);
    let mut parts = column![].spacing(GAP);
    let written = agents.prompt.text();
    if let Some(offered) = commands::offered(&session.commands, |command| &command.name, &written) {
        let lines = offered.into_iter().map(|command| {
            let hint = command.hint.as_deref().unwrap_or_default();
            let completed = Message::Complete(command.name.clone());
            commands::line(look, &command.name, hint, &command.description, completed)
        });
        parts = parts.push(column(lines).spacing(2));
    }
    container(parts.push(editor).push(line))
        .padding(SPACE)
        .style(style::surface(look, Surface::Panel))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_fences() {
        let check = |text: &str, expect: &[Block<'_>]| assert_eq!(blocks(text), expect, "{text:?}");
        check("", &[]);
        check("a\nb\n", &[Block::Words("a\nb")]);
        check(
            "a\n\n```rust\n  fn f() {}\n```\nb",
            &[Block::Words("a"), Block::Code("  fn f() {}"), Block::Words("b")],
        );
        check("```\nx", &[Block::Code("x")]);
        check("a ``` b", &[Block::Words("a ``` b")]);
    }

    #[test]
    fn tokens_and_cost() {
        let check = |used, size, cost: Option<(f64, String)>, expect: &str| {
            assert_eq!(usage(&Usage { used, size, cost }), expect);
        };
        check(50, 200, None, "50 of 200 tokens (25 %)");
        check(
            5,
            0,
            Some((0.061, "USD".to_owned())),
            "5 of 0 tokens (0 %) · 0.06 USD",
        );
    }
}

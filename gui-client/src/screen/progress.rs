//! The pane on the left, lower part: stages, the result, errors and notices.

use iced::{
    Alignment, Color, Element, Length,
    widget::{column, container, row, space, text},
};
use shared::wire::{Dollars, NoticeLevel, Span};

use super::fork::{self, Fork};
use crate::{
    model::{Applied, Phase, Stage, StageStatus, Workflow},
    theme::{
        GAP, Look, UI_STRONG,
        style::{self, Surface},
    },
    widget::pieces,
};

/// Notices shown; the newest ones.
const NOTICES_SHOWN: usize = 3;
/// Characters of a notice that are shown.
const NOTICE_CHARS: usize = 240;
/// Characters of a commit id that are shown.
const COMMIT_CHARS: usize = 10;

/// A stage's id as a person reads it: `code_generation` is “Code generation”.
pub fn title(id: &str) -> String {
    let words = id.replace('_', " ");
    let mut chars = words.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Stages with their state and time, and those from which a new workflow can go
/// on; `now` in seconds since the Unix epoch.
pub fn stages<'a>(look: Look, workflow: &'a Workflow, now: u64, fork: &Fork) -> Element<'a, fork::Message> {
    let heading = if workflow.iteration > 1 {
        text(format!("Stages · iteration {}", workflow.iteration))
    } else {
        text("Stages")
    };
    let mut list = column![
        heading
            .font(UI_STRONG)
            .size(look.small())
            .color(look.colors.muted)
    ]
    .spacing(2);
    if workflow.stages.is_empty() {
        list = list.push(pieces::remark(look, "Starting…"));
    }
    for stage in &workflow.stages {
        let line = line(look, stage, workflow.seconds_expected(&stage.id), now);
        let mut line = row![line].align_y(Alignment::Center);
        if fork::stages(workflow).any(|other| other.id == stage.id) {
            let from = fork::Message::From(stage.id.clone());
            line = line.push(pieces::mark(look, "Fork", look.colors.faint, from));
        }
        list = list.push(if fork.is_on(&stage.id) {
            container(line).style(style::surface(look, Surface::Focus))
        } else {
            container(line)
        });
    }
    list.into()
}

fn line<'a, Message: 'a>(
    look: Look,
    stage: &'a Stage,
    expected: Option<Span>,
    now: u64,
) -> Element<'a, Message> {
    let colors = look.colors;
    let expected = expected.map(|seconds| format!("{seconds} s"));
    let (sign, color, time): (&str, Color, String) = match &stage.status {
        StageStatus::Pending => ("○", colors.faint, expected.unwrap_or_default()),
        StageStatus::Running(since) => {
            let time = pieces::duration(now.saturating_sub(*since) * 1_000);
            let time = match expected {
                Some(expected) => format!("{time} · {expected}"),
                None => time,
            };
            ("●", colors.accent, time)
        }
        StageStatus::Succeeded(milliseconds) => ("✓", colors.good, pieces::duration(*milliseconds)),
        StageStatus::Skipped(_) => ("–", colors.faint, "skipped".to_owned()),
        StageStatus::Failed(milliseconds, _) => ("✗", colors.bad, pieces::duration(*milliseconds)),
    };
    let running = matches!(stage.status, StageStatus::Running(_));
    let name = match stage.status {
        StageStatus::Pending | StageStatus::Skipped(_) => colors.faint,
        StageStatus::Running(_) | StageStatus::Succeeded(_) | StageStatus::Failed(..) => colors.text,
    };
    let attempt = if stage.attempt > 1 {
        format!("attempt {}", stage.attempt)
    } else {
        String::new()
    };
    let label = text(title(stage.id.as_str())).size(look.size).color(name);
    let head = row![
        text(sign).size(look.size).color(color).width(18),
        if running { label.font(UI_STRONG) } else { label },
        text(attempt).size(look.small()).color(colors.warn),
        space::horizontal(),
        text(time).size(look.small()).color(colors.muted),
    ]
    .spacing(GAP)
    .align_y(Alignment::Center);
    let reason = match &stage.status {
        StageStatus::Failed(_, reason) => reason.as_str(),
        StageStatus::Pending
        | StageStatus::Running(_)
        | StageStatus::Succeeded(_)
        | StageStatus::Skipped(_) => "",
    };
    let mut parts = column![head].spacing(2);
    if !reason.is_empty() {
        parts = parts.push(row![
            space().width(26),
            pieces::remark(look, pieces::shortened(reason, 160))
        ]);
    }
    let body = container(parts).padding([6, 8]).width(Length::Fill);
    if running {
        body.style(style::surface(look, Surface::Card)).into()
    } else {
        body.into()
    }
}

/// Who was asked, and what it cost.
pub fn models<'a, Message: 'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let mut list = column![pieces::heading(look, "Models")].spacing(2);
    for model in &workflow.models {
        let failed = match model.failed {
            0 => String::new(),
            failed => format!("{failed} failed"),
        };
        let cost = match model.cost_microdollars {
            Some(cost) => Dollars(cost).to_string(),
            None => String::new(),
        };
        let tokens = model.prompt_tokens + model.generated_tokens;
        let line = row![
            text(format!("{} · {}", model.provider, model.model)).size(look.small()),
            text(failed).size(look.small()).color(look.colors.warn),
            space::horizontal(),
            text(format!("{tokens} tokens"))
                .size(look.small())
                .color(look.colors.muted),
            text(cost).size(look.small()).color(look.colors.muted),
        ];
        list = list.push(container(line.spacing(GAP).align_y(Alignment::Center)).padding([2, 8]));
    }
    list.into()
}

/// What a person said during the work.
pub fn said<'a, Message: 'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let mut list = column![].spacing(2);
    for remark in &workflow.remarks {
        let line = row![
            text("›").size(look.size).color(look.colors.accent).width(18),
            text(pieces::shortened(remark, NOTICE_CHARS))
                .size(look.size)
                .wrapping(text::Wrapping::WordOrGlyph),
        ];
        list = list.push(container(line.spacing(GAP)).padding([2, 8]));
    }
    list.into()
}

/// The result and what a person should know.
pub fn remarks<'a, Message: 'a>(look: Look, workflow: &'a Workflow) -> Element<'a, Message> {
    let mut list = column![].spacing(GAP);
    match &workflow.phase {
        Phase::Completed(applied) => list = list.push(result(look, applied)),
        Phase::Rejected => {
            list = list.push(pieces::card(
                look,
                Surface::Card,
                "Rejected",
                "The workspace is as it was.",
            ));
        }
        Phase::Cancelled => {
            list = list.push(pieces::card(
                look,
                Surface::Card,
                "Cancelled",
                "The workspace is as it was.",
            ));
        }
        Phase::Failed { code, message } => {
            let title = if code.is_empty() {
                "Failed".to_owned()
            } else {
                format!("Failed · {code}")
            };
            list = list.push(pieces::card(look, Surface::Error, title, message));
        }
        Phase::Submitted | Phase::Running | Phase::Review { .. } | Phase::Decided(_) => {}
    }
    for notice in workflow.notices.iter().rev().take(NOTICES_SHOWN) {
        let (surface, word) = match notice.level {
            NoticeLevel::Info => (Surface::Card, "Note"),
            NoticeLevel::Warning => (Surface::Warning, "Warning"),
        };
        let title = notice
            .code
            .as_ref()
            .map_or(word.to_owned(), |code| format!("{word} · {code}"));
        let message = pieces::shortened(&notice.message, NOTICE_CHARS);
        list = list.push(pieces::card(look, surface, title, message));
    }
    list.into()
}

/// The beginning of a commit's id.
pub(super) fn short(commit: &str) -> String {
    commit.chars().take(COMMIT_CHARS).collect()
}

/// Where a commit is, as the end of a sentence.
pub(super) fn place(branch: Option<&String>) -> String {
    branch.map(|branch| format!(" on {branch}")).unwrap_or_default()
}

fn result<'a, Message: 'a>(look: Look, applied: &Applied) -> Element<'a, Message> {
    let files = match applied.paths.len() {
        0 => String::new(),
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let (title, content) = match (&applied.commit, &applied.branch) {
        (Some(commit), branch) => {
            let title = format!("✓ Committed {}{}", short(commit), place(branch.as_ref()));
            (title, files)
        }
        (None, _) if applied.paths.is_empty() => ("✓ Done".to_owned(), String::new()),
        (None, _) => (
            "✓ Applied".to_owned(),
            format!("{files}, not committed: there is no git repository"),
        ),
    };
    pieces::card(look, Surface::Success, title, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        assert_eq!(title("code_generation"), "Code generation");
        assert_eq!(title(""), "");
    }
}

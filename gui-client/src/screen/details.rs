//! The main pane for those who want to know why: the plan, the context that
//! was found, and what the checks said.

use iced::{
    Alignment, Element, Length,
    widget::{Id, column, container, row, scrollable, space, text},
};
use shared::wire::{CheckStatus, RetrievalMode};

use super::progress::title;
use crate::{
    model::{Check, Plan, Retrieval, Workflow, diff::display},
    theme::{
        GAP, Look, MONO, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Lines of a check's output that are shown from its beginning: what came of it.
const OUTPUT_HEAD_LINES_MAX: usize = 6;

/// Lines from its end that are shown; the last ones say most.
const OUTPUT_LINES_MAX: usize = 40;

/// Id of the scrolled details.
pub fn scroll_id() -> Id {
    Id::new("details")
}

/// Everything that is known; `on_log` is sent to see what a check printed.
pub fn view<'a, Message: Clone + 'a>(
    look: Look,
    workflow: Option<&'a Workflow>,
    on_log: fn(String) -> Message,
) -> Element<'a, Message> {
    let Some(workflow) = workflow else {
        let hint = "Plan, context and checks will appear here.";
        return container(text(hint).size(look.size).color(look.colors.faint))
            .center(Length::Fill)
            .into();
    };
    let mut parts = column![].spacing(SPACE).padding(SPACE).max_width(900);
    if let Some(plan) = &workflow.plan {
        parts = parts.push(group(look, "Plan", plan_of(look, plan)));
    }
    if !workflow.checks.is_empty() {
        let checks = workflow.checks.iter().map(|check| check_of(look, check, on_log));
        parts = parts.push(group(look, "Checks", column(checks).spacing(GAP).into()));
    }
    if let Some(retrieval) = &workflow.retrieval {
        parts = parts.push(group(look, "Context", retrieval_of(look, retrieval)));
    }
    if workflow.plan.is_none() && workflow.checks.is_empty() && workflow.retrieval.is_none() {
        parts = parts.push(pieces::remark(look, "Nothing is known yet."));
    }
    scrollable(parts)
        .id(scroll_id())
        .width(Length::Fill)
        .height(Length::Fill)
        .style(style::scroll(look))
        .into()
}

fn group<'a, Message: 'a>(look: Look, title: &'a str, content: Element<'a, Message>) -> Element<'a, Message> {
    let card = container(content)
        .padding(SPACE)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Card));
    column![text(title).font(UI_STRONG).size(look.large()), card]
        .spacing(GAP)
        .into()
}

/// What the planner decided.
pub(super) fn plan_of<'a, Message: 'a>(look: Look, plan: &'a Plan) -> Element<'a, Message> {
    let steps = plan.steps.iter().enumerate().map(|(index, step)| {
        row![
            text(format!("{}", index + 1))
                .size(look.size)
                .color(look.colors.accent)
                .width(20),
            text(step.as_str()).size(look.size),
        ]
        .spacing(GAP)
        .into()
    });
    let stages = plan.stages.iter().map(|stage| {
        let (sign, color) = if stage.run {
            ("✓", look.colors.good)
        } else {
            ("–", look.colors.faint)
        };
        let label = format!("{}: {}", title(stage.stage_id.as_str()), stage.reason);
        pieces::sign(look, sign, color, label)
    });
    let estimates = plan.estimates.iter().filter_map(|estimate| {
        let tokens = estimate.tokens.map(|tokens| format!("{tokens} tokens"));
        let seconds = estimate.seconds.map(|seconds| format!("{seconds} s"));
        let figures: Vec<String> = [tokens, seconds].into_iter().flatten().collect();
        // What has no figure yet says nothing.
        let figures = Some(figures.join(", ")).filter(|figures| !figures.is_empty())?;
        let label = format!("{}: likely {figures}", title(estimate.stage_id.as_str()));
        Some(pieces::sign(look, "○", look.colors.faint, label))
    });
    column![
        text(plan.summary.as_str()).size(look.size),
        column(steps).spacing(6),
        column(stages).spacing(4),
        column(estimates).spacing(4)
    ]
    .spacing(12)
    .into()
}

fn check_of<'a, Message: Clone + 'a>(
    look: Look,
    check: &'a Check,
    on_log: fn(String) -> Message,
) -> Element<'a, Message> {
    let (sign, color) = match check.status {
        CheckStatus::Passed => ("✓", look.colors.good),
        CheckStatus::Failed => ("✗", look.colors.bad),
        CheckStatus::Skipped => ("–", look.colors.faint),
    };
    let small = |content: String| {
        text(content)
            .size(look.small())
            .color(look.colors.muted)
            .wrapping(text::Wrapping::None)
    };
    let ended = check
        .exit_status
        .map_or_else(String::new, |status| format!("exit status {status}"));
    let log = check.has_log.then(|| {
        let message = on_log(check.name.clone());
        pieces::choice(look, Tone::Quiet, "Log", Some(message))
    });
    let head = row![
        text(sign).size(look.size).color(color),
        text(title(&check.name)).font(UI_STRONG).size(look.size),
        container(small(check.command.clone().unwrap_or_default()).font(MONO))
            .width(Length::Fill)
            .clip(true),
        small(ended),
        small(pieces::duration(check.duration_ms)),
    ]
    .push(log)
    .spacing(GAP)
    .align_y(Alignment::Center);
    let mut parts = column![head].spacing(6);
    // What is new stands before what was printed.
    let (verdict, printed) = match check.output.split_once("\n\n") {
        Some((verdict, printed)) => (Some(verdict), printed),
        None => (None, check.output.as_str()),
    };
    if let Some(verdict) = verdict {
        let verdict = shortened(verdict).join("\n");
        parts = parts.push(
            text(verdict)
                .size(look.small())
                .wrapping(text::Wrapping::WordOrGlyph),
        );
    }
    let output = shortened(printed);
    if !output.is_empty() {
        let said = text(output.join("\n"))
            .font(MONO)
            .size(look.small())
            .color(look.colors.muted);
        parts = parts.push(said.wrapping(text::Wrapping::WordOrGlyph));
    }
    parts.into()
}

/// The verdict at the beginning and the end of what was printed.
fn shortened(output: &str) -> Vec<String> {
    let lines: Vec<String> = output.lines().map(display).collect();
    let (head, tail) = (OUTPUT_HEAD_LINES_MAX, OUTPUT_LINES_MAX);
    if lines.len() <= head + tail {
        return lines;
    }
    let end = &lines[lines.len() - tail..];
    let gap = vec!["…".to_owned()];
    [&lines[..head], &gap, end].concat()
}

fn retrieval_of<'a, Message: 'a>(look: Look, retrieval: &'a Retrieval) -> Element<'a, Message> {
    let mode = match retrieval.mode {
        RetrievalMode::Hybrid => "by meaning and keywords",
        RetrievalMode::Keyword => "by keywords alone: there is no embedding model",
        RetrievalMode::LocalKeyword => "by keywords in memory: the vector database does not answer",
        RetrievalMode::Off => "not at all: it was turned off",
    };
    let items = retrieval.items.iter().map(|item| {
        let symbol = item.symbol.clone().unwrap_or_default();
        row![
            text(format!("{}:{}–{}", item.path, item.start_line, item.end_line))
                .font(MONO)
                .size(look.small()),
            text(symbol).size(look.small()).color(look.colors.accent),
            space::horizontal(),
            text(format!("{:.3}", item.score))
                .font(MONO)
                .size(look.small())
                .color(look.colors.muted),
        ]
        .spacing(GAP)
        .into()
    });
    let summary = format!(
        "{} pieces, about {} tokens, {mode}",
        retrieval.items.len(),
        retrieval.tokens
    );
    column![pieces::remark(look, summary), column(items).spacing(6)]
        .spacing(12)
        .into()
}

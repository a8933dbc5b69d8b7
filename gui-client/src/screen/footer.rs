//! The line at the bottom: backend, database, model, and how writing goes.

use iced::{
    Alignment, Color, Element, Length,
    widget::{container, row, text},
};
use shared::version::Compatibility;

use crate::{
    connection::{Index, IndexState, Memory, MemoryKind, Server},
    model::{Phase, Workflow},
    theme::{
        FOOTER_HEIGHT, GAP, Look, SPACE,
        style::{self, Surface},
    },
    widget::pieces,
};

/// Characters of a component's own words that are shown.
const DETAIL_CHARS: usize = 48;

/// Whether the stream of events is open.
#[derive(Debug, Clone, PartialEq)]
pub enum Stream {
    /// Nothing is followed.
    Idle,
    /// It is.
    Open,
    /// It broke; what is shown may be old.
    Broken {
        /// Milliseconds until the next attempt.
        retry_ms: u64,
    },
}

/// The line.
pub fn view<'a, Message: 'a>(
    look: Look,
    name: &str,
    server: Option<&'a Server>,
    stream: &Stream,
    workflow: Option<&'a Workflow>,
) -> Element<'a, Message> {
    let label = |label: String, color| {
        text(label)
            .size(look.small())
            .color(color)
            .wrapping(text::Wrapping::None)
    };
    let mut parts = row![].spacing(SPACE).align_y(Alignment::Center);
    for (good, of) in states(name, server) {
        let (sign, color) = match good {
            Some(true) => ("✓", look.colors.good),
            Some(false) => ("✗", look.colors.bad),
            None => ("○", look.colors.faint),
        };
        let part = row![label(sign.to_owned(), color), label(of, look.colors.muted)];
        parts = parts.push(part.spacing(GAP - 2.0).align_y(Alignment::Center));
    }
    // How writing goes is never cut; the rest is, in a narrow window.
    let mut line = row![container(parts).width(Length::Fill).clip(true)]
        .spacing(SPACE)
        .align_y(Alignment::Center);
    if let Stream::Broken { retry_ms } = stream {
        let lost = format!("connection lost, next attempt in {}", pieces::duration(*retry_ms));
        line = line.push(label(lost, look.colors.warn));
    }
    let (how, color) = writing(look, server, workflow);
    line = line.push(label(how, color));
    container(line.padding([0.0, SPACE]).height(Length::Fill))
        .height(FOOTER_HEIGHT)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Panel))
        .into()
}

/// What the footer says of the server: whether it is well, if known, and the label.
pub fn states(name: &str, server: Option<&Server>) -> Vec<(Option<bool>, String)> {
    match server {
        None => vec![(None, format!("Connecting to {name}"))],
        Some(Server::Down(_)) => vec![(Some(false), format!("Backend {name}"))],
        Some(Server::Up(info)) => {
            let fits = info.compatibility != Compatibility::None;
            let component = |title: &str, name: &str| match info.component(name) {
                Some(component) if component.ok => {
                    let detail = pieces::shortened(&component.detail, DETAIL_CHARS);
                    (Some(true), format!("{title} {detail}").trim_end().to_owned())
                }
                // What is wrong takes more room than there is here; `doctor` tells it.
                Some(_) => (Some(false), format!("{title} not available")),
                None => (None, title.to_owned()),
            };
            let mut all = vec![
                (Some(fits), format!("Backend {} ({name})", info.version)),
                component("Database", "vectordb"),
                component("Model", "model"),
            ];
            all.extend(info.index.as_ref().and_then(index));
            all.extend(info.memory.map(memory));
            all
        }
    }
}

/// What the footer says of the search index; nothing where there is none.
pub fn index(index: &Index) -> Option<(Option<bool>, String)> {
    let files = index.files;
    let (good, label) = match (index.state, index.progress) {
        (IndexState::Idle, _) => return None,
        (IndexState::Scanning, _) | (IndexState::Indexing, None) => (None, "Indexing…".to_owned()),
        (IndexState::Indexing, Some((done, total))) => {
            let left = index
                .seconds_left
                .map(|seconds| format!(", {} left", pieces::duration(seconds.saturating_mul(1_000))))
                .unwrap_or_default();
            (None, format!("Indexing {done}/{total}{left}"))
        }
        (IndexState::Paused, _) => (None, "Index paused".to_owned()),
        (IndexState::Waiting, _) => (Some(false), format!("Index waiting {}", index.code)),
        (IndexState::Failed, _) => (Some(false), format!("Index failed {}", index.code)),
        (IndexState::Ready, _) => (Some(true), format!("Index {files} files")),
    };
    Some((good, label.trim_end().to_owned()))
}

/// What the footer says of the memory that models run in.
fn memory(memory: Memory) -> (Option<bool>, String) {
    let Memory {
        kind,
        used_mb,
        total_mb,
        is_tight,
    } = memory;
    let title = match kind {
        MemoryKind::Gpu => "VRAM",
        MemoryKind::System => "RAM",
    };
    let used = gigabytes(used_mb);
    (
        Some(!is_tight),
        format!("{title} {used}/{} GB", gigabytes(total_mb)),
    )
}

/// With one decimal.
fn gigabytes(megabytes: u64) -> String {
    let tenths = (megabytes * 10).div_ceil(1_024);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn writing(look: Look, server: Option<&Server>, workflow: Option<&Workflow>) -> (String, Color) {
    let colors = look.colors;
    let Some(workflow) = workflow else {
        let ready = matches!(server, Some(Server::Up(info)) if info.compatibility != Compatibility::None);
        return (
            if ready { "Ready" } else { "Not connected" }.to_owned(),
            colors.muted,
        );
    };
    let label = status(workflow);
    let color = match &workflow.phase {
        Phase::Failed { .. } => colors.bad,
        Phase::Review { .. } | Phase::Completed(_) => colors.good,
        Phase::Submitted | Phase::Running | Phase::Decided(_) | Phase::Rejected | Phase::Cancelled => {
            colors.text
        }
    };
    (label, color)
}

/// How writing goes: `Generating... 40 tokens (22 tok/s)`, `✓ Complete (3.5s, 22 tok/s)`.
pub fn status(workflow: &Workflow) -> String {
    let live = workflow.live.as_ref();
    match live {
        Some(live) if !live.done && !workflow.phase.is_terminal() => {
            let rate = live
                .rate
                .map(|rate| format!(" ({rate:.0} tok/s)"))
                .unwrap_or_default();
            return format!("Generating... {} tokens{rate}", live.tokens);
        }
        Some(_) | None => {}
    }
    let totals = live.and_then(|live| Some((live.seconds?, live.rate?)));
    let complete = totals.map(|(seconds, rate)| format!("✓ Complete ({seconds:.1}s, {rate:.0} tok/s)"));
    match &workflow.phase {
        Phase::Submitted => "Submitted".to_owned(),
        Phase::Running => complete.unwrap_or_else(|| "Working…".to_owned()),
        Phase::Review { .. } => complete.unwrap_or_else(|| "Waiting for your decision".to_owned()),
        Phase::Decided(_) => complete.unwrap_or_else(|| "Working…".to_owned()),
        Phase::Completed(_) => complete.unwrap_or_else(|| "✓ Complete".to_owned()),
        Phase::Rejected => "Rejected".to_owned(),
        Phase::Cancelled => "Cancelled".to_owned(),
        Phase::Failed { .. } => "✗ Failed".to_owned(),
    }
}

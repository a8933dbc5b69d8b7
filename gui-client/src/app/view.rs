//! The window's frame: bar, panes, footer, and what lies over them.

use iced::{
    Alignment, Element, Length,
    widget::{column, container, row, scrollable, space, stack, text},
};
use shared::{
    version::{Compatibility, VERSION},
    wire::Question,
};

use super::{App, Message, Pane, bar};
use crate::{
    Error,
    connection::Server,
    model::Phase,
    screen::{agents, details, evidence, footer, help, interaction, progress, review, workflows, writing},
    theme::{
        GAP, Look, SIDE_WIDTH, SPACE,
        style::{self, Surface, Tone},
    },
    widget::{pieces, rest::resting},
};

/// Draws everything.
pub fn view(app: &App) -> Element<'_, Message> {
    let look = app.look();
    let window = column![
        bar::view(app, look),
        pieces::line_across(look),
        panes(app, look),
        pieces::line_across(look),
        footer::view(
            look,
            &app.connection.name(),
            app.server.as_ref(),
            &app.stream,
            app.workflow.as_ref()
        ),
    ];
    let window = container(window).width(Length::Fill).height(Length::Fill);
    // Always a stack: what is below must keep its place in the tree, and with
    // it focus and scroll positions, when the help comes and goes.
    let permission = app.workflow.as_ref().filter(|_| app.pane != Pane::Agents);
    let permission = permission.and_then(|workflow| app.review.permission(look, workflow));
    let all = stack![window]
        .push(permission.map(|dialog| dialog.map(Message::Review)))
        .push(bar::menu(app, look))
        .push(app.help.then(|| help::view(look, Message::ToggleHelp)))
        .push(
            app.settings
                .as_ref()
                .map(|settings| settings.view(look).map(Message::Settings)),
        );
    resting(all)
}

fn panes(app: &App, look: Look) -> Element<'_, Message> {
    let panes = if !app.is_narrow() {
        row![
            side(app, look, Length::Fixed(SIDE_WIDTH)),
            pieces::line_down(look),
            main(app, look)
        ]
    } else if app.pane == Pane::Request {
        row![side(app, look, Length::Fill)]
    } else {
        row![main(app, look)]
    };
    panes.height(Length::Fill).into()
}

fn side(app: &App, look: Look, width: Length) -> Element<'_, Message> {
    let mut parts = column![].spacing(SPACE).padding(SPACE);
    if app.pane == Pane::Agents {
        parts = parts.push(agents::side(&app.agents, look).map(Message::Agents));
        return framed(parts, look, width);
    }
    for remark in remarks(app, look) {
        parts = parts.push(remark);
    }
    match &app.workflow {
        None => {
            let default_workspace = match &app.server {
                Some(Server::Up(info)) => info.default_workspace.as_str(),
                Some(Server::Down(_)) | None => "",
            };
            let pane = app.interaction.view(look, app.online(), default_workspace);
            parts = parts.push(pane.map(Message::Interaction));
        }
        Some(workflow) => {
            parts = parts.push(interaction::asked(look, workflow));
            parts = parts.push(progress::stages(look, workflow, app.now, &app.fork).map(Message::Fork));
            if !workflow.remarks.is_empty() {
                parts = parts.push(progress::said(look, workflow));
            }
            if !workflow.models.is_empty() {
                parts = parts.push(progress::models(look, workflow));
            }
            parts = parts.push(progress::remarks(look, workflow));
            if let Phase::Submitted | Phase::Running | Phase::Decided(_) = workflow.phase {
                parts = parts.push(app.remark.view(look, app.online()).map(Message::Remark));
            }
            if let Some(undo) = app.undo.view(look, workflow, Message::Undo) {
                parts = parts.push(undo);
            }
            let action = if workflow.phase.is_terminal() {
                pieces::action(look, Tone::Primary, "New request", Some(Message::NewRequest))
            } else {
                // Left alone, it goes on in the backend.
                row![
                    pieces::choice(look, Tone::Quiet, "Cancel", Some(Message::Cancel)),
                    pieces::choice(look, Tone::Quiet, "New request", Some(Message::Leave)),
                ]
                .spacing(GAP)
                .into()
            };
            parts = parts.push(action);
        }
    }
    framed(parts, look, width)
}

fn framed<'a>(parts: iced::widget::Column<'a, Message>, look: Look, width: Length) -> Element<'a, Message> {
    container(scrollable(parts).height(Length::Fill).style(style::scroll(look)))
        .width(width)
        .height(Length::Fill)
        .style(style::surface(look, Surface::Panel))
        .into()
}

/// What went wrong, most important first.
fn remarks(app: &App, look: Look) -> Vec<Element<'_, Message>> {
    let mut all = Vec::new();
    let card = |error: &Error| {
        let title = match error {
            Error::Refused { code, .. } => format!("Error · {code}"),
            Error::Unreachable { .. }
            | Error::Incompatible { .. }
            | Error::Unexpected(_)
            | Error::Config(_)
            | Error::AgentGone { .. }
            | Error::AgentRefused { .. }
            | Error::SignInNeeded(_)
            | Error::File { .. }
            | Error::Window(_) => format!("Error · {}", error.code()),
        };
        pieces::card(look, Surface::Error, title, error.to_string())
    };
    if let Some(error) = &app.error {
        let dismiss = pieces::choice(look, Tone::Quiet, "Dismiss", Some(Message::DismissError));
        all.push(column![card(error), dismiss].spacing(GAP).into());
    }
    match &app.server {
        Some(Server::Down(error)) if !matches!(app.error, Some(Error::Unreachable { .. })) => {
            all.push(card(error));
            let hint = "Start it with `agentic-ide-backend`. The connection is tried again by itself.";
            all.push(pieces::remark(look, hint));
        }
        Some(Server::Up(info)) if info.compatibility == Compatibility::Degraded => {
            let content = format!(
                "This window is {VERSION}, the backend {}. Something may be missing.",
                info.version
            );
            all.push(pieces::card(look, Surface::Warning, "Versions differ", content));
        }
        Some(_) | None => {}
    }
    all
}

fn main(app: &App, look: Look) -> Element<'_, Message> {
    let workflow = app.workflow.as_ref();
    let pane = match app.pane {
        // Only a narrow window shows the request in the main pane's place.
        Pane::Request | Pane::Writing => writing::view(look, workflow),
        Pane::Review => {
            let room = if app.is_narrow() {
                review::Room::Narrow
            } else {
                review::Room::Wide
            };
            app.review.view(look, workflow, room).map(Message::Review)
        }
        Pane::Details => match app.evidence.view(look) {
            Some(log) => log.map(Message::Evidence),
            None => {
                let on_log = |check| Message::Evidence(evidence::Message::Open(check));
                details::view(look, workflow, on_log)
            }
        },
        Pane::Workflows => {
            let shown = workflow.map(|workflow| &workflow.id);
            workflows::view(&app.workflows, look, shown, app.now).map(Message::Workflows)
        }
        Pane::Agents => agents::talk(&app.agents, look).map(Message::Agents),
    };
    let asked = workflow.and_then(|workflow| match &workflow.phase {
        Phase::Review {
            question: Question::Failure { .. },
            ..
        } => Some("A stage failed and waits for your decision."),
        Phase::Review {
            question: Question::Unisolated { .. },
            ..
        } => Some("Nothing isolates what is run: your decision is needed."),
        Phase::Review {
            question: Question::ToolCall { .. },
            ..
        } => Some("The model wants to call a tool: your decision is needed."),
        Phase::Review { .. } if workflow.files.is_empty() => Some("A plan is waiting for your decision."),
        Phase::Review { .. } => Some("A proposal is waiting for your decision."),
        Phase::Submitted
        | Phase::Running
        | Phase::Decided(_)
        | Phase::Completed(_)
        | Phase::Rejected
        | Phase::Cancelled
        | Phase::Failed { .. } => None,
    });
    // No background of its own: large areas cost the software renderer most,
    // so the window's background is the code's.
    let pane = container(pane).width(Length::Fill).height(Length::Fill);
    let Some(asked) = asked.filter(|_| app.pane != Pane::Review) else {
        return pane.into();
    };
    // The question must not be missed by somebody who reads another pane.
    let asks_permission = workflow.is_some_and(|workflow| workflow.permission_asked().is_some());
    // Nothing is laid over what is said to an agent.
    let (label, answer) = if asks_permission && app.pane != Pane::Agents {
        ("Answer", Message::Review(review::Message::AskPermission))
    } else {
        ("Look at it", Message::Pane(Pane::Review))
    };
    let ask = row![
        text(asked).size(look.size),
        space::horizontal(),
        pieces::action(look, Tone::Primary, label, Some(answer)),
    ]
    .align_y(Alignment::Center);
    let ask = container(ask)
        .padding([12.0, SPACE])
        .style(style::surface(look, Surface::Panel));
    column![pane, pieces::line_across(look), ask].into()
}

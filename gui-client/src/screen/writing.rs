//! The main pane while code is written: the text as it arrives, its end in view.

use iced::{
    Alignment, Element, Length,
    widget::{Id, column, container, row, scrollable, space, text},
};

use super::progress::title;
use crate::{
    model::{Workflow, live::Live},
    theme::{
        GAP, Look, SPACE, UI_STRONG,
        style::{self, Surface},
    },
    widget::{code::Code, pieces, rows::Rows},
};

/// Id of the scrolled text.
pub fn scroll_id() -> Id {
    Id::new("writing")
}

/// The text, or what to expect.
pub fn view<'a, Message: 'a>(look: Look, workflow: Option<&'a Workflow>) -> Element<'a, Message> {
    match workflow {
        None => greeting(look),
        Some(workflow) => match &workflow.live {
            Some(live) => text_of(look, live),
            None => waiting(look),
        },
    }
}

fn text_of<'a, Message: 'a>(look: Look, live: &'a Live) -> Element<'a, Message> {
    let attempt = if live.attempt > 1 {
        format!(" · attempt {}", live.attempt)
    } else {
        String::new()
    };
    let bar = row![
        text(format!("{}{attempt}", title(live.stage_id.as_str())))
            .size(look.small())
            .color(look.colors.muted),
        space::horizontal(),
        text(format!("{} lines", live.lines.len()))
            .size(look.small())
            .color(look.colors.faint),
    ]
    .align_y(Alignment::Center);
    column![
        container(bar).padding([8.0, SPACE]),
        pieces::line_across(look),
        scrollable(Code::new(Rows::live(live), look))
            .id(scroll_id())
            .anchor_bottom()
            .width(Length::Fill)
            .height(Length::Fill)
            .style(style::scroll(look)),
    ]
    .into()
}

fn waiting<'a, Message: 'a>(look: Look) -> Element<'a, Message> {
    container(
        text("Code will appear here as it is written.")
            .size(look.size)
            .color(look.colors.faint),
    )
    .center(Length::Fill)
    .into()
}

fn greeting<'a, Message: 'a>(look: Look) -> Element<'a, Message> {
    let step = |number: &'a str, what: &'a str, how: &'a str| {
        row![
            container(
                text(number)
                    .font(UI_STRONG)
                    .size(look.small())
                    .color(look.colors.accent)
            )
            .center_x(28)
            .center_y(28)
            .style(style::surface(look, Surface::Card)),
            column![
                text(what).font(UI_STRONG).size(look.size),
                text(how).size(look.small()).color(look.colors.muted),
            ]
            .spacing(2),
        ]
        .spacing(SPACE)
        .align_y(Alignment::Center)
    };
    let content = column![
        text("What shall we build?").font(UI_STRONG).size(look.huge()),
        text("Describe a feature on the left. Nothing is written to your files before you accept it.")
            .size(look.size)
            .color(look.colors.muted),
        space().height(GAP),
        step("1", "Ask", "The relevant code is found and a plan is made."),
        step(
            "2",
            "Watch",
            "Code streams in as the model writes it, then it is checked."
        ),
        step(
            "3",
            "Decide",
            "Read the diff side by side: accept, reject, or ask for changes."
        ),
    ]
    .spacing(SPACE)
    .max_width(560);
    container(content).center(Length::Fill).padding(SPACE).into()
}

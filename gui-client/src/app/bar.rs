//! The bar at the top of the window: which pane is shown, and what else there is.

use iced::{
    Alignment, Element, Length,
    alignment::Horizontal,
    widget::{container, row, space, text},
};

use super::{App, Message, Pane};
use crate::{
    screen::menu,
    theme::{
        BAR_HEIGHT, GAP, Look, SIDE_WIDTH, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// The bar.
pub(super) fn view(app: &App, look: Look) -> Element<'_, Message> {
    let tab = |label: String, pane: Pane| {
        let tone = if app.pane == pane {
            Tone::TabChosen
        } else {
            Tone::Tab
        };
        pieces::choice(look, tone, label, Some(Message::Pane(pane)))
    };
    let files = app.workflow.as_ref().map_or(0, |workflow| workflow.files.len());
    let diff = if files > 0 {
        format!("Diff  {files}")
    } else {
        "Diff".to_owned()
    };
    let asked = app.agents.question().is_some();
    let talk = if asked { "Agents ●" } else { "Agents" }.to_owned();
    let sign = text("◆").size(look.large()).color(look.colors.accent);
    let tone = if app.menu { Tone::TabChosen } else { Tone::Tab };
    let more = || menu::sign(look, tone, Message::ToggleMenu);
    // The smallest window has room for the tabs and nothing else.
    let (space_between, space_around) = if app.is_narrow() { (0, 4.0) } else { (4, SPACE) };
    let mut line = row![].spacing(space_between).align_y(Alignment::Center);
    line = if app.is_narrow() {
        // First, so that it is in sight however large the text is.
        line.push(more()).push(tab("Request".to_owned(), Pane::Request))
    } else {
        let name = row![sign, text("Agentic IDE").font(UI_STRONG).size(look.large())]
            .spacing(GAP)
            .align_y(Alignment::Center);
        // The tabs begin where the main pane does.
        line.push(container(name).width(SIDE_WIDTH - SPACE + 4.0))
    };
    line = line
        .push(tab("Code".to_owned(), Pane::Writing))
        .push(tab(diff, Pane::Review))
        .push(tab("Details".to_owned(), Pane::Details));
    if !app.is_narrow() {
        line = line.push(tab("Workflows".to_owned(), Pane::Workflows));
    }
    line = line.push(tab(talk, Pane::Agents)).push(space::horizontal());
    line = match room(app, look) {
        Room::All => {
            let choice = |label: &str, message| pieces::choice(look, Tone::Tab, label, Some(message));
            line.push(choice("Theme", Message::ToggleTheme))
                .push(choice("Settings", Message::ToggleSettings))
                .push(choice("Help  F1", Message::ToggleHelp))
        }
        Room::Tabs => line.push(more()),
        Room::SomeTabs => line,
    };
    container(line)
        .padding([0.0, space_around])
        .center_y(BAR_HEIGHT)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Panel))
        .into()
}

/// What there is no room for, where a person wants to see that.
pub(super) fn menu(app: &App, look: Look) -> Option<Element<'_, Message>> {
    let side = match room(app, look) {
        Room::All => return None,
        Room::Tabs => Horizontal::Right,
        Room::SomeTabs => Horizontal::Left,
    };
    let entries = [
        ("Workflows", "Ctrl+5", Message::Pane(Pane::Workflows)),
        ("Settings", "Ctrl+,", Message::ToggleSettings),
        ("Light or dark", "Ctrl+Shift+L", Message::ToggleTheme),
        ("Help", "F1", Message::ToggleHelp),
    ];
    app.menu
        .then(|| menu::view(look, side, entries, Message::ToggleMenu))
}

/// What there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    All,
    Tabs,
    SomeTabs,
}

fn room(app: &App, look: Look) -> Room {
    // Its labels grow with the text, the space around them does not.
    let all = 588.0 + 31.0 * look.small();
    if app.is_narrow() {
        Room::SomeTabs
    } else if app.width < all {
        Room::Tabs
    } else {
        Room::All
    }
}

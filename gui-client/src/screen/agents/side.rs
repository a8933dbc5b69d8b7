//! The pane on the left: the agents, the connection, sessions and settings.

use iced::{
    Element, Length,
    widget::{Row, column, container, row, text, text_input},
};

use super::{
    Act, Agents, Identity, Link, Message,
    act::{BUTTONS_MAX, near},
    folder_id,
};
use crate::{
    agent::{
        event::{AgentInfo, Call, Listed, Set, SignIn, SignInBy},
        session::Session,
        update::{Setting, SettingValue, Step, StepStatus, Switch},
    },
    theme::{
        GAP, Look, MONO, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Characters of a title in a list.
const TITLE_CHARS_MAX: usize = 60;
/// Room around what the keyboard can be on, for its frame.
const FRAME: f32 = 2.0;

/// The buttons of this screen: alive where their act is possible, framed where the
/// keyboard is.
#[derive(Debug)]
pub(super) struct Buttons<'a> {
    pub(super) look: Look,
    acts: Vec<Act>,
    cursor: Option<&'a Act>,
}

impl<'a> Buttons<'a> {
    pub(super) fn of(agents: &'a Agents, look: Look) -> Self {
        Self {
            look,
            acts: agents.acts(),
            cursor: agents.cursor.as_ref(),
        }
    }

    /// A small button.
    pub(super) fn choice<'b>(&self, tone: Tone, label: impl Into<String>, act: Act) -> Element<'b, Message> {
        let framed = self.cursor == Some(&act);
        let button = pieces::choice(self.look, tone, label, self.message(act));
        self.frame(framed, button)
    }

    /// A button for the main thing.
    pub(super) fn action<'b>(&self, tone: Tone, label: impl Into<String>, act: Act) -> Element<'b, Message> {
        let framed = self.cursor == Some(&act);
        let button = pieces::action(self.look, tone, label, self.message(act));
        self.frame(framed, button)
    }

    fn message(&self, act: Act) -> Option<Message> {
        self.acts.contains(&act).then_some(Message::Act(act))
    }

    fn frame<'b>(&self, framed: bool, button: Element<'b, Message>) -> Element<'b, Message> {
        let around = container(button).padding(FRAME);
        if framed {
            around.style(style::surface(self.look, Surface::Focus)).into()
        } else {
            around.into()
        }
    }
}

/// The pane.
pub fn view(agents: &Agents, look: Look) -> Element<'_, Message> {
    let buttons = Buttons::of(agents, look);
    let mut parts = column![].spacing(SPACE);
    if let Some(error) = &agents.error {
        let title = format!("Error · {}", error.code());
        let card = pieces::card(look, Surface::Error, title, error.to_string());
        let dismiss = buttons.choice(Tone::Quiet, "Dismiss", Act::Dismiss);
        parts = parts.push(column![card, dismiss].spacing(GAP));
    }
    parts = parts.push(choices(agents, &buttons));
    parts = parts.push(link(agents, &buttons));
    if let Link::Up(_, info) = &agents.link {
        if agents.identity == Identity::Wanted {
            parts = parts.push(sign_in(info, &buttons));
        }
        parts = match &agents.session {
            None => parts.push(sessions(agents, &buttons)),
            Some(session) => parts.push(open(session, &buttons)),
        };
    }
    parts.into()
}

fn choices<'a>(agents: &'a Agents, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let all = agents.all.iter().enumerate().map(|(at, agent)| {
        let tone = if at == agents.chosen {
            Tone::TabChosen
        } else {
            Tone::Tab
        };
        buttons.choice(tone, agent.name(), Act::Choose(at))
    });
    let hint = "More agents go under `agents:` in gui_config.yaml.";
    column![
        pieces::heading(buttons.look, "Agent"),
        Row::from_iter(all).wrap(),
        pieces::remark(buttons.look, hint),
    ]
    .spacing(GAP)
    .into()
}

fn link<'a>(agents: &'a Agents, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let colors = look.colors;
    match &agents.link {
        Link::Off => buttons.action(Tone::Primary, "Connect", Act::Connect),
        Link::Opening(_) => column![
            pieces::sign(look, "●", colors.warn, "Connecting…"),
            buttons.choice(Tone::Quiet, "Disconnect", Act::Disconnect),
        ]
        .spacing(GAP)
        .into(),
        Link::Up(_, info) => {
            let name = info.name.as_deref().or(agents.agent().map(|agent| agent.name()));
            let version = info.version.as_deref().unwrap_or_default();
            let name = format!("{} {version}", name.unwrap_or_default());
            let mut parts = column![pieces::sign(look, "●", colors.good, name.trim())].spacing(GAP);
            let abilities: Vec<&str> = info.abilities.iter().map(|ability| ability.label()).collect();
            if !abilities.is_empty() {
                parts = parts.push(pieces::remark(look, abilities.join(" · ")));
            }
            let mut ends = row![buttons.choice(Tone::Quiet, "Disconnect", Act::Disconnect)].spacing(GAP);
            if agents.identity == Identity::Told {
                ends = ends.push(buttons.choice(Tone::Quiet, "Sign out", Act::SignOut));
            }
            parts.push(ends).into()
        }
    }
}

fn sign_in<'a>(info: &'a AgentInfo, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let mut parts = column![
        text("Sign in first")
            .font(UI_STRONG)
            .size(look.small())
            .color(look.colors.warn)
    ]
    .spacing(GAP);
    if info.sign_ins.is_empty() {
        let what = "The agent names no way to do that; its own documentation does.";
        parts = parts.push(pieces::remark(look, what));
    }
    for method in &info.sign_ins {
        parts = parts.push(way(method, buttons));
    }
    container(parts)
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Warning))
        .into()
}

fn way<'a>(method: &'a SignIn, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let mut parts = column![].spacing(4);
    match &method.by {
        SignInBy::Agent => {
            let act = Act::SignIn(method.id.clone());
            parts = parts.push(buttons.choice(Tone::Quiet, method.name.as_str(), act));
        }
        SignInBy::Terminal(command) => {
            let what = format!("{}: in a terminal, then connect again", method.name);
            parts = parts.push(text(what).size(look.small()));
            if let Some(command) = command {
                parts = parts.push(text(command.as_str()).font(MONO).size(look.small()));
            }
        }
    }
    if let Some(description) = &method.description {
        parts = parts.push(pieces::remark(look, description.as_str()));
    }
    parts.into()
}

fn sessions<'a>(agents: &'a Agents, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let folder = text_input("/path/of/the/project", &agents.folder)
        .id(folder_id())
        .size(look.small())
        .padding([8, 12])
        .on_input(Message::Folder)
        .on_submit(Message::Act(Act::NewSession))
        .style(style::field(look));
    let under_way = match agents.waiting {
        Some(Call::Session) => "Opening…",
        Some(Call::SignIn) => "Signing in…",
        Some(Call::SignOut) => "Signing out…",
        Some(Call::List | Call::Set) | None => "",
    };
    let mut parts = column![
        pieces::heading(look, "Folder"),
        folder,
        row![
            buttons.action(Tone::Primary, "New session", Act::NewSession),
            pieces::remark(look, under_way),
        ]
        .spacing(GAP)
        .align_y(iced::Alignment::Center),
    ]
    .spacing(GAP);
    let left = agents.left();
    if let Some((session, folder)) = left {
        let act = Act::GoOn(session.clone(), folder.clone());
        parts = parts.push(buttons.choice(Tone::Quiet, "Go on where you were", act));
    }
    let others = agents
        .listed
        .iter()
        .filter(|one| left.is_none_or(|(id, _)| *id != one.id));
    let others: Vec<_> = others.map(|one| listed(one, buttons)).collect();
    if !others.is_empty() {
        parts = parts.push(pieces::heading(look, "Sessions"));
        parts = others.into_iter().fold(parts, |parts, one| parts.push(one));
    }
    if agents.more.is_some() {
        parts = parts.push(buttons.choice(Tone::Quiet, "More sessions", Act::More));
    }
    parts.into()
}

fn listed<'a>(one: &'a Listed, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let title = one.title.as_deref().filter(|title| !title.trim().is_empty());
    let title = pieces::shortened(title.unwrap_or(&one.id.0), TITLE_CHARS_MAX);
    let date = one.updated_at.as_deref().unwrap_or_default();
    let date: String = date.chars().take(16).collect();
    let about = format!("{}  {}", one.folder.display(), date.replace('T', " "));
    column![
        buttons.choice(Tone::Quiet, title, Act::GoOn(one.id.clone(), one.folder.clone())),
        pieces::remark(look, about),
    ]
    .spacing(2)
    .into()
}

fn open<'a>(session: &'a Session, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let mut parts = column![
        pieces::heading(look, "Folder"),
        text(session.folder.display().to_string())
            .size(look.small())
            .color(look.colors.faint)
            .wrapping(text::Wrapping::WordOrGlyph),
    ]
    .spacing(GAP);
    for setting in &session.settings {
        parts = parts.push(choose(setting, buttons));
    }
    if !session.plan.is_empty() {
        parts = parts.push(plan(&session.plan, look));
    }
    parts
        .push(buttons.choice(Tone::Quiet, "Leave session", Act::Leave))
        .into()
}

fn plan(steps: &[Step], look: Look) -> Element<'_, Message> {
    let steps = steps.iter().map(|step| {
        let (sign, color) = match step.status {
            StepStatus::Pending => ("○", look.colors.faint),
            StepStatus::Running => ("●", look.colors.warn),
            StepStatus::Completed => ("✓", look.colors.good),
        };
        pieces::sign(look, sign, color, step.text.as_str())
    });
    let parts = column![pieces::heading(look, "Plan"), column(steps).spacing(4)].spacing(GAP);
    container(parts)
        .padding(12)
        .width(Length::Fill)
        .style(style::surface(look, Surface::Card))
        .into()
}

fn choose<'a>(setting: &'a Setting, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let set = |set| Act::Set(setting.key.clone(), set);
    let values: Element<'a, Message> = match &setting.value {
        SettingValue::Switch(switch) => {
            let (label, other) = match switch {
                Switch::On => ("✓ On", Switch::Off),
                Switch::Off => ("Off", Switch::On),
            };
            buttons.choice(Tone::Quiet, label, set(Set::Switch(other)))
        }
        SettingValue::Select { current, choices } if choices.len() <= BUTTONS_MAX => {
            let all = choices.iter().map(|choice| {
                let tone = if choice.value == *current {
                    Tone::TabChosen
                } else {
                    Tone::Tab
                };
                buttons.choice(tone, choice.name.as_str(), set(Set::Choice(choice.value.clone())))
            });
            Row::from_iter(all).wrap().into()
        }
        SettingValue::Select { current, choices } => {
            let (chosen, near) = near(current, choices);
            let [before, after] = near.map(|choice| set(Set::Choice(choice.value.clone())));
            row![
                buttons.choice(Tone::Quiet, "‹", before),
                text(chosen.name.as_str()).size(look.small()),
                buttons.choice(Tone::Quiet, "›", after),
            ]
            .spacing(GAP)
            .align_y(iced::Alignment::Center)
            .into()
        }
    };
    column![pieces::heading(look, setting.name.as_str()), values]
        .spacing(4)
        .into()
}

//! What an agent asks, and the buttons that answer it.

use iced::{
    Element, Length,
    widget::{Row, column, container, scrollable, text, text_input},
};

use super::{Act, Agents, Message, field_id, side::Buttons, talk};
use crate::{
    agent::{
        event::{Answer, Ask, PermissionKind},
        form::{Draft, Field, FieldKind, Form, Need},
        session::Question,
        tool::ToolPatch,
        update::Switch,
    },
    theme::{
        GAP, MONO, SPACE, UI_STRONG,
        style::{self, Surface, Tone},
    },
    widget::pieces,
};

/// Most of the height that a question takes, in logical pixels.
const HEIGHT_MAX: f32 = 320.0;
/// Characters of what a tool is given.
const INPUT_CHARS_MAX: usize = 600;

/// The question with its answers.
pub(super) fn view<'a>(
    agents: &'a Agents,
    question: &'a Question,
    buttons: &Buttons<'_>,
) -> Element<'a, Message> {
    let look = buttons.look;
    let answer = |tone, label: &str, answer| buttons.action(tone, label, Act::Answer(question.id, answer));
    let (title, about, answers): (String, Element<'a, Message>, Vec<Element<'a, Message>>) =
        match &question.ask {
            Ask::Permission { call, options } => {
                let answers = options.iter().map(|option| {
                    let tone = match option.kind {
                        PermissionKind::AllowOnce => Tone::Accept,
                        PermissionKind::AllowAlways => Tone::Quiet,
                        PermissionKind::RejectOnce | PermissionKind::RejectAlways => Tone::Reject,
                    };
                    answer(tone, &option.name, Answer::Option(option.id.clone()))
                });
                (
                    format!("Allow: {}?", title_of(agents, call)),
                    permission(agents, call, buttons),
                    answers.collect(),
                )
            }
            Ask::Write(change) => (
                format!("Write {}?", change.view.path),
                talk::diff(change, look),
                vec![
                    answer(Tone::Accept, "Write it", Answer::Allow),
                    answer(Tone::Reject, "Do not write", Answer::Refuse),
                ],
            ),
            Ask::Link { message, url } => (
                message.clone(),
                text(url.as_str())
                    .font(MONO)
                    .size(look.small())
                    .wrapping(text::Wrapping::WordOrGlyph)
                    .into(),
                vec![
                    buttons.action(Tone::Quiet, "Copy address", Act::Copy(url.clone())),
                    answer(Tone::Accept, "I will visit it", Answer::Allow),
                    answer(Tone::Reject, "No", Answer::Refuse),
                ],
            ),
            Ask::Form { message, form } => (
                form.title.clone().unwrap_or_else(|| message.clone()),
                filled(agents, question, form, message, buttons),
                vec![
                    buttons.action(Tone::Accept, "Send answers", Act::FillIn(question.id)),
                    answer(Tone::Reject, "Decline", Answer::Refuse),
                ],
            ),
        };
    let parts = column![
        text(pieces::shortened(&title, 300))
            .font(UI_STRONG)
            .size(look.large())
            .wrapping(text::Wrapping::WordOrGlyph),
        container(scrollable(container(about).width(Length::Fill)).style(style::scroll(look)))
            .max_height(HEIGHT_MAX),
        Row::from_iter(answers).spacing(GAP).wrap(),
    ]
    .spacing(GAP);
    container(parts)
        .padding([12.0, SPACE])
        .width(Length::Fill)
        .style(style::surface(look, Surface::Warning))
        .into()
}

/// What a call is about; its own entry may know more than the question says.
fn title_of(agents: &Agents, call: &ToolPatch) -> String {
    let known = agents.session.as_ref().and_then(|session| session.call(&call.id));
    let known = known
        .map(|known| known.title.as_str())
        .filter(|title| !title.is_empty());
    known.or(call.title.as_deref()).unwrap_or(&call.id).to_owned()
}

/// The files are in the call's own entry; here is what else it is given.
fn permission<'a>(agents: &'a Agents, call: &'a ToolPatch, buttons: &Buttons<'_>) -> Element<'a, Message> {
    let look = buttons.look;
    let known = agents.session.as_ref().and_then(|session| session.call(&call.id));
    let Some(known) = known else {
        return column![].into();
    };
    let changes: Vec<_> = known.changes().map(|change| change.view.path.as_str()).collect();
    if !changes.is_empty() {
        return pieces::remark(
            look,
            format!("It would change {}, as shown above.", changes.join(", ")),
        );
    }
    let input = known.input.as_deref().unwrap_or_default();
    let input: String = input.chars().take(INPUT_CHARS_MAX).collect();
    text(input)
        .font(MONO)
        .size(look.small())
        .color(look.colors.muted)
        .wrapping(text::Wrapping::WordOrGlyph)
        .into()
}

fn filled<'a>(
    agents: &'a Agents,
    question: &Question,
    form: &'a Form,
    message: &'a str,
    buttons: &Buttons<'_>,
) -> Element<'a, Message> {
    let look = buttons.look;
    let mut parts = column![].spacing(12);
    if form.title.is_some() {
        parts = parts.push(
            text(message)
                .size(look.size)
                .wrapping(text::Wrapping::WordOrGlyph),
        );
    }
    let draft = agents
        .form
        .as_ref()
        .filter(|(id, _)| *id == question.id)
        .map(|(_, draft)| draft);
    for field in &form.fields {
        parts = parts.push(line(agents, field, draft, buttons));
    }
    parts.into()
}

fn line<'a>(
    agents: &'a Agents,
    field: &'a Field,
    draft: Option<&'a Draft>,
    buttons: &Buttons<'_>,
) -> Element<'a, Message> {
    let look = buttons.look;
    let star = match field.need {
        Need::Required => " *",
        Need::Optional => "",
    };
    let title = text(format!("{}{star}", field.title))
        .font(UI_STRONG)
        .size(look.small());
    let mut parts = column![title].spacing(4);
    if let Some(description) = &field.description {
        parts = parts.push(pieces::remark(look, description.as_str()));
    }
    parts = parts.push(match &field.kind {
        FieldKind::Text { .. } | FieldKind::Number { .. } | FieldKind::Integer { .. } => {
            let name = field.name.clone();
            let written = draft.map(|draft| draft.line(&field.name)).unwrap_or_default();
            text_input("", written)
                .id(field_id(&field.name))
                .size(look.size)
                .padding([8, 12])
                .on_input(move |line| Message::Field(name.clone(), line))
                .style(style::field(look))
                .into()
        }
        FieldKind::Switch => {
            let now = draft.and_then(|draft| draft.switch(&field.name));
            let button = |label: &str, switch: Switch| {
                let tone = if now == Some(switch) {
                    Tone::TabChosen
                } else {
                    Tone::Tab
                };
                buttons.choice(tone, label, Act::Turn(field.name.clone(), switch))
            };
            Row::from_iter([button("Yes", Switch::On), button("No", Switch::Off)]).into()
        }
        FieldKind::One(choices) | FieldKind::Many { choices, .. } => {
            let all = choices.iter().map(|choice| {
                let chosen = draft.is_some_and(|draft| draft.has(&field.name, &choice.value));
                let tone = if chosen { Tone::TabChosen } else { Tone::Tab };
                let label = format!("{}{}", if chosen { "✓ " } else { "" }, choice.name);
                buttons.choice(tone, label, Act::Pick(field.name.clone(), choice.value.clone()))
            });
            Row::from_iter(all).wrap().into()
        }
        FieldKind::Unknown => pieces::remark(look, "This window does not know this kind of field."),
    });
    let problems = agents
        .problems
        .iter()
        .filter(|problem| problem.name == field.name);
    for problem in problems {
        parts = parts.push(
            text(problem.what.as_str())
                .size(look.small())
                .color(look.colors.bad),
        );
    }
    parts.into()
}

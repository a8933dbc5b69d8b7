//! Everything that can be done on this screen at the moment, in reading order:
//! the buttons are drawn from it, and the keyboard walks along it.

use std::path::PathBuf;

use super::{Agents, Identity, Link, Shown};
use crate::{
    agent::{
        event::{Answer, Ask, QuestionId, SessionId, Set, SignInBy},
        form::{FieldKind, Form},
        session::ENTRIES_MAX,
        update::{Choice, Setting, SettingKey, SettingValue, Switch},
    },
    screen::review::Toward,
};

/// Entries of a conversation that are shown at first.
pub(super) const SHOWN_MAX: usize = 200;
/// Choices of a setting that have a button each; longer lists are stepped through.
pub(super) const BUTTONS_MAX: usize = 12;

/// Something that can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Choose an agent, by its place among all.
    Choose(usize),
    /// Connect with the chosen one.
    Connect,
    /// Hang up.
    Disconnect,
    /// Sign in by the method with this id.
    SignIn(String),
    /// Sign out.
    SignOut,
    /// Begin a session in the folder that is written.
    NewSession,
    /// Go on with a session.
    GoOn(SessionId, PathBuf),
    /// List further sessions.
    More,
    /// Leave the session.
    Leave,
    /// Choose a setting.
    Set(SettingKey, Set),
    /// Say what is written.
    Send,
    /// Stop the agent.
    Stop,
    /// Answer a question.
    Answer(QuestionId, Answer),
    /// Send a form.
    FillIn(QuestionId),
    /// Say yes or no in a field of the form.
    Turn(String, Switch),
    /// Choose in a field of the form, or take it back.
    Pick(String, String),
    /// Copy an address.
    Copy(String),
    /// Show more of the conversation, or less.
    Show(Shown),
    /// Take the error away.
    Dismiss,
}

impl Agents {
    /// Everything that can be done now.
    pub fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend(self.error.is_some().then_some(Act::Dismiss));
        acts.extend((0..self.all.len()).map(Act::Choose));
        match &self.link {
            Link::Off if self.all.is_empty() => {}
            Link::Off => acts.push(Act::Connect),
            Link::Opening(_) => acts.push(Act::Disconnect),
            Link::Up(..) => {
                acts.push(Act::Disconnect);
                self.connected(&mut acts);
            }
        }
        // What was said can be read also after the agent has gone.
        let entries = self.session.as_ref().map_or(0, |session| session.entries.len());
        acts.extend(self.lengths(entries));
        acts
    }

    fn connected(&self, acts: &mut Vec<Act>) {
        if self.waiting.is_none() {
            acts.extend(self.sign_ins());
            match &self.session {
                None => acts.extend(self.sessions()),
                Some(session) => {
                    acts.push(Act::Leave);
                    acts.extend(session.settings.iter().flat_map(settings));
                }
            }
        }
        if let Some(question) = self.question() {
            acts.extend(self.answers(question.id, &question.ask));
        }
        if self.session.as_ref().is_some_and(|session| !session.is_idle()) {
            acts.push(Act::Stop);
        }
        acts.extend(self.can_send().then_some(Act::Send));
    }

    fn sign_ins(&self) -> Vec<Act> {
        let Some(info) = self.info() else {
            return Vec::new();
        };
        match self.identity {
            Identity::Unasked => Vec::new(),
            Identity::Wanted => {
                let by_agent = info.sign_ins.iter().filter(|method| method.by == SignInBy::Agent);
                by_agent.map(|method| Act::SignIn(method.id.clone())).collect()
            }
            Identity::Told => {
                let can = info.can(crate::agent::event::Ability::SignOut);
                can.then_some(Act::SignOut).into_iter().collect()
            }
        }
    }

    fn sessions(&self) -> Vec<Act> {
        let mut acts = vec![Act::NewSession];
        let left = self.left();
        acts.extend(left.map(|(session, folder)| Act::GoOn(session.clone(), folder.clone())));
        let others = self
            .listed
            .iter()
            .filter(|one| left.is_none_or(|(id, _)| *id != one.id));
        acts.extend(others.map(|one| Act::GoOn(one.id.clone(), one.folder.clone())));
        acts.extend(self.more.is_some().then_some(Act::More));
        acts
    }

    fn lengths(&self, entries: usize) -> Option<Act> {
        debug_assert!(entries <= ENTRIES_MAX, "the fold drops what is older");
        match self.shown {
            Shown::End if entries > SHOWN_MAX => Some(Act::Show(Shown::All)),
            Shown::All => Some(Act::Show(Shown::End)),
            Shown::End => None,
        }
    }

    fn answers(&self, id: QuestionId, ask: &Ask) -> Vec<Act> {
        let answer = |answer| Act::Answer(id, answer);
        match ask {
            Ask::Permission { options, .. } => {
                let options = options.iter();
                options
                    .map(|option| answer(Answer::Option(option.id.clone())))
                    .collect()
            }
            Ask::Write(_) => vec![answer(Answer::Allow), answer(Answer::Refuse)],
            Ask::Link { url, .. } => {
                vec![
                    Act::Copy(url.clone()),
                    answer(Answer::Allow),
                    answer(Answer::Refuse),
                ]
            }
            Ask::Form { form, .. } => {
                let mut acts = fields(form);
                acts.extend([Act::FillIn(id), answer(Answer::Refuse)]);
                acts
            }
        }
    }

    /// The keyboard goes on to the next thing, or back.
    pub(super) fn step(&mut self, toward: Toward) {
        let acts = self.acts();
        let at = self
            .cursor
            .as_ref()
            .and_then(|act| acts.iter().position(|other| other == act));
        if let Some(next) = toward.around(at, acts.len()) {
            self.cursor = acts.get(next).cloned();
        }
    }

    /// The answer to the oldest question that is a yes, or the one that is a no.
    pub fn plain_answer(&self, wanted: Plain) -> Option<Act> {
        let question = self.question()?;
        let answer = match (&question.ask, wanted) {
            (Ask::Permission { options, .. }, wanted) => {
                let fits = |allows: bool| allows == (wanted == Plain::Yes);
                let option = options.iter().find(|option| fits(option.kind.allows()))?;
                Answer::Option(option.id.clone())
            }
            (Ask::Form { .. }, Plain::Yes) => return Some(Act::FillIn(question.id)),
            (Ask::Write(_) | Ask::Link { .. }, Plain::Yes) => Answer::Allow,
            (Ask::Write(_) | Ask::Link { .. } | Ask::Form { .. }, Plain::No) => Answer::Refuse,
        };
        Some(Act::Answer(question.id, answer))
    }
}

/// A plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What a setting can become.
fn settings(setting: &Setting) -> Vec<Act> {
    let set = |set| Act::Set(setting.key.clone(), set);
    match &setting.value {
        SettingValue::Switch(Switch::On) => vec![set(Set::Switch(Switch::Off))],
        SettingValue::Switch(Switch::Off) => vec![set(Set::Switch(Switch::On))],
        SettingValue::Select { choices, .. } if choices.len() <= BUTTONS_MAX => {
            let choices = choices.iter();
            choices
                .map(|choice| set(Set::Choice(choice.value.clone())))
                .collect()
        }
        SettingValue::Select { current, choices } => {
            let (_, near) = near(current, choices);
            near.map(|choice| set(Set::Choice(choice.value.clone()))).into()
        }
    }
}

/// Of a list that is stepped through: the chosen one, and those before and after
/// it, around the ends.
pub(super) fn near<'a>(current: &str, choices: &'a [Choice]) -> (&'a Choice, [&'a Choice; 2]) {
    let count = choices.len();
    let at = choices.iter().position(|choice| choice.value == current);
    let at = at.unwrap_or(0);
    let near = [(at + count - 1) % count, (at + 1) % count];
    (&choices[at], near.map(|at| &choices[at]))
}

/// What can be chosen in a form.
fn fields(form: &Form) -> Vec<Act> {
    let mut acts = Vec::new();
    for field in &form.fields {
        match &field.kind {
            FieldKind::Switch => {
                acts.extend([Switch::On, Switch::Off].map(|switch| Act::Turn(field.name.clone(), switch)));
            }
            FieldKind::One(choices) | FieldKind::Many { choices, .. } => {
                let pick = |value: &String| Act::Pick(field.name.clone(), value.clone());
                acts.extend(choices.iter().map(|choice| pick(&choice.value)));
            }
            FieldKind::Text { .. }
            | FieldKind::Number { .. }
            | FieldKind::Integer { .. }
            | FieldKind::Unknown => {}
        }
    }
    acts
}

//! What is heard from an agent, and what that changes on the screen.

use iced::{
    Task,
    widget::{operation, text_editor},
};

use super::{Agents, Event, Identity, Link, Message, NEWEST, scroll_id};
use crate::{
    Error,
    agent::{
        client::Heard,
        event::{self, Ability, Answer, Ask, Call, Command, Page, QuestionId, SessionId},
        form::{Draft, Form},
        session::{QUESTIONS_MAX, Question, Session},
        update::{Severity, Update},
    },
};

/// Updates kept of sessions whose opening has not been answered.
const EARLY_MAX: usize = 200;
/// Sessions that are listed.
const LISTED_MAX: usize = 100;

impl Agents {
    pub(super) fn hear(&mut self, heard: Vec<Heard>) -> (Task<Message>, Option<Event>) {
        let before = self.question().map(|question| question.id);
        for one in heard {
            match one {
                Heard::Open(commands) => self.link = Link::Opening(Some(commands)),
                Heard::Event(event) => self.take(event),
            }
        }
        self.begin_form();
        let asked = self.question().map(|question| question.id);
        if asked.is_none() || asked == before {
            return (Task::none(), None);
        }
        // The question takes room: what it is about would slide out of sight.
        (operation::snap_to(scroll_id(), NEWEST), Some(Event::Attention))
    }

    fn take(&mut self, event: event::Event) {
        match event {
            event::Event::Connected(info) => self.connected_with(info),
            event::Event::SignedIn => {
                self.waiting = None;
                self.identity = Identity::Told;
                self.list();
            }
            event::Event::SignedOut => {
                self.waiting = None;
                self.identity = Identity::Wanted;
                self.leave();
            }
            event::Event::Replaying(session, folder) => self.session = Some(Session::new(session, folder)),
            event::Event::Opened {
                session,
                folder,
                settings,
            } => {
                self.waiting = None;
                let early = std::mem::take(&mut self.early);
                let shown = match self.session.take().filter(|shown| shown.id == session) {
                    Some(shown) => shown,
                    None => Session::new(session, folder),
                };
                self.folder = shown.folder.display().to_string();
                let shown = self.session.insert(shown);
                shown.settings = settings;
                for (id, update) in early {
                    if id == shown.id {
                        shown.fold(update);
                    }
                }
            }
            event::Event::Listed { page, sessions, next } => {
                if self.waiting == Some(Call::List) {
                    self.waiting = None;
                }
                match page {
                    Page::First => self.listed = sessions,
                    Page::Later => self.listed.extend(sessions),
                }
                self.listed.truncate(LISTED_MAX);
                self.more = next.filter(|_| self.listed.len() < LISTED_MAX);
            }
            event::Event::Updated(id, update) => {
                let set = matches!(update, Update::Settings(_) | Update::Mode(_));
                if set && self.waiting == Some(Call::Set) {
                    self.waiting = None;
                }
                match &mut self.session {
                    Some(session) if session.id == id => session.fold(update),
                    Some(_) | None if self.early.len() < EARLY_MAX => self.early.push((id, update)),
                    Some(_) | None => {}
                }
            }
            event::Event::Asked(id, session, ask) => self.asked(id, session.as_ref(), ask),
            event::Event::Withdrawn(id) => {
                if let Some(session) = &mut self.session {
                    session.withdraw(id);
                }
                self.questions.retain(|question| question.id != id);
            }
            event::Event::Wrote(Ok(path)) => {
                tracing::info!(path = %path.display(), "written for an agent");
            }
            event::Event::Wrote(Err(error)) => self.note(&error),
            event::Event::Ended(id, ended) => self.ended(&id, ended),
            event::Event::Refused(call, error) => self.refused(call, error),
            event::Event::Lost(error) => self.lost(error),
        }
    }

    fn connected_with(&mut self, info: event::AgentInfo) {
        let Link::Opening(Some(commands)) = std::mem::replace(&mut self.link, Link::Off) else {
            return;
        };
        self.link = Link::Up(commands, info);
        self.list();
    }

    /// Lists the sessions where the agent has such a list; it is asked for beside
    /// everything else.
    fn list(&mut self) {
        if self.info().is_some_and(|info| info.can(Ability::List)) {
            self.order(Command::List(None));
        }
    }

    fn asked(&mut self, id: QuestionId, about: Option<&SessionId>, ask: Ask) {
        let answer = match (&mut self.session, about) {
            (Some(session), Some(about)) if session.id == *about => session.ask(id, ask),
            // A session that is not shown is nobody's to answer for.
            (Some(_) | None, Some(_)) => Some(Answer::Cancelled),
            (Some(_) | None, None) if self.questions.len() >= QUESTIONS_MAX => Some(Answer::Cancelled),
            (Some(_) | None, None) => {
                self.questions.push(Question { id, ask });
                None
            }
        };
        if let Some(answer) = answer {
            self.order(Command::Answer(id, answer));
        }
    }

    fn ended(&mut self, id: &SessionId, ended: Result<event::StopReason, Error>) {
        let Some(session) = self.session.as_mut().filter(|session| session.id == *id) else {
            return;
        };
        let said = std::mem::take(&mut self.said);
        match ended {
            Ok(stop) => session.end(stop),
            Err(error) => {
                session.fail(&format!("Error · {}", error.code()), &error.to_string());
                // What was said may be said again.
                if self.prompt.text().trim().is_empty() {
                    self.prompt = text_editor::Content::with_text(&said);
                }
                if let Error::SignInNeeded(_) = error {
                    self.identity = Identity::Wanted;
                }
            }
        }
    }

    fn refused(&mut self, call: Call, error: Error) {
        // A list that nobody asked for may be refused without a word.
        let unasked = call == Call::List && self.waiting != Some(Call::List);
        if self.waiting == Some(call) {
            self.waiting = None;
        }
        if call == Call::Session {
            self.session = None;
        }
        match &error {
            Error::SignInNeeded(_) => {
                self.identity = Identity::Wanted;
                self.error = (call != Call::List).then_some(error);
            }
            Error::Unreachable { .. }
            | Error::Incompatible { .. }
            | Error::Refused { .. }
            | Error::Unexpected(_)
            | Error::Config(_)
            | Error::AgentGone { .. }
            | Error::AgentRefused { .. }
            | Error::File { .. }
            | Error::Window(_) => {
                tracing::warn!(%error, code = %error.code(), "an agent refused");
                if !unasked {
                    self.error = Some(error);
                }
            }
        }
    }

    /// The agent is gone: what was said stays to be read.
    fn lost(&mut self, error: Error) {
        tracing::warn!(%error, code = %error.code(), "an agent is gone");
        let session = self.session.take();
        let said = std::mem::take(&mut self.said);
        let working = session.as_ref().is_some_and(|session| !session.is_idle());
        if working && self.prompt.text().trim().is_empty() {
            self.prompt = text_editor::Content::with_text(&said);
        }
        self.hang_up();
        if let Some(mut session) = session {
            let title = format!("Error · {}", error.code());
            if working {
                session.fail(&title, "It is gone. Connect again to go on.");
            } else {
                session.questions.clear();
            }
            if let Some(agent) = self.agent() {
                self.left = Some((
                    agent.name().to_owned(),
                    session.id.clone(),
                    session.folder.clone(),
                ));
            }
            self.session = Some(session);
        }
        self.error = Some(error);
    }

    fn note(&mut self, error: &Error) {
        if let Some(session) = &mut self.session {
            session.note(
                Severity::Error,
                &format!("Error · {}", error.code()),
                &error.to_string(),
            );
        }
    }

    /// Begins to fill in the form that is asked for, and forgets one that is not.
    pub(super) fn begin_form(&mut self) {
        let wanted = self.question().and_then(|question| match &question.ask {
            Ask::Form { form, .. } => Some((question.id, form)),
            Ask::Permission { .. } | Ask::Write(_) | Ask::Link { .. } => None,
        });
        let known = self.form.as_ref().map(|(id, _)| *id);
        match wanted {
            Some((id, _)) if known == Some(id) => {}
            Some((id, form)) => {
                self.form = Some((id, Draft::new(form)));
                self.problems.clear();
            }
            None => {
                self.form = None;
                self.problems.clear();
            }
        }
    }

    /// Sends the form, or says what is wrong with it.
    pub(super) fn fill_in(&mut self, id: QuestionId) {
        let Some((form, draft)) = self.asked_form(id) else {
            return;
        };
        match draft.filled(form) {
            Ok(values) => self.answer(id, Answer::Form(values)),
            Err(problems) => self.problems = problems,
        }
    }

    pub(super) fn pick(&mut self, name: &str, value: &str) {
        let Some((id, _)) = self.form else { return };
        let field = self.asked_form(id).and_then(|(form, _)| {
            let mut fields = form.fields.iter();
            fields.find(|field| field.name == name).cloned()
        });
        if let (Some(field), Some((_, draft))) = (field, &mut self.form) {
            draft.choose(&field, value);
        }
    }

    /// The form of a question, and what is filled in.
    pub(super) fn asked_form(&self, id: QuestionId) -> Option<(&Form, &Draft)> {
        let question = self.question().filter(|question| question.id == id)?;
        let (_, draft) = self.form.as_ref().filter(|(of, _)| *of == id)?;
        match &question.ask {
            Ask::Form { form, .. } => Some((form, draft)),
            Ask::Permission { .. } | Ask::Write(_) | Ask::Link { .. } => None,
        }
    }
}

//! Threads of requests.

use engine::ports::{
    self, BoxFuture,
    sessions::{Entry, Session, SessionChange, SessionQuery},
};
use shared::id::SessionId;

use super::Journal;
use crate::{Error, rules};

/// One thread.
#[derive(Debug)]
pub(super) struct Thread {
    session: Session,
    entries: Vec<Entry>,
}

fn find(threads: &[Thread], id: &SessionId) -> Result<usize, Error> {
    let found = threads.iter().position(|thread| thread.session.id == *id);
    found.ok_or_else(|| Error::UnknownSession { session: id.clone() })
}

fn change(threads: &mut [Thread], id: &SessionId, at_ms: u64, change: SessionChange) -> Result<(), Error> {
    let at = find(threads, id)?;
    let known = |entry: &Entry| {
        threads
            .iter()
            .flat_map(|thread| &thread.entries)
            .any(|other| other.key == entry.key)
    };
    let is_new = matches!(&change, SessionChange::Entered(entry) if !known(entry));
    let Some(thread) = threads.get_mut(at) else {
        return Ok(());
    };
    thread.session.updated_at_ms = at_ms;
    match change {
        SessionChange::Entered(entry) if is_new => thread.entries.push(entry),
        SessionChange::Entered(_) => {}
        SessionChange::Titled(title) => thread.session.title = Some(title),
        SessionChange::Set(settings) => thread.session.settings = settings,
    }
    Ok(())
}

fn list(threads: &[Thread], query: &SessionQuery) -> Vec<Session> {
    let older_than = match &query.before {
        None => threads.len(),
        Some(before) => find(threads, before).unwrap_or_default(),
    };
    let wanted = |session: &&Session| {
        query
            .workspace
            .as_ref()
            .is_none_or(|workspace| *workspace == session.workspace)
            && query
                .unchanged_since_ms
                .is_none_or(|at_ms| session.updated_at_ms < at_ms)
    };
    let newest_first = threads
        .iter()
        .take(older_than)
        .rev()
        .map(|thread| &thread.session);
    newest_first.filter(wanted).take(query.limit).cloned().collect()
}

impl ports::Sessions for Journal {
    fn begin_session(&self, new: Session) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                rules::session(&new)?;
                if find(&inner.threads, &new.id).is_err() {
                    inner.threads.push(Thread {
                        session: new,
                        entries: Vec::new(),
                    });
                }
                Ok(())
            })
        })
    }

    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Session>, ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                let found = inner.threads.iter().find(|thread| thread.session.id == id);
                Ok(found.map(|thread| thread.session.clone()))
            })
        })
    }

    fn list_sessions(&self, query: SessionQuery) -> BoxFuture<'_, Result<Vec<Session>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(list(&inner.threads, &query))) })
    }

    fn entries(&self, id: SessionId) -> BoxFuture<'_, Result<Vec<Entry>, ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                let at = find(&inner.threads, &id)?;
                Ok(inner
                    .threads
                    .get(at)
                    .map(|thread| thread.entries.clone())
                    .unwrap_or_default())
            })
        })
    }

    fn change_session(
        &self,
        id: SessionId,
        at_ms: u64,
        what: SessionChange,
    ) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                rules::change(at_ms, &what)?;
                change(&mut inner.threads, &id, at_ms, what)
            })
        })
    }

    fn delete_session(&self, id: SessionId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                inner.threads.retain(|thread| thread.session.id != id);
                Ok(())
            })
        })
    }
}

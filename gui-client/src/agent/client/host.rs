//! What the window does for an agent: it asks the person, and reads and writes
//! files in the folders of the sessions.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    Error,
    agent::{
        event::{Answer, Ask, Event, QuestionId, SessionId},
        files,
        tool::FileChange,
    },
};

/// What is shared by everything that one connection does.
#[derive(Debug, Clone)]
pub(super) struct Host {
    events: mpsc::Sender<Event>,
    questions: Arc<Questions>,
    folders: Arc<Mutex<HashMap<SessionId, PathBuf>>>,
}

#[derive(Debug, Default)]
struct Questions {
    next: AtomicU64,
    open: Mutex<HashMap<QuestionId, oneshot::Sender<Answer>>>,
}

impl Questions {
    fn lock(&self) -> MutexGuard<'_, HashMap<QuestionId, oneshot::Sender<Answer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: QuestionId,
    answer: oneshot::Receiver<Answer>,
}

impl Host {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self {
            events,
            questions: Arc::default(),
            folders: Arc::default(),
        }
    }

    /// Tells the window. A window that has gone ends the connection by itself.
    pub(super) async fn tell(&self, event: Event) {
        let _gone = self.events.send(event).await;
    }

    /// A session works in this folder.
    pub(super) fn settle(&self, session: &SessionId, folder: &Path) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.insert(session.clone(), folder.to_owned());
    }

    /// The folder of a session, if there is such a session.
    pub(super) fn folder(&self, session: &SessionId) -> Option<PathBuf> {
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.get(session).cloned()
    }

    /// Asks the person.
    pub(super) async fn ask(&self, session: Option<SessionId>, ask: Ask) -> Asked {
        let id = QuestionId(self.questions.next.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        self.questions.lock().insert(id, sender);
        self.tell(Event::Asked(id, session, ask)).await;
        Asked { id, answer }
    }

    /// The person has answered.
    pub(super) fn answer(&self, id: QuestionId, answer: Answer) {
        let sender = self.questions.lock().remove(&id);
        if let Some(sender) = sender {
            // It was withdrawn at the same moment.
            let _withdrawn = sender.send(answer);
        }
    }

    /// The agent does not need the answer any more.
    pub(super) async fn withdraw(&self, id: QuestionId) {
        let known = self.questions.lock().remove(&id).is_some();
        if known {
            self.tell(Event::Withdrawn(id)).await;
        }
    }

    /// Reads for the agent; nothing where there is no such file.
    ///
    /// # Errors
    /// The session is unknown, or the file may not be read.
    pub(super) async fn read(
        &self,
        session: &SessionId,
        path: PathBuf,
        (line, limit): (Option<u32>, Option<u32>),
    ) -> Result<Option<String>, Error> {
        let folder = self.known(session, &path)?;
        blocking(move || files::read(&folder, &path, line, limit)).await
    }

    /// What writing would change.
    ///
    /// # Errors
    /// The session is unknown, or the file may not be written.
    pub(super) async fn change(
        &self,
        session: &SessionId,
        path: PathBuf,
        text: String,
    ) -> Result<FileChange, Error> {
        let folder = self.known(session, &path)?;
        blocking(move || {
            let old = files::whole(&folder, &path)?;
            Ok(FileChange::new(path, old, text, &folder))
        })
        .await
    }

    /// Writes what the person has allowed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) async fn write(&self, session: &SessionId, path: PathBuf, text: String) -> Result<(), Error> {
        let folder = self.known(session, &path)?;
        let (written, shown) = (path.clone(), path);
        let result = blocking(move || files::write(&folder, &written, &text)).await;
        self.tell(Event::Wrote(result.clone().map(|()| shown))).await;
        result
    }

    fn known(&self, session: &SessionId, path: &Path) -> Result<PathBuf, Error> {
        self.folder(session).ok_or_else(|| Error::File {
            path: path.display().to_string(),
            reason: "its session is not open here".to_owned(),
        })
    }
}

impl Asked {
    /// The answer; one that never comes is a cancelled one.
    pub(super) async fn answer(&mut self) -> Answer {
        (&mut self.answer).await.unwrap_or(Answer::Cancelled)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Unexpected(error.to_string())),
    }
}

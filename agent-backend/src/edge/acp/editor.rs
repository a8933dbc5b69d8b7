//! The clients of a session as editors: a workflow reads through them what is not
//! saved, and writes through them what it would else write under their hands.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures::future::BoxFuture;
use shared::id::CorrelationId;

use super::{
    client::{Client, Files},
    session::{ConnectionId, Session},
};
use crate::runtime::{
    Runtime,
    editor::{Attached, Editor, Saved},
};

/// The editors that follow one session, in the order in which they came.
#[derive(Default)]
pub(super) struct Editors(Mutex<Vec<Arc<ClientEditor>>>);

impl Editors {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<ClientEditor>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them.
struct ClientEditor {
    client: Client,
    connection: ConnectionId,
    cwd: PathBuf,
}

impl Editor for ClientEditor {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move { self.client.read_file(&self.cwd.join(path)).await })
    }

    fn write<'a>(&'a self, path: &'a str, text: &'a str) -> BoxFuture<'a, Saved> {
        Box::pin(async move {
            match self.client.write_file(&self.cwd.join(path), text).await {
                true => Saved::Yes,
                false => Saved::No,
            }
        })
    }
}

impl Attached for Session {
    /// The one who asked comes first.
    fn editors(&self) -> Vec<Arc<dyn Editor>> {
        let asked_by = self.asked_by();
        let mut editors = self.editors.all().clone();
        editors.sort_by_key(|editor| Some(editor.connection) != asked_by);
        editors
            .into_iter()
            .map(|editor| editor as Arc<dyn Editor>)
            .collect()
    }
}

/// Lets the workflow of a request find the editors of its session.
pub(super) fn attach(runtime: &Runtime, request: &CorrelationId, session: &Arc<Session>) {
    let attached: Weak<dyn Attached> = Arc::<Session>::downgrade(session);
    runtime.services().editors.attach(request.clone(), attached);
}

/// A client that follows a session, and is an editor of it for as long as this is
/// held.
pub(super) struct Following {
    session: Arc<Session>,
    editor: Option<Arc<ClientEditor>>,
}

impl Following {
    pub(super) fn new(session: Arc<Session>, client: &Client, connection: ConnectionId) -> Self {
        let editor = match client.abilities().files {
            Files::None => None,
            Files::Reads | Files::Writes => Some(Arc::new(ClientEditor {
                client: client.clone(),
                connection,
                cwd: session.cwd.clone(),
            })),
        };
        session.editors.all().extend(editor.clone());
        Self { session, editor }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(editor) = &self.editor {
            self.session
                .editors
                .all()
                .retain(|other| !Arc::ptr_eq(other, editor));
        }
    }
}

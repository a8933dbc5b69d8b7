//! Files as the editors of whoever asked show them. An editor that does not answer
//! in time, or not with a text, has nothing to show: there is the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use engine::{State, event::NoticeLevel};
use futures::{StreamExt as _, stream};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout, timeout_at},
};
use tools::{Workspace, limits::PROPOSAL_FILES_MAX};

use super::Desk;
use crate::{
    error::Error,
    runtime::{
        editor::{Editor, Saved},
        replay,
        services::Services,
    },
};

/// Files that editors are asked for at once.
const AT_ONCE: usize = 16;

/// Longest wait for one text of one editor.
const READ_WAIT: Duration = Duration::from_secs(3);

/// Longest wait for all texts of one step.
const READS_WAIT: Duration = Duration::from_secs(6);

/// Longest wait for an editor that formats and saves a file.
const SAVE_WAIT: Duration = Duration::from_secs(10);

/// Files that a notice names.
const NAMED_MAX: usize = 5;

/// A text, and whose it is.
type Owned = (String, Arc<dyn Editor>);

/// What editors show.
#[derive(Default)]
pub(super) struct Texts {
    asked: BTreeSet<String>,
    texts: BTreeMap<String, Owned>,
}

impl Texts {
    /// What they show of these files, which need not be there.
    pub(super) async fn of(
        services: &Services,
        state: &State,
        workspace: &Workspace,
        paths: Vec<String>,
    ) -> Result<Self, Error> {
        let mut shown = Self::default();
        shown.ask(services, state, workspace, paths).await?;
        Ok(shown)
    }

    /// Asks for more of them; one that was asked for already is as it was.
    pub(super) async fn ask(
        &mut self,
        services: &Services,
        state: &State,
        workspace: &Workspace,
        paths: Vec<String>,
    ) -> Result<(), Error> {
        let editors = editors(services, state).await;
        if editors.is_empty() {
            return Ok(());
        }
        // What may not be touched is not asked for either.
        let fence = workspace.clone();
        let paths = super::blocking(move || {
            let resolve = |path: String| Some(fence.resolve(&path).ok()?.relative().to_owned());
            Ok(paths.into_iter().filter_map(resolve).collect::<Vec<_>>())
        });
        let mut fresh = paths.await?;
        fresh.retain(|path| self.asked.len() < PROPOSAL_FILES_MAX && self.asked.insert(path.clone()));
        let deadline = Instant::now() + READS_WAIT;
        let editors = &editors;
        let mut answers = stream::iter(fresh)
            .map(|path| async move {
                let answer = first(editors, &path).await;
                (path, answer)
            })
            .buffer_unordered(AT_ONCE);
        while let Ok(Some((path, answer))) = timeout_at(deadline, answers.next()).await {
            if let Some(text) = answer {
                self.texts.insert(path, text);
            }
        }
        Ok(())
    }

    /// The workspace as it is shown. Reads files.
    pub(super) fn over(&self, workspace: Workspace) -> Workspace {
        let texts = self.texts.iter();
        workspace.as_shown(texts.map(|(path, (text, _))| (path.clone(), text.clone())))
    }

    /// Has the editors save files, from a thread that may block.
    pub(super) fn saver(self) -> impl Fn(&str, &str) -> Saved {
        let handle = Handle::current();
        move |path, text| {
            let Some((_, editor)) = self.texts.get(path) else {
                return Saved::No;
            };
            let saved = handle.block_on(async { timeout(SAVE_WAIT, editor.write(path, text)).await });
            saved.unwrap_or(Saved::No)
        }
    }
}

/// The editors of whoever asked. Nobody follows an undo: those of what is undone
/// show the same files.
async fn editors(services: &Services, state: &State) -> Vec<Arc<dyn Editor>> {
    let mut editors = services.editors.of(&state.correlation);
    let mut undoes = state.task.choices.undoes.clone();
    while let Some(undone) = undoes {
        // One that was deleted has no editor either.
        let Ok(undone) = replay::state(services.journal.as_ref(), &undone).await else {
            break;
        };
        editors.extend(services.editors.of(&undone.correlation));
        undoes = undone.task.choices.undoes.clone();
    }
    editors
}

/// The first answer that is a text.
async fn first(editors: &[Arc<dyn Editor>], path: &str) -> Option<Owned> {
    for editor in editors {
        if let Ok(Some(text)) = timeout(READ_WAIT, editor.read(path)).await {
            return Some((text, editor.clone()));
        }
    }
    None
}

/// The person is told what was read that is not on the disk.
pub(super) async fn report(desk: &Desk, unsaved: &[String]) {
    if unsaved.is_empty() {
        return;
    }
    let more = unsaved.len().saturating_sub(NAMED_MAX);
    let mut list = unsaved
        .iter()
        .take(NAMED_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    let message = format!("read from the editor, with changes that are not saved: {list}");
    desk.notify(NoticeLevel::Info, None, message).await;
}

//! The way down from the best search to the one that always works.
//!
//! Keywords and history are searched in this process, every time. What the
//! vector database adds, the similarity of meaning, may be missing.

use std::path::Path;
use std::sync::Arc;

use shared::error::Code;
use tokio::time::Instant;

use super::{Inner, RootState, Touch};
use crate::corpus::rank::Weights;
use crate::corpus::{Corpus, Update};
use crate::embed::{Embedder, Failure};
use crate::error::Error;
use crate::history::History;
use crate::identity::WorkspaceId;
use crate::index::{self, Manifest, Target};
use crate::report::{Completeness, Item, Mode, Notice, Progress};
use crate::search::Question;
use crate::store::{Hit, Query};
use crate::walk::Scan;

/// Chunks asked of the vector database.
const HITS_MAX: usize = 200;

/// What was found, and how.
pub(super) struct Found {
    pub mode: Mode,
    pub notices: Vec<Notice>,
    pub ranked: Vec<Item>,
}

/// One call's view of the service.
struct Call<'a> {
    inner: &'a Inner,
    workspace: WorkspaceId,
    root: &'a Path,
    scan: &'a Scan,
    question: &'a Question,
}

/// The keyword index of a workspace and where it comes from.
#[derive(Debug, Default)]
pub(super) struct Local {
    pub(super) corpus: Corpus,
    pub(super) history: History,
}

pub(super) async fn find(
    inner: &Inner,
    root: &Path,
    scan: &Scan,
    question: &Question,
    state: &mut RootState,
) -> Result<Found, Error> {
    let mut notices = Vec::new();
    if question.text.is_empty() {
        notices.push(Notice {
            code: Code::QueryEmpty,
            message: "there is nothing to search for".to_owned(),
        });
        return Ok(Found {
            mode: Mode::LocalKeyword,
            notices,
            ranked: Vec::new(),
        });
    }
    let call = Call {
        inner,
        workspace: WorkspaceId::of(root),
        root,
        scan,
        question,
    };
    // Who watches has brought it up to date.
    if state.live.is_none() {
        refresh(root, scan, &mut state.local).await?;
    }
    let (mode, hits) = match in_database(&call, state, &mut notices).await {
        Ok(Some(hits)) => (Mode::Hybrid, hits),
        Ok(None) => (Mode::Keyword, Vec::new()),
        Err(error) => {
            tracing::warn!(%error, code = %error.code(), "searching without the vector database");
            let message = format!("{error}; the search used keywords and history alone, in this process");
            notices.push(Notice {
                code: error.code(),
                message,
            });
            (Mode::LocalKeyword, Vec::new())
        }
    };
    let ranked = in_process(&call, state, hits).await?;
    Ok(Found {
        mode,
        notices,
        ranked,
    })
}

/// Makes the keyword index equal to the workspace and its history.
pub(super) async fn refresh(root: &Path, scan: &Scan, local: &mut Local) -> Result<Update, Error> {
    let news = if local.history.update(root).await {
        Touch::Changed
    } else {
        Touch::Same
    };
    rejoin(root, scan, local, news).await
}

/// Makes the keyword index equal to the workspace; `news` says whether its
/// history has changed.
pub(super) async fn rejoin(
    root: &Path,
    scan: &Scan,
    local: &mut Local,
    news: Touch,
) -> Result<Update, Error> {
    let mut taken = std::mem::take(local);
    let (root, scan): (Arc<Path>, Scan) = (root.into(), scan.clone());
    let (taken, update) = index::blocking(move || {
        let update = taken.corpus.update(&root, &scan);
        taken.corpus.join(&taken.history, news == Touch::Changed);
        (taken, update)
    })
    .await?;
    *local = taken;
    Ok(update)
}

/// The chunks whose meaning is near the question's; none if there is no model,
/// it fails, or its index is not complete in time.
async fn in_database(
    call: &Call<'_>,
    state: &mut RootState,
    notices: &mut Vec<Notice>,
) -> Result<Option<Vec<Hit>>, Error> {
    call.inner.stores.keyword.health().await?;
    let Some(embedder) = &call.inner.models.embedder else {
        notices.push(no_embedder());
        return Ok(None);
    };
    match by_meaning(call, &**embedder, state, notices).await {
        Err(Error::Embedding(failure)) => {
            notices.push(embedding_failed(&failure));
            Ok(None)
        }
        result => result,
    }
}

async fn by_meaning(
    call: &Call<'_>,
    embedder: &dyn Embedder,
    state: &mut RootState,
    notices: &mut Vec<Notice>,
) -> Result<Option<Vec<Hit>>, Error> {
    let store = &*call.inner.stores.hybrid;
    let embedded = match &state.live {
        Some(scan) => state.behind.too_few(scan.files.len()),
        None => embed_now(call, embedder, &state.hybrid).await?,
    };
    if let Some(done) = embedded {
        let all = call.scan.files.len();
        let message = format!("{done} of {all} files are embedded so far; this search used keywords alone");
        notices.push(Notice {
            code: Code::IndexFailed,
            message,
        });
        return Ok(None);
    }
    let query = Query {
        workspace: call.workspace.clone(),
        sparse: Default::default(),
        dense: Some(call.question.embed(embedder).await?),
        limit: HITS_MAX,
    };
    Ok(Some(store.search(&query).await?))
}

/// Embeds what is new before the answer; the files that are embedded, where
/// the time was too short for all.
async fn embed_now(
    call: &Call<'_>,
    embedder: &dyn Embedder,
    known: &tokio::sync::Mutex<Option<Manifest>>,
) -> Result<Option<usize>, Error> {
    let deadline = Instant::now() + call.inner.options.embed_wait_max;
    let target = Target {
        store: &*call.inner.stores.hybrid,
        embedder: Some(embedder),
        workspace: &call.workspace,
        root: call.root,
        deadline: Some(deadline),
    };
    // Somebody else may be at it for as long as it takes.
    let Ok(mut known) = tokio::time::timeout_at(deadline, known.lock()).await else {
        return Ok(Some(0));
    };
    let report = index::update(&target, call.scan, &mut known, &|_: Progress| {}).await?;
    Ok(match report.completeness {
        Completeness::Complete => None,
        Completeness::Partial => Some(report.files_unchanged + report.files_indexed),
    })
}

async fn in_process(call: &Call<'_>, state: &mut RootState, hits: Vec<Hit>) -> Result<Vec<Item>, Error> {
    let local = std::mem::take(&mut state.local);
    let root: Arc<Path> = call.root.into();
    let (question, top_k) = (call.question.clone(), call.inner.options.top_k);
    let (local, items) = index::blocking(move || {
        let ranking = local.corpus.ask(&question, &hits, &Weights::default(), top_k);
        let items = local.corpus.items(&root, &ranking.parts);
        (local, items)
    })
    .await?;
    state.local = local;
    Ok(items)
}

/// There is no embedding model.
pub(super) fn no_embedder() -> Notice {
    let message = "no embedding model is configured; the search used keywords alone".to_owned();
    Notice {
        code: Code::EmbeddingFailed,
        message,
    }
}

/// The embedding model failed.
pub(super) fn embedding_failed(failure: &Failure) -> Notice {
    Notice {
        code: failure.code,
        message: format!("{failure}; the search used keywords alone"),
    }
}

//! The way down from the best search to the one that always works.

use std::path::Path;
use std::sync::Arc;

use shared::error::Code;
use tokio::time::Instant;

use super::{Inner, RootState};
use crate::embed::{Embedder, Failure};
use crate::error::Error;
use crate::identity::WorkspaceId;
use crate::index::{self, Target};
use crate::report::{Completeness, Item, Mode, Notice, Progress};
use crate::search::{self, Question};
use crate::store::Store;
use crate::walk::Scan;

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
    match in_database(&call, state, &mut notices).await {
        Ok((mode, ranked)) => {
            state.local = None;
            Ok(Found {
                mode,
                notices,
                ranked,
            })
        }
        Err(error) => {
            tracing::warn!(%error, code = %error.code(), "searching without the vector database");
            let message = format!("{error}; the search used keywords alone, in this process");
            notices.push(Notice {
                code: error.code(),
                message,
            });
            let ranked = in_process(&call, state).await?;
            Ok(Found {
                mode: Mode::LocalKeyword,
                notices,
                ranked,
            })
        }
    }
}

async fn in_database(
    call: &Call<'_>,
    state: &mut RootState,
    notices: &mut Vec<Notice>,
) -> Result<(Mode, Vec<Item>), Error> {
    call.inner.stores.keyword.health().await?;
    match &call.inner.embedder {
        None => notices.push(no_embedder()),
        Some(embedder) => match hybrid(call, &**embedder, state, notices).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(Error::Embedding(failure)) => notices.push(embedding_failed(&failure)),
            Err(error) => return Err(error),
        },
    }
    let store = &*call.inner.stores.keyword;
    index::update(
        &target(call, store, None, None),
        call.scan,
        &mut state.keyword,
        &|_: Progress| {},
    )
    .await?;
    Ok((Mode::Keyword, ask(call, store, None).await?))
}

/// The hybrid search; nothing if its index is not complete in time.
async fn hybrid(
    call: &Call<'_>,
    embedder: &dyn Embedder,
    state: &mut RootState,
    notices: &mut Vec<Notice>,
) -> Result<Option<(Mode, Vec<Item>)>, Error> {
    let store = &*call.inner.stores.hybrid;
    let deadline = Instant::now() + call.inner.options.embed_wait_max;
    let target = target(call, store, Some(embedder), Some(deadline));
    let report = index::update(&target, call.scan, &mut state.hybrid, &|_: Progress| {}).await?;
    match report.completeness {
        Completeness::Complete => {}
        Completeness::Partial => {
            let (done, all) = (report.files_unchanged + report.files_indexed, report.files_total);
            let message =
                format!("{done} of {all} files are embedded so far; this search used keywords alone");
            notices.push(Notice {
                code: Code::IndexFailed,
                message,
            });
            return Ok(None);
        }
    }
    match call.question.embed(embedder).await {
        Ok(vector) => Ok(Some((Mode::Hybrid, ask(call, store, Some(vector)).await?))),
        Err(failure) => {
            // The index is complete; its keyword half needs no model.
            notices.push(embedding_failed(&failure));
            Ok(Some((Mode::Keyword, ask(call, store, None).await?)))
        }
    }
}

async fn in_process(call: &Call<'_>, state: &mut RootState) -> Result<Vec<Item>, Error> {
    let mut local = state.local.take().unwrap_or_default();
    let root: Arc<Path> = call.root.into();
    let (scan, question, top_k) = (call.scan.clone(), call.question.clone(), call.inner.options.top_k);
    let (local, items) = index::blocking(move || {
        local.update(&root, &scan);
        let items = local.search(&question, top_k);
        (local, items)
    })
    .await?;
    state.local = Some(local);
    Ok(items)
}

async fn ask(call: &Call<'_>, store: &dyn Store, dense: Option<Vec<f32>>) -> Result<Vec<Item>, Error> {
    search::search(
        store,
        &call.workspace,
        call.question,
        dense,
        call.inner.options.top_k,
    )
    .await
}

fn target<'a>(
    call: &'a Call<'_>,
    store: &'a dyn Store,
    embedder: Option<&'a dyn Embedder>,
    deadline: Option<Instant>,
) -> Target<'a> {
    Target {
        store,
        embedder,
        workspace: &call.workspace,
        root: call.root,
        deadline,
    }
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

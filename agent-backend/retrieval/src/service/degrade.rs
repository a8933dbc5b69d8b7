//! The way down from the best search to the one that always works.
//!
//! Keywords and history are searched in this process, every time. What the
//! vector database adds, the similarity of meaning, may be missing.

use std::path::Path;

use shared::error::Code;
use tokio::time::Instant;

use super::{Embedding, Inner, Kept, Reach, Request};
use crate::corpus::Corpus;
use crate::corpus::signals::Signal;
use crate::embed::{Embedder, Failure};
use crate::error::Error;
use crate::identity::WorkspaceId;
use crate::index::{Manifest, Target};
use crate::local::Local;
use crate::profile::Profile;
use crate::report::{Completeness, Mode, Notice};
use crate::search::{Near, Question};
use crate::store::{Nearness, Query, Vectors};
use crate::walk::Scan;

/// Chunks asked of the vector database.
const HITS_MAX: usize = 200;
/// How much more is asked for where some of it will be left out.
const NARROW_SLACK: usize = 4;

/// One call's view of the service.
pub(super) struct Call<'a> {
    pub inner: &'a Inner,
    pub kept: &'a Kept,
    pub local: &'a Local,
    pub workspace: WorkspaceId,
    pub root: &'a Path,
    pub scan: &'a Scan,
    pub question: &'a Question,
    pub request: &'a Request,
}

/// What the vector database adds, and how far down the answer had to go.
pub(super) async fn near(call: &Call<'_>, notices: &mut Vec<Notice>) -> (Mode, Near) {
    match call.request.reach {
        Reach::ThisProcess => return (Mode::LocalKeyword, Near::default()),
        Reach::Everything => {}
    }
    if !call.request.profile.asks_database() {
        return (Mode::Keyword, Near::default());
    }
    match in_database(call, notices).await {
        Ok(Some(near)) => (Mode::Hybrid, near),
        Ok(None) => (Mode::Keyword, Near::default()),
        Err(error) => {
            tracing::warn!(%error, code = %error.code(), "searching without the vector database");
            // It may come back with less than it had. Whoever holds the lock finds
            // out by itself.
            if let Ok(mut known) = call.kept.hybrid.try_lock() {
                known.iter_mut().for_each(Manifest::doubt);
            }
            let message = format!("{error}; the search used keywords and history alone, in this process");
            notices.push(Notice {
                code: error.code(),
                message,
            });
            (Mode::LocalKeyword, Near::default())
        }
    }
}

/// What is near the question in meaning; none if there is no model, it fails,
/// or its index is not complete in time.
async fn in_database(call: &Call<'_>, notices: &mut Vec<Notice>) -> Result<Option<Near>, Error> {
    call.inner.stores.keyword.health().await?;
    let Some(embedder) = &call.inner.models.embedder else {
        notices.push(no_embedder());
        return Ok(None);
    };
    match by_meaning(call, &**embedder, notices).await {
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
    notices: &mut Vec<Notice>,
) -> Result<Option<Near>, Error> {
    let Kept { behind, may, .. } = call.kept;
    let embedded = match &call.local.live {
        Some(scan) if is_whole(call).await? => behind.too_few(scan.files.len()),
        Some(_) if may.get() == Embedding::Paused => {
            let message = "the vector database has lost vectors, and embedding is paused; this search used keywords alone";
            notices.push(Notice {
                code: Code::IndexFailed,
                message: message.to_owned(),
            });
            return Ok(None);
        }
        Some(_) | None => embed_now(call, embedder).await?,
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
    let vector = call.question.embed(embedder).await?;
    ask(call, &call.local.corpus, vector).await.map(Some)
}

/// Whether the database still holds the vectors that were written.
async fn is_whole(call: &Call<'_>) -> Result<bool, Error> {
    let stores = &call.inner.stores;
    let (of, of_files) = (&*stores.hybrid, &*stores.files);
    match call.kept.hybrid.try_lock().as_deref() {
        Ok(Some(known)) => known.holds(of, Some(of_files), &call.workspace).await,
        // Whoever writes them, or is about to, looks first, and may not have looked yet.
        Ok(None) | Err(_) => Ok(!call.kept.behind.is_of_before(&of.generation().await?)),
    }
}

/// Embeds what is new before the answer; the files that are embedded, where
/// the time was too short for all.
async fn embed_now(call: &Call<'_>, embedder: &dyn Embedder) -> Result<Option<usize>, Error> {
    let deadline = Instant::now() + call.inner.options.embed_wait_max;
    let target = Target {
        store: &*call.inner.stores.hybrid,
        files: Some(&*call.inner.stores.files),
        embedder: Some(embedder),
        workspace: &call.workspace,
        root: call.root,
        deadline: Some(deadline),
    };
    // Somebody else may be at it for as long as it takes.
    let Ok(mut known) = tokio::time::timeout_at(deadline, call.kept.hybrid.lock()).await else {
        return Ok(Some(0));
    };
    let report = call.kept.update(&target, call.scan, &mut known, |_| {}).await?;
    Ok(match report.completeness {
        Completeness::Complete => None,
        Completeness::Partial => Some(report.files_unchanged + report.files_indexed),
    })
}

/// Asks the database what the profile wants to know.
async fn ask(call: &Call<'_>, corpus: &Corpus, vector: Vec<f32>) -> Result<Near, Error> {
    let Profile { files, dedup, .. } = &call.request.profile;
    let filter = &call.request.filter;
    // What the database cannot tell is left out of its answer afterwards.
    let is_narrow = !filter.globs.is_empty() || filter.bytes_max.is_some();
    let slack = if is_narrow { NARROW_SLACK } else { 1 };
    let query = |near: Nearness, limit: usize, vectors: Vectors| Query {
        workspace: call.workspace.clone(),
        near,
        languages: filter.languages.clone(),
        without: filter.without.clone(),
        limit: limit * slack,
        vectors,
    };
    let stores = &call.inner.stores;
    let vectors = match dedup {
        Some(_) => Vectors::Wanted,
        None => Vectors::Unwanted,
    };
    let chunks = query(Nearness::Meaning(vector.clone()), HITS_MAX, vectors);
    let chunks = stores.hybrid.search(&chunks);
    let of_files = async |signal: Signal, near: Nearness| {
        if files.weights.of_signal(signal) > 0.0 {
            let query = query(near, files.top, Vectors::Unwanted);
            stores.files.search(&query).await
        } else {
            Ok(Vec::new())
        }
    };
    let terms = corpus.weighted(&call.question.sparse);
    let (chunks, files, terms) = tokio::try_join!(
        chunks,
        of_files(Signal::File, Nearness::Meaning(vector)),
        of_files(Signal::Terms, Nearness::Terms(terms)),
    )?;
    Ok(Near { chunks, files, terms })
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

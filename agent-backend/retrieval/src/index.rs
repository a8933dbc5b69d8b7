//! Keeps a store equal to a workspace: what is new or changed is chunked,
//! embedded and written, what is gone is removed, and nothing else is touched.
//!
//! It may be killed, or the database lost, at any point: a file counts as
//! stored only when all of its chunks are, and ids depend on content alone, so
//! that the next run goes on where this one ended.

pub mod plan;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

pub use self::plan::Plan;
use self::whole::{Sums, Whole};
use crate::bm25::SparseVector;
use crate::chunk::Cut;
use crate::document::{self, Document};
use crate::embed::{self, Embedder};
use crate::error::Error;
use crate::identity::{self, WorkspaceId};
use crate::language::Language;
use crate::report::{Completeness, IndexReport, Mode, Phase, Progress};
use crate::store::{Point, Record, Store, StoredPoint};
use crate::walk::{self, FileStamp, Scan, SkipReason};

/// Files read and cut at a time; bounds memory.
const FILES_PER_STEP: usize = 64;
/// Points per embedding request and per upsert.
const POINTS_PER_BATCH: usize = 32;
/// Points per upsert where nothing has to be embedded.
const POINTS_PER_KEYWORD_BATCH: usize = 256;

/// Where to write and what with.
#[allow(missing_debug_implementations, reason = "it holds trait objects")]
pub struct Target<'a> {
    /// The collection of parts.
    pub store: &'a dyn Store,
    /// The collection of whole files, if there is one; only with an embedder.
    pub files: Option<&'a dyn Store>,
    /// The model whose collection it is; none for keywords alone.
    pub embedder: Option<&'a dyn Embedder>,
    /// The workspace.
    pub workspace: &'a WorkspaceId,
    /// Its canonical root.
    pub root: &'a Path,
    /// When to stop, if it takes that long.
    pub deadline: Option<Instant>,
}

/// What is known of the points of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    parts: plan::Manifest,
    files: plan::Manifest,
    /// See [`Store::generation`]; none if it is in doubt.
    generation: Option<String>,
}

impl Manifest {
    /// How many points of parts it knows of.
    pub fn points(&self) -> usize {
        self.parts.points()
    }

    /// The database's [generation](Store::generation) when it held this.
    pub fn generation(&self) -> Option<&str> {
        self.generation.as_deref()
    }

    /// The store is to be looked at again before this counts.
    pub fn doubt(&mut self) {
        self.generation = None;
    }

    /// Whether the collections `of` parts and `of_files` still hold this, as far as
    /// the database's generation and the number of points tell.
    pub async fn holds(
        &self,
        of: &dyn Store,
        of_files: Option<&dyn Store>,
        workspace: &WorkspaceId,
    ) -> Result<bool, Error> {
        if self.generation != Some(of.generation().await?) || self.points() != of.count(workspace).await? {
            return Ok(false);
        }
        match of_files {
            Some(store) => Ok(self.files.points() == store.count(workspace).await?),
            None => Ok(true),
        }
    }

    async fn look(target: &Target<'_>) -> Result<Self, Error> {
        // Before the listing: if it changes meanwhile, the next run finds it changed.
        let generation = Some(target.store.generation().await?);
        let parts = plan::Manifest::of(target.store.list(target.workspace).await?);
        let files = match target.files {
            Some(store) => plan::Manifest::of(store.list(target.workspace).await?),
            None => plan::Manifest::default(),
        };
        Ok(Self {
            parts,
            files,
            generation,
        })
    }
}

/// What the target holds. `known` is what an earlier run left in the store. It
/// counts only while the database did not start anew and holds as many points:
/// one that was killed may have lost some of its log.
pub async fn look(target: &Target<'_>, known: Option<Manifest>) -> Result<Manifest, Error> {
    target.store.prepare().await?;
    if let Some(store) = target.files {
        store.prepare().await?;
    }
    match known {
        Some(known) if known.holds(target.store, target.files, target.workspace).await? => Ok(known),
        Some(_) | None => Manifest::look(target).await,
    }
}

/// Brings the target, which holds `manifest`, up to date with `scan`. After an
/// error a new [`look`] is due.
pub async fn update(
    target: &Target<'_>,
    scan: &Scan,
    mut manifest: Manifest,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(IndexReport, Manifest), Error> {
    let plan = plan::plan(&scan.files, &manifest.parts);
    let mut write = plan.write;
    if let Some(store) = target.files {
        let of_files = plan::plan(&scan.files, &manifest.files);
        remove(store, &mut manifest.files, of_files.delete).await?;
        // A run that ended between the two collections left parts without a file.
        let there: BTreeSet<String> = write.iter().map(|file| file.path.clone()).collect();
        write.extend(
            of_files
                .write
                .into_iter()
                .filter(|file| !there.contains(&file.path)),
        );
    }
    let mut report = IndexReport {
        mode: if target.embedder.is_some() {
            Mode::Hybrid
        } else {
            Mode::Keyword
        },
        completeness: Completeness::Complete,
        notices: Vec::new(),
        files_total: scan.files.len(),
        files_indexed: 0,
        files_unchanged: scan.files.len() - write.len(),
        files_deleted: plan.files_deleted,
        files_unparsed: 0,
        chunks_written: 0,
        chunks_deleted: plan.delete.len(),
        skipped: scan.skipped.clone(),
    };
    remove(target.store, &mut manifest.parts, plan.delete).await?;
    let files_total = write.len();
    let tell = |report: &IndexReport, phase: Phase| {
        let (files_done, chunks_done) = (report.files_indexed, report.chunks_written);
        progress(Progress {
            phase,
            files_done,
            files_total,
            chunks_done,
        });
    };
    tell(&report, Phase::Indexing);
    for step in write.chunks(FILES_PER_STEP) {
        if !write_step(target, step, &mut manifest, &mut report, &tell).await? {
            report.completeness = Completeness::Partial;
            break;
        }
    }
    tell(&report, Phase::Done);
    Ok((report, manifest))
}

async fn remove(store: &dyn Store, manifest: &mut plan::Manifest, ids: Vec<Uuid>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    manifest.remove(&ids);
    store.delete(ids).await
}

/// Writes a few files; `false` if the time ran out on the way.
async fn write_step(
    target: &Target<'_>,
    files: &[FileStamp],
    manifest: &mut Manifest,
    report: &mut IndexReport,
    tell: &(dyn Fn(&IndexReport, Phase) + Send + Sync),
) -> Result<bool, Error> {
    let prepared = prepare(target, files).await?;
    for (reason, count) in prepared.skipped {
        *report.skipped.entry(reason).or_default() += count;
    }
    report.files_unparsed += prepared.unparsed;
    let size = if target.embedder.is_some() {
        POINTS_PER_BATCH
    } else {
        POINTS_PER_KEYWORD_BATCH
    };
    let (mut written, mut files_told, mut sums) = (Vec::new(), 0, Sums::default());
    for batch in prepared.documents.chunks(size) {
        let Some(points) = points(target, batch).await? else {
            return Ok(false);
        };
        written.extend(points.iter().map(stored));
        sums.add(batch, &points);
        report.chunks_written += points.len();
        target.store.upsert(points).await?;
        let ended = batch
            .iter()
            .filter(|document| document.ordinal + 1 == document.of);
        let ended = ended.count();
        files_told += ended;
        report.files_indexed += ended;
        tell(report, Phase::Indexing);
    }
    let paths = || files.iter().map(|file| file.path.as_str());
    if let Some(store) = target.files {
        let model = target.embedder.map(|embedder| embedder.identity().model);
        let point = |whole| sums.point(whole, target.workspace, model.as_deref());
        let points: Vec<Point> = prepared.wholes.into_iter().filter_map(point).collect();
        let new: Vec<StoredPoint> = points.iter().map(stored).collect();
        if !points.is_empty() {
            store.upsert(points).await?;
        }
        let stale = manifest.files.replace(paths(), new);
        if !stale.is_empty() {
            store.delete(stale).await?;
        }
    }
    // Only now: until the new chunks are stored, the old ones are all there is.
    let stale = manifest.parts.replace(paths(), written);
    report.chunks_deleted += stale.len();
    if !stale.is_empty() {
        target.store.delete(stale).await?;
    }
    // Those without a chunk.
    report.files_indexed += prepared.files - files_told;
    tell(report, Phase::Indexing);
    Ok(true)
}

#[derive(Debug, Default)]
struct Prepared {
    documents: Vec<Document>,
    wholes: Vec<Whole>,
    files: usize,
    unparsed: usize,
    skipped: BTreeMap<SkipReason, usize>,
}

async fn prepare(target: &Target<'_>, files: &[FileStamp]) -> Result<Prepared, Error> {
    let root: Arc<Path> = target.root.into();
    let has_wholes = target.files.is_some();
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    blocking(move || {
        let mut prepared = Prepared::default();
        for path in paths {
            match walk::read(&root, &path) {
                Ok((text, hash)) => {
                    let (documents, cut) = document::documents(&path, &text, hash);
                    if has_wholes {
                        prepared.wholes.push(Whole {
                            language: Language::of(&path),
                            content: hash,
                            end_line: documents.last().map_or(1, |document| document.chunk.end_line),
                            terms: document::terms(&path, &text),
                            path,
                        });
                    }
                    prepared.documents.extend(documents);
                    prepared.files += 1;
                    prepared.unparsed += usize::from(cut == Cut::SyntaxGivenUp);
                }
                Err(reason) => *prepared.skipped.entry(reason).or_default() += 1,
            }
        }
        prepared
    })
    .await
}

/// Runs what blocks (reading, parsing) off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::TaskBroke {
            reason: error.to_string(),
        })
}

/// The points of `documents`; none if the time ran out before they had vectors.
async fn points(target: &Target<'_>, documents: &[Document]) -> Result<Option<Vec<Point>>, Error> {
    if target.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Ok(None);
    }
    let Some(embedder) = target.embedder else {
        return Ok(Some(
            documents
                .iter()
                .map(|document| point(target, document, None))
                .collect(),
        ));
    };
    let texts: Vec<String> = documents.iter().map(Document::embedding_text).collect();
    let own = embedder.of_workspace(target.workspace);
    let embedding = embed::documents(own.as_deref().unwrap_or(embedder), &texts);
    let vectors = match target.deadline {
        None => embedding.await?,
        Some(deadline) => match tokio::time::timeout_at(deadline, embedding).await {
            Ok(vectors) => vectors?,
            Err(_) => return Ok(None),
        },
    };
    let points = documents
        .iter()
        .zip(vectors)
        .map(|(document, vector)| point(target, document, Some(vector)));
    Ok(Some(points.collect()))
}

fn point(target: &Target<'_>, document: &Document, dense: Option<Vec<f32>>) -> Point {
    let model = target.embedder.map(|embedder| embedder.identity().model);
    let Document {
        path,
        language,
        content,
        ordinal,
        of,
        chunk,
    } = document;
    Point {
        id: identity::point_id(target.workspace, path, *content, *ordinal, model.as_deref()),
        record: Record {
            workspace: target.workspace.clone(),
            path: path.clone(),
            language: *language,
            kind: chunk.kind,
            symbol: chunk.symbol.clone(),
            start_line: chunk.start_line,
            end_line: chunk.end_line,
            content: *content,
            chunks: u32::try_from(*of).unwrap_or(u32::MAX),
            text: chunk.text.clone(),
        },
        sparse: SparseVector::default(),
        dense,
    }
}

fn stored(point: &Point) -> StoredPoint {
    let Record {
        path,
        content,
        chunks,
        ..
    } = &point.record;
    StoredPoint {
        id: point.id,
        path: path.clone(),
        content: *content,
        chunks: *chunks,
    }
}

#[cfg(test)]
mod tests;

//! A store in memory that ranks as Qdrant does: exact cosine, BM25 with the
//! IDF of the whole collection, reciprocal rank fusion. For tests, here and in
//! the backend; nothing survives the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Hit, Point, Query, Store, StoredPoint};
use crate::bm25::{Idf, SparseVector};
use crate::error::Error;
use crate::fusion;
use crate::identity::WorkspaceId;

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryStore {
    points: Mutex<BTreeMap<Uuid, Point>>,
}

impl MemoryStore {
    /// Every point, by id.
    pub fn points(&self) -> Vec<Point> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Point>> {
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<StoredPoint>, Error> {
        let points = self.lock();
        let own = points
            .values()
            .filter(|point| point.record.workspace == *workspace);
        Ok(own
            .map(|point| StoredPoint {
                id: point.id,
                path: point.record.path.clone(),
                content: point.record.content,
                chunks: point.record.chunks,
            })
            .collect())
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<usize, Error> {
        Ok(self
            .lock()
            .values()
            .filter(|point| point.record.workspace == *workspace)
            .count())
    }

    async fn upsert(&self, points: Vec<Point>) -> Result<(), Error> {
        self.lock()
            .extend(points.into_iter().map(|point| (point.id, point)));
        Ok(())
    }

    async fn delete(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        let mut points = self.lock();
        for id in ids {
            points.remove(&id);
        }
        Ok(())
    }

    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), Error> {
        self.lock()
            .retain(|_, point| point.record.workspace != *workspace);
        Ok(())
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, Error> {
        let points = self.lock();
        let own: Vec<&Point> = points
            .values()
            .filter(|point| point.record.workspace == query.workspace)
            .collect();
        let idf = Idf::of(points.values().map(|point| &point.sparse));
        let keyword = ranked(&own, query.limit, |point| {
            keyword_score(&idf, &query.sparse, point)
        });
        let scored = match &query.dense {
            None => keyword,
            Some(dense) => {
                let by_meaning = ranked(&own, query.limit, |point| {
                    point
                        .dense
                        .as_ref()
                        .map(|vector| f64::from(cosine(dense, vector)))
                });
                if query.sparse.is_empty() {
                    return Ok(hits(&own, by_meaning));
                }
                let ids = |list: Vec<(usize, f64)>| list.into_iter().map(|(at, _)| at).collect();
                fusion::rrf(&[ids(by_meaning), ids(keyword)])
            }
        };
        Ok(hits(&own, scored.into_iter().take(query.limit)))
    }
}

fn hits(points: &[&Point], scored: impl IntoIterator<Item = (usize, f64)>) -> Vec<Hit> {
    let hit = |(at, score): (usize, f64)| Hit {
        record: points[at].record.clone(),
        score,
    };
    scored.into_iter().map(hit).collect()
}

fn keyword_score(idf: &Idf, query: &SparseVector, point: &Point) -> Option<f64> {
    let score = idf.score(query, &point.sparse);
    (score > 0.0).then_some(f64::from(score))
}

fn ranked(points: &[&Point], limit: usize, score: impl Fn(&Point) -> Option<f64>) -> Vec<(usize, f64)> {
    let scored = points
        .iter()
        .enumerate()
        .filter_map(|(at, point)| Some((at, score(point)?)));
    let mut scored: Vec<(usize, f64)> = scored.collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(limit);
    scored
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let norms = norm(a) * norm(b);
    if norms > 0.0 { dot / norms } else { 0.0 }
}

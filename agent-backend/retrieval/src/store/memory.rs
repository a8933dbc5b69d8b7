//! A store in memory that ranks as Qdrant does: exact cosine, exact products
//! of terms. For tests and measurements; nothing survives the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Hit, Nearness, Point, Query, Store, StoredPoint, Vectors};
use crate::bm25;
use crate::corpus::class::Class;
use crate::dedup::cosine;
use crate::error::Error;
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

    async fn generation(&self) -> Result<String, Error> {
        Ok(String::new())
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
        let is_wanted = |point: &&Point| {
            let record = &point.record;
            record.workspace == query.workspace
                && (query.languages.is_empty() || query.languages.contains(&record.language))
                && !query.without.contains(&Class::of(&record.path))
        };
        let score = |point: &Point| match &query.near {
            Nearness::Meaning(vector) => point.dense.as_ref().map(|own| cosine(vector, own)),
            Nearness::Terms(terms) => Some(bm25::product(terms, &point.sparse)).filter(|score| *score > 0.0),
        };
        let mut found: Vec<(f32, &Point)> = points
            .values()
            .filter(is_wanted)
            .filter_map(|point| Some((score(point)?, point)))
            .collect();
        let best_first = |a: &(f32, &Point), b: &(f32, &Point)| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id));
        if found.len() > query.limit {
            found.select_nth_unstable_by(query.limit, best_first);
            found.truncate(query.limit);
        }
        found.sort_unstable_by(best_first);
        let hit = |(score, point): (f32, &Point)| Hit {
            record: point.record.clone(),
            score: f64::from(score),
            vector: match query.vectors {
                Vectors::Wanted => point.dense.clone(),
                Vectors::Unwanted => None,
            },
        };
        Ok(found.into_iter().take(query.limit).map(hit).collect())
    }
}

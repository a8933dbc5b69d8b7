//! Moves collections from one Qdrant API to another: embedded to server,
//! server to cluster, or back.
//!
//! It knows both sides as gRPC addresses only. A batch is scrolled from the
//! source and upserted into the target; when it is acknowledged there, the place
//! to go on from is written to a state file, so that an interrupted run goes on
//! where it was. At the end counts and a sample of points are compared.

mod convert;
mod state;

use std::path::PathBuf;

use qdrant_client::{
    Qdrant, QdrantError,
    qdrant::{
        CountPointsBuilder, CreateAliasBuilder, CreateFieldIndexCollectionBuilder, GetPointsBuilder, PointId,
        Query, QueryPointsBuilder, RetrievedPoint, Sample, ScrollPointsBuilder, UpsertPointsBuilder,
    },
};
pub use state::State;

use crate::auth::Secret;

/// Points that are compared in each collection.
const SAMPLE_POINTS: u64 = 100;

/// Longest wait for one answer: a batch may build an index.
const ANSWER_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(120);

/// Vectors count as equal up to this, relative to their largest number: the
/// target may normalize once more.
const VECTOR_TOLERANCE: f32 = 1e-4;

/// Why a migration stopped. It can be started again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the two sides failed.
    #[error("{side} {call}: {source}")]
    Call {
        /// `source` or `target`.
        side: &'static str,
        /// What was asked for.
        call: String,
        /// What it said.
        source: Box<QdrantError>,
    },
    /// The state file cannot be used.
    #[error("state file {path}: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A message of the source makes no sense.
    #[error("the source answered without {0}")]
    Answer(&'static str),
    /// Everything was copied and the sides still differ.
    #[error("collection `{collection}` differs: {difference}")]
    Differs {
        /// The collection.
        collection: String,
        /// How.
        difference: String,
    },
}

type Result<T> = std::result::Result<T, Error>;

/// What is moved where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// gRPC address to read from, and its key.
    pub from: (String, Option<Secret>),
    /// gRPC address to write to, and its key.
    pub to: (String, Option<Secret>),
    /// Only these collections; all if empty.
    pub collections: Vec<String>,
    /// Points in one request.
    pub batch: u32,
    /// Shards of new collections; the target decides if not given.
    pub shards: Option<u32>,
    /// Replicas of each shard of new collections.
    pub replicas: Option<u32>,
    /// Where the progress is kept.
    pub state: PathBuf,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A collection begins, or goes on.
    Started {
        /// Its name.
        collection: String,
        /// Points to copy in all.
        points: u64,
        /// Points that an earlier run copied.
        copied: u64,
    },
    /// A batch is acknowledged.
    Copied {
        /// Points copied so far.
        copied: u64,
    },
    /// A collection is complete and compared.
    Verified {
        /// Its name.
        collection: String,
        /// Its points.
        points: u64,
        /// Points that were compared.
        sampled: u64,
    },
}

/// Runs `plan`, telling how far it is.
///
/// # Errors
/// [`Error`]; whatever was acknowledged is not copied again by the next run.
pub async fn run(plan: &Plan, mut told: impl FnMut(Progress)) -> Result<()> {
    let source = connect("source", &plan.from)?;
    let target = connect("target", &plan.to)?;
    let mut state = State::load(&plan.state, &plan.from.0, &plan.to.0)?;
    let names = if plan.collections.is_empty() {
        let list = source.list_collections().await;
        let list = list.map_err(failed("source", "list of collections"))?.collections;
        list.into_iter().map(|collection| collection.name).collect()
    } else {
        plan.collections.clone()
    };
    for name in &names {
        Move {
            plan,
            source: &source,
            target: &target,
            name,
        }
        .run(&mut state, &mut told)
        .await?;
    }
    // Aliases last: they lead readers to what is complete.
    for name in &names {
        let aliases = source.list_collection_aliases(name).await;
        for alias in aliases.map_err(failed("source", "aliases"))?.aliases {
            let create = CreateAliasBuilder::new(name, alias.alias_name);
            target
                .create_alias(create)
                .await
                .map_err(failed("target", "creating an alias"))?;
        }
    }
    state.remove(&plan.state)
}

fn connect(side: &'static str, (url, key): &(String, Option<Secret>)) -> Result<Qdrant> {
    let mut config = Qdrant::from_url(url)
        .skip_compatibility_check()
        .timeout(ANSWER_TIME_MAX);
    if let Some(key) = key {
        config = config.api_key(key.reveal());
    }
    config.build().map_err(failed(side, "connecting"))
}

fn failed(side: &'static str, call: impl Into<String>) -> impl FnOnce(QdrantError) -> Error {
    let call = call.into();
    move |source| Error::Call {
        side,
        call,
        source: Box::new(source),
    }
}

/// One collection on its way.
struct Move<'a> {
    plan: &'a Plan,
    source: &'a Qdrant,
    target: &'a Qdrant,
    name: &'a str,
}

impl Move<'_> {
    async fn run(&self, state: &mut State, told: &mut impl FnMut(Progress)) -> Result<()> {
        let points = count(self.source, "source", self.name).await?;
        let mut at = state.of(self.name);
        told(Progress::Started {
            collection: self.name.to_owned(),
            points,
            copied: at.copied,
        });
        if !at.complete {
            self.prepare().await?;
        }
        while !at.complete {
            let (copied, next) = self.batch(at.next.clone()).await?;
            at.copied += copied;
            at.complete = next.is_none();
            at.next = next;
            state.put(self.name, at.clone());
            state.save(&self.plan.state)?;
            told(Progress::Copied { copied: at.copied });
        }
        let sampled = self.verify(points).await?;
        told(Progress::Verified {
            collection: self.name.to_owned(),
            points,
            sampled,
        });
        Ok(())
    }

    /// Makes the collection and its indexes, if an earlier run did not. Indexes
    /// come before the points, because the graph is built with them.
    async fn prepare(&self) -> Result<()> {
        let info = self.source.collection_info(self.name).await;
        let info = info
            .map_err(failed("source", format!("collection `{}`", self.name)))?
            .result
            .ok_or(Error::Answer("a collection"))?;
        let schema = info.payload_schema;
        let config = info.config.ok_or(Error::Answer("a configuration"))?;
        let exists = self.target.collection_exists(self.name).await;
        if !exists.map_err(failed("target", "looking for the collection"))? {
            let new = convert::create(self.name, config, self.plan.shards, self.plan.replicas)?;
            let made = self.target.create_collection(new).await;
            made.map_err(failed("target", format!("creating `{}`", self.name)))?;
        }
        for (field, index) in schema {
            let call = format!("indexing `{field}` of `{}`", self.name);
            let kind = convert::field_type(index.data_type());
            let mut create = CreateFieldIndexCollectionBuilder::new(self.name, field, kind).wait(true);
            if let Some(params) = index.params.and_then(|params| params.index_params) {
                create = create.field_index_params(params);
            }
            let made = self.target.create_field_index(create).await;
            made.map_err(failed("target", call))?;
        }
        Ok(())
    }

    /// Copies the points from `offset` on: how many, and where the next begin.
    async fn batch(&self, offset: Option<PointId>) -> Result<(u64, Option<PointId>)> {
        let mut scroll = ScrollPointsBuilder::new(self.name)
            .limit(self.plan.batch)
            .with_payload(true)
            .with_vectors(true);
        if let Some(offset) = offset {
            scroll = scroll.offset(offset);
        }
        let page = self.source.scroll(scroll).await;
        let page = page.map_err(failed("source", format!("scrolling `{}`", self.name)))?;
        let points: Vec<_> = page.result.into_iter().map(convert::point).collect();
        let copied = u64::try_from(points.len()).unwrap_or(u64::MAX);
        if copied > 0 {
            let upsert = UpsertPointsBuilder::new(self.name, points).wait(true);
            let written = self.target.upsert_points(upsert).await;
            written.map_err(failed("target", format!("upserting into `{}`", self.name)))?;
        }
        Ok((copied, page.next_page_offset))
    }

    async fn verify(&self, points: u64) -> Result<u64> {
        let differs = |difference: String| Error::Differs {
            collection: self.name.to_owned(),
            difference,
        };
        let there = count(self.target, "target", self.name).await?;
        let here = count(self.source, "source", self.name).await?;
        if here != there {
            let note = if here == points {
                ""
            } else {
                " (the source was written to meanwhile)"
            };
            return Err(differs(format!(
                "{here} points in the source, {there} in the target{note}"
            )));
        }
        let random = QueryPointsBuilder::new(self.name)
            .query(Query::new_sample(Sample::Random))
            .limit(SAMPLE_POINTS);
        let sample = self.source.query(random).await;
        let sample = sample.map_err(failed("source", "a sample"))?.result;
        let ids: Vec<PointId> = sample.into_iter().filter_map(|point| point.id).collect();
        let mut ours = self.points(self.source, "source", &ids).await?;
        let mut theirs = self.points(self.target, "target", &ids).await?;
        for id in &ids {
            let (a, b) = (take(&mut ours, id), take(&mut theirs, id));
            match (a, b) {
                (Some(a), Some(b)) if convert::same(&a, &b, VECTOR_TOLERANCE) => {}
                // Deleted since the sample was taken.
                (None, _) => {}
                (Some(_), None) => return Err(differs(format!("point {id:?} is missing"))),
                (Some(_), Some(_)) => return Err(differs(format!("point {id:?} is not the same"))),
            }
        }
        Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX))
    }

    async fn points(
        &self,
        client: &Qdrant,
        side: &'static str,
        ids: &[PointId],
    ) -> Result<Vec<RetrievedPoint>> {
        let get = GetPointsBuilder::new(self.name, ids)
            .with_payload(true)
            .with_vectors(true);
        let found = client.get_points(get).await;
        Ok(found.map_err(failed(side, "reading the sample"))?.result)
    }
}

fn take(points: &mut Vec<RetrievedPoint>, id: &PointId) -> Option<RetrievedPoint> {
    let index = points.iter().position(|point| point.id.as_ref() == Some(id))?;
    Some(points.swap_remove(index))
}

async fn count(client: &Qdrant, side: &'static str, name: &str) -> Result<u64> {
    let count = client.count(CountPointsBuilder::new(name).exact(true)).await;
    let count = count.map_err(failed(side, format!("counting `{name}`")))?;
    Ok(count.result.ok_or(Error::Answer("a count"))?.count)
}

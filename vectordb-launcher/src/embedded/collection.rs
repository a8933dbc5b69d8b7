//! One collection: a shard of the engine and the folder it lives in.
//!
//! Every method blocks and belongs into the pool. Names, aliases and Qdrant's
//! messages are the concern of others.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use qdrant_edge::{
    CountRequest, EdgeConfig, EdgeShard, EdgeShardRead as _, FacetRequest, FacetResponse, Group,
    GroupRequest, OperationError, PointId, PointInsertOperations, PointOperations, QueryBatchRequest,
    QueryRequest, Record, ResourceBudget, RetrieveRequest, ScoredPoint, ScrollRequest, SearchMatrixRequest,
    SearchMatrixResponse, ShardInfo, UpdateOperation, VectorOperations, WithPayloadInterface, WithVector,
};
use tokio::sync::Mutex;

use super::{
    error::{Error, Result},
    precedence::Precedence,
    shard::Shard,
    space, validate,
};

/// Folder of half-built segments that a killed optimizer leaves behind; the
/// engine never removes it.
const TEMP_SEGMENTS: &str = "temp_segments";

/// Threads one optimizer run may use: indexing must not starve the searches.
const OPTIMIZER_THREADS: usize = 1;

/// Points that are applied at once while somebody searches: a search waits for one
/// piece at most, less than a millisecond.
const PIECE_POINTS: usize = 16;

/// How long one piece waits for searches to end, so that writes get on.
const PATIENCE: Duration = Duration::from_millis(8);

/// How long after a search the next one is expected.
const SEARCHING_TIME: Duration = Duration::from_secs(1);

/// Without a search for so long a collection is idle.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// What can be said of a formula that fails.
const FORMULA_FAILED: &str = "The formula cannot be computed for one of the points: a variable has no \
    value and no default or is no number, or a result is not finite";

/// An open collection.
#[derive(Debug)]
pub struct Collection {
    // Order matters: fields drop from the top, and the shard writes to its
    // folder when it closes.
    shard: Shard,
    /// Lets searches go before writes.
    precedence: Precedence,
    /// Held over each write, so that waiting writers occupy no pool thread.
    turn: Arc<Mutex<()>>,
    /// Held while the optimizer works or a copy is made: the optimizer exchanges
    /// segments, and a copy in the middle of it would have neither.
    upkeep: Arc<Mutex<()>>,
    /// Held over each flush, and over a copy.
    flushing: std::sync::Mutex<()>,
    /// Writes since the start; the number the last flush and the last optimizer run saw.
    written: AtomicU64,
    flushed: AtomicU64,
    optimized: AtomicU64,
    /// Whether the optimizer worked since the shard was opened.
    stale: AtomicBool,
    folder: Folder,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    doomed: AtomicBool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire)
            && let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            // The next start finds that no collection owns the folder and removes it.
            tracing::warn!(path = %self.path.display(), %error, "a deleted collection's folder stays for now");
        }
    }
}

impl Collection {
    /// Makes an empty collection in `path`, which must not exist.
    ///
    /// # Errors
    /// What the engine says about `config` or the disk.
    pub fn create(path: &Path, config: EdgeConfig) -> Result<Self> {
        space::check(shared::files::folder_of(path), space::reserve(&config))?;
        Ok(Self::around(Shard::create(path, config)?, path))
    }

    /// Opens the collection in `path`, applying what its log holds.
    ///
    /// # Errors
    /// What the engine says about the files.
    pub fn open(path: &Path) -> Result<Self> {
        match fs::remove_dir_all(path.join(TEMP_SEGMENTS)) {
            Ok(()) => tracing::info!(path = %path.display(), "removed what a killed optimizer left"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Internal(format!("cannot remove {TEMP_SEGMENTS}: {error}"))),
        }
        Ok(Self::around(Shard::open(path)?, path))
    }

    fn around(shard: Shard, path: &Path) -> Self {
        Self {
            shard,
            precedence: Precedence::default(),
            turn: Arc::default(),
            upkeep: Arc::default(),
            flushing: std::sync::Mutex::default(),
            written: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            // So that the first pass after a start looks at what an earlier run left.
            optimized: AtomicU64::new(u64::MAX),
            stale: AtomicBool::new(false),
            folder: Folder {
                path: path.to_owned(),
                doomed: AtomicBool::new(false),
            },
        }
    }

    /// The right to write; a writer waits for it before it enters the pool.
    pub fn turn(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.turn)
    }

    /// The right to exchange or copy segments; waited for outside the pool.
    pub fn upkeep(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.upkeep)
    }

    /// Copies the files into the new folder `target` and returns their bytes. The
    /// caller holds [`turn`](Self::turn) and [`upkeep`](Self::upkeep).
    ///
    /// # Errors
    /// [`Error::Internal`] for the disk.
    pub fn copy_to(&self, target: &Path) -> Result<u64> {
        self.flush()?;
        self.still(|files| crate::files::copy_tree(files, target))
            .map_err(|error| Error::Internal(format!("cannot copy to {}: {error}", target.display())))
    }

    /// Runs `work` on the files while no flush changes them.
    pub fn still<T>(&self, work: impl FnOnce(&Path) -> T) -> T {
        let _flushing = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        work(self.path())
    }

    /// The folder goes when the last user of the collection is done.
    pub fn doom(&self) {
        self.folder.doomed.store(true, Ordering::Release);
    }

    /// Where the files are.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    /// The engine's settings, vector names among them.
    pub fn config(&self) -> EdgeConfig {
        self.shard.with_config(EdgeConfig::clone)
    }

    /// Whether vectors called `name` exist and what they are.
    ///
    /// # Errors
    /// [`Error::BadInput`] if there are none.
    pub fn kind(&self, name: &str) -> Result<validate::Kind> {
        self.shard.with_config(|config| validate::kind(config, name))
    }

    /// Checks a vector that is searched for.
    ///
    /// # Errors
    /// [`Error::BadInput`] if it does not fit.
    pub fn check_query_vector(&self, name: &str, vector: &qdrant_edge::VectorInternal) -> Result<()> {
        self.shard
            .with_config(|config| validate::query_vector(config, name, vector))
    }

    /// Applies `operation` whole or not at all and returns its number, counted
    /// from the start of the process. When this returns the operation is in the
    /// engine's log: killing the process loses it no more.
    ///
    /// # Errors
    /// [`Error::BadInput`] or [`Error::NotFound`] before anything changed;
    /// [`Error::Internal`] if the disk failed.
    pub fn update(&self, operation: UpdateOperation) -> Result<u64> {
        self.check(&operation)?;
        let needed = self
            .shard
            .with_config(space::reserve)
            .saturating_add(space::weight(&operation));
        space::check(self.path(), needed)?;
        let applied = self.apply(operation);
        // Of what failed in its midst a part may be there, to be flushed.
        let number = self.written.fetch_add(1, Ordering::AcqRel);
        applied.map(|()| number)
    }

    /// Hands a checked operation to the engine, points piece by piece while
    /// somebody searches.
    fn apply(&self, operation: UpdateOperation) -> Result<()> {
        let mut points = match operation {
            UpdateOperation::PointOperation(PointOperations::UpsertPoints(
                PointInsertOperations::PointsList(points),
            )) => points.into_iter().peekable(),
            whole @ (UpdateOperation::PointOperation(_)
            | UpdateOperation::VectorOperation(_)
            | UpdateOperation::PayloadOperation(_)
            | UpdateOperation::FieldIndexOperation(_)
            | UpdateOperation::VectorNameOperation(_)) => {
                return self.shard.with(|shard| Ok(shard.update(whole)?));
            }
        };
        while points.peek().is_some() {
            let some = if self.precedence.searched_within(SEARCHING_TIME) {
                self.precedence.give_way(PATIENCE);
                points.by_ref().take(PIECE_POINTS).collect()
            } else {
                points.by_ref().collect()
            };
            let some = PointOperations::UpsertPoints(PointInsertOperations::PointsList(some));
            self.shard
                .with(|shard| Ok(shard.update(UpdateOperation::PointOperation(some))?))?;
        }
        Ok(())
    }

    fn check(&self, operation: &UpdateOperation) -> Result<()> {
        if validate::is_for_nobody(operation) {
            return Err(Error::BadRequest("Empty update request".to_owned()));
        }
        match operation {
            UpdateOperation::PointOperation(operation) => self.check_points(operation),
            UpdateOperation::VectorOperation(operation) => match operation {
                VectorOperations::UpdateVectors(update) => {
                    self.shard
                        .with_config(|config| validate::point_vectors(config, &update.points))?;
                    let ids: Vec<PointId> = update.points.iter().map(|point| point.id).collect();
                    self.check_exist(&ids)
                }
                VectorOperations::DeleteVectors(_, names)
                | VectorOperations::DeleteVectorsByFilter(_, names) => {
                    names.iter().try_for_each(|name| self.kind(name).map(|_| ()))
                }
            },
            UpdateOperation::PayloadOperation(_)
            | UpdateOperation::FieldIndexOperation(_)
            | UpdateOperation::VectorNameOperation(_) => Ok(()),
        }
    }

    fn check_points(&self, operation: &PointOperations) -> Result<()> {
        let inserted = match operation {
            PointOperations::UpsertPoints(points) => points,
            PointOperations::UpsertPointsConditional(conditional) => &conditional.points_op,
            PointOperations::DeletePoints { .. } | PointOperations::DeletePointsByFilter(_) => return Ok(()),
            PointOperations::SyncPoints(_)
            | PointOperations::UpsertPointsRaw(_)
            | PointOperations::SyncPointsRaw(_) => return Err(Error::unsupported("shard transfer")),
        };
        match inserted {
            PointInsertOperations::PointsList(points) => {
                self.shard.with_config(|config| validate::points(config, points))
            }
            PointInsertOperations::PointsBatch(_) => Err(Error::unsupported("a columnar batch")),
        }
    }

    /// The engine would apply the points before the missing one.
    fn check_exist(&self, ids: &[PointId]) -> Result<()> {
        let found = self.retrieve(RetrieveRequest {
            point_ids: ids.to_vec(),
            with_payload: None,
            with_vector: Some(WithVector::Bool(false)),
        })?;
        match ids
            .iter()
            .find(|id| !found.iter().any(|record| record.id == **id))
        {
            Some(missing) => Err(Error::NotFound(format!("No point with id {missing} found"))),
            None => Ok(()),
        }
    }

    /// Points by id, in the order asked for; missing ones are left out. Payloads
    /// only if the request says so: the engine alone would send them.
    ///
    /// # Errors
    /// What the engine says.
    pub fn retrieve(&self, mut request: RetrieveRequest) -> Result<Vec<Record>> {
        request
            .with_payload
            .get_or_insert(WithPayloadInterface::Bool(false));
        self.read(|shard| Ok(shard.retrieve(request)?))
    }

    /// A page of points and the id the next page starts with.
    ///
    /// # Errors
    /// What the engine says.
    pub fn scroll(&self, request: ScrollRequest) -> Result<(Vec<Record>, Option<PointId>)> {
        self.read(|shard| Ok(shard.scroll(request)?))
    }

    /// Number of points that match.
    ///
    /// # Errors
    /// What the engine says.
    pub fn count(&self, request: CountRequest) -> Result<usize> {
        self.read(|shard| Ok(shard.count(request)?))
    }

    /// Runs queries whose point ids were resolved, one result list each.
    ///
    /// # Errors
    /// What the engine says.
    pub fn query(&self, queries: Vec<QueryRequest>) -> Result<Vec<Vec<ScoredPoint>>> {
        let _searching = self.precedence.search();
        self.read(|shard| match shard.query_batch(QueryBatchRequest { queries }) {
            // Nothing here cancels a query. The engine does so itself when a
            // formula fails for a point, and forgets why.
            Err(OperationError::Cancelled { .. }) => Err(Error::BadInput(FORMULA_FAILED.to_owned())),
            answer => Ok(answer?),
        })
    }

    /// A query's results by the value of a payload field.
    ///
    /// # Errors
    /// What the engine says.
    pub fn query_groups(&self, request: GroupRequest) -> Result<Vec<Group>> {
        let _searching = self.precedence.search();
        self.read(|shard| Ok(shard.query_groups(request)?))
    }

    /// Values of a payload field with the number of their points.
    ///
    /// # Errors
    /// What the engine says.
    pub fn facet(&self, request: FacetRequest) -> Result<FacetResponse> {
        if request.limit == 0 {
            return Ok(FacetResponse { hits: Vec::new() });
        }
        self.read(|shard| Ok(shard.facet(request)?))
    }

    /// Distances among sampled points.
    ///
    /// # Errors
    /// What the engine says.
    pub fn search_matrix(&self, request: SearchMatrixRequest) -> Result<SearchMatrixResponse> {
        self.shard
            .with_config(|config| validate::configured(config, &request.using))?;
        self.read(|shard| Ok(shard.search_matrix(request)?))
    }

    /// Counts and payload indexes.
    ///
    /// # Errors
    /// What the engine says.
    pub fn info(&self) -> Result<ShardInfo> {
        self.read(|shard| Ok(shard.info()?))
    }

    /// Changes settings that need no rebuild at once.
    ///
    /// # Errors
    /// What the engine says.
    pub fn set_hnsw(&self, config: qdrant_edge::HnswIndexConfig) -> Result<()> {
        self.written.fetch_add(1, Ordering::AcqRel);
        self.shard.with(|shard| Ok(shard.set_hnsw_config(config)?))
    }

    /// As [`Self::set_hnsw`], for one vector.
    ///
    /// # Errors
    /// [`Error::BadInput`] if there is no such vector.
    pub fn set_vector_hnsw(&self, name: &str, config: qdrant_edge::HnswIndexConfig) -> Result<()> {
        self.written.fetch_add(1, Ordering::AcqRel);
        self.shard
            .with(|shard| Ok(shard.set_vector_hnsw_config(name, config)?))
    }

    /// Changes when segments are merged and indexed.
    ///
    /// # Errors
    /// What the engine says.
    pub fn set_optimizers(&self, config: qdrant_edge::EdgeOptimizersConfig) -> Result<()> {
        self.written.fetch_add(1, Ordering::AcqRel);
        self.shard.with(|shard| Ok(shard.set_optimizers_config(config)?))
    }

    /// Writes everything to the segments if there was a write since the last
    /// time; says whether there was.
    ///
    /// # Errors
    /// What the engine says about the disk.
    pub fn flush(&self) -> Result<bool> {
        let _flushing = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.written.load(Ordering::Acquire);
        if self.flushed.load(Ordering::Acquire) == written {
            return Ok(false);
        }
        self.shard.with(|shard| Ok(shard.flush()?))?;
        self.flushed.store(written, Ordering::Release);
        Ok(true)
    }

    /// Merges, cleans and indexes segments if there was a write since the last
    /// time and the engine finds it worthwhile; says whether it did. Readers
    /// and writers go on meanwhile.
    ///
    /// # Errors
    /// What the engine says.
    pub fn optimize(&self) -> Result<bool> {
        let written = self.written.load(Ordering::Acquire);
        if self.optimized.load(Ordering::Acquire) == written {
            return Ok(false);
        }
        // It writes segments anew before the old ones go.
        let own = crate::files::bytes_below(self.path());
        let needed = self.shard.with_config(space::reserve).saturating_add(own);
        space::check(self.path(), needed)?;
        let budget = ResourceBudget::new(OPTIMIZER_THREADS, OPTIMIZER_THREADS);
        let changed = self.shard.with(|shard| Ok(shard.optimize_with_budget(budget)?))?;
        self.optimized.store(written, Ordering::Release);
        if changed {
            self.stale.store(true, Ordering::Release);
        }
        Ok(changed)
    }

    /// Whether the optimizer has left files in memory that nobody needs, and
    /// nobody has searched or written for a while.
    pub fn wants_reopening(&self) -> bool {
        self.stale.load(Ordering::Acquire)
            && self.flushed.load(Ordering::Acquire) == self.written.load(Ordering::Acquire)
            && !self.precedence.searched_within(IDLE_TIME)
    }

    /// Closes the engine's files and opens them again, which gives back the memory
    /// that the optimizer left behind. Every call waits meanwhile, less than a
    /// second. The caller holds [`turn`](Self::turn) and [`upkeep`](Self::upkeep).
    ///
    /// # Errors
    /// [`Error::Internal`]: the files are damaged, and every later call says so.
    pub fn reopen(&self) -> Result<()> {
        let _flushing = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        self.stale.store(false, Ordering::Release);
        self.shard.reopen()
    }

    fn read<T>(&self, work: impl FnOnce(&EdgeShard) -> Result<T>) -> Result<T> {
        self.shard.with(work).map_err(Error::while_reading)
    }
}

//! Making and changing collections as REST writes it: the same messages that
//! gRPC sends, so that defaults and refusals are decided in one place. Only
//! quantization goes straight to the engine, which reads the REST form itself.

use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroU64},
};

use qdrant_client::qdrant::{
    self as grpc, vectors_config::Config as Vectors, vectors_config_diff::Config as VectorDiffs,
};
use qdrant_edge::{Distance, Memory, Modifier, MultiVectorConfig, QuantizationConfig, VectorStorageDatatype};
use serde::Deserialize;
use serde_json::{Map, Value};
use validator::{Validate, ValidationError, ValidationErrors};

use super::request::sentence;
use crate::embedded::{
    convert::{
        create::{self, Changes, NewCollection},
        index::wire_memory,
        info,
    },
    error::{Error, Result},
    store::AliasChange,
    validate::UNNAMED,
};

type Checked = std::result::Result<(), ValidationErrors>;

/// A new collection. Numbers of shards and replicas are taken and mean nothing.
#[derive(Debug, Deserialize, Validate)]
pub struct NewForm {
    #[validate(nested)]
    vectors: Option<VectorsConfig>,
    #[validate(range(min = 1))]
    shard_number: Option<u32>,
    #[validate(range(min = 1))]
    replication_factor: Option<u32>,
    #[validate(range(min = 1))]
    write_consistency_factor: Option<u32>,
    sparse_vectors: Option<HashMap<String, SparseForm>>,
    #[validate(nested)]
    hnsw_config: Option<HnswForm>,
    #[validate(nested)]
    wal_config: Option<WalForm>,
    #[validate(nested)]
    optimizers_config: Option<OptimizersForm>,
    #[validate(nested)]
    quantization_config: Option<QuantizationConfig>,
    on_disk_payload: Option<bool>,
    payload: Option<MemoryForm>,
    id_tracker: Option<MemoryForm>,
    sharding_method: Option<ShardingForm>,
    strict_mode_config: Option<StrictForm>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize, Validate)]
struct DenseForm {
    #[validate(custom(function = "dimensions"))]
    size: NonZeroU64,
    distance: Distance,
    #[validate(nested)]
    hnsw_config: Option<HnswForm>,
    #[validate(nested)]
    quantization_config: Option<QuantizationConfig>,
    on_disk: Option<bool>,
    datatype: Option<VectorStorageDatatype>,
    multivector_config: Option<MultiVectorConfig>,
    memory: Option<Memory>,
}

#[derive(Debug, Deserialize)]
struct SparseForm {
    index: Option<SparseIndexForm>,
    modifier: Option<Modifier>,
}

#[derive(Debug, Deserialize)]
struct SparseIndexForm {
    full_scan_threshold: Option<u64>,
    on_disk: Option<bool>,
    datatype: Option<VectorStorageDatatype>,
    memory: Option<Memory>,
}

#[derive(Debug, Deserialize, Validate)]
struct HnswForm {
    m: Option<u64>,
    #[validate(range(min = 4))]
    ef_construct: Option<u64>,
    #[validate(range(min = 10))]
    full_scan_threshold: Option<u64>,
    max_indexing_threads: Option<u64>,
    on_disk: Option<bool>,
    payload_m: Option<u64>,
    inline_storage: Option<bool>,
    memory: Option<Memory>,
}

/// What the embedded engine knows of it; the rest has no effect in either edge.
#[derive(Debug, Deserialize, Validate)]
struct OptimizersForm {
    #[validate(range(min = 0.0, max = 1.0))]
    deleted_threshold: Option<f64>,
    #[validate(range(min = 100))]
    vacuum_min_vector_number: Option<u64>,
    default_segment_number: Option<u64>,
    #[validate(range(min = 1))]
    max_segment_size: Option<u64>,
    indexing_threshold: Option<u64>,
    prevent_unoptimized: Option<bool>,
}

#[derive(Debug, Deserialize, Validate)]
struct WalForm {
    #[validate(range(min = 1))]
    wal_capacity_mb: Option<u64>,
    wal_segments_ahead: Option<u64>,
    wal_retain_closed: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct MemoryForm {
    memory: Option<Memory>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShardingForm {
    Auto,
    Custom,
}

#[derive(Debug, Deserialize)]
struct StrictForm {
    enabled: Option<bool>,
}

impl From<HnswForm> for grpc::HnswConfigDiff {
    #[expect(deprecated, reason = "older clients send the deprecated fields")]
    fn from(form: HnswForm) -> Self {
        Self {
            m: form.m,
            ef_construct: form.ef_construct,
            full_scan_threshold: form.full_scan_threshold,
            max_indexing_threads: form.max_indexing_threads,
            on_disk: form.on_disk,
            payload_m: form.payload_m,
            inline_storage: form.inline_storage,
            memory: wire_memory(form.memory),
        }
    }
}

impl From<OptimizersForm> for grpc::OptimizersConfigDiff {
    fn from(form: OptimizersForm) -> Self {
        Self {
            deleted_threshold: form.deleted_threshold,
            vacuum_min_vector_number: form.vacuum_min_vector_number,
            default_segment_number: form.default_segment_number,
            max_segment_size: form.max_segment_size,
            indexing_threshold: form.indexing_threshold,
            prevent_unoptimized: form.prevent_unoptimized,
            ..Self::default()
        }
    }
}

impl From<StrictForm> for grpc::StrictModeConfig {
    fn from(form: StrictForm) -> Self {
        Self {
            enabled: form.enabled,
            ..Self::default()
        }
    }
}

impl From<SparseForm> for grpc::SparseVectorParams {
    #[expect(deprecated, reason = "older clients send the deprecated fields")]
    fn from(form: SparseForm) -> Self {
        Self {
            index: form.index.map(|index| grpc::SparseIndexConfig {
                full_scan_threshold: index.full_scan_threshold,
                on_disk: index.on_disk,
                datatype: index.datatype.map(info::datatype),
                memory: wire_memory(index.memory),
            }),
            modifier: form.modifier.map(|modifier| match modifier {
                Modifier::None => grpc::Modifier::None.into(),
                Modifier::Idf => grpc::Modifier::Idf.into(),
            }),
        }
    }
}

impl From<DenseForm> for grpc::VectorParams {
    #[expect(deprecated, reason = "older clients send the deprecated fields")]
    fn from(form: DenseForm) -> Self {
        Self {
            size: form.size.get(),
            distance: info::distance(form.distance),
            hnsw_config: form.hnsw_config.map(Into::into),
            quantization_config: None,
            on_disk: form.on_disk,
            datatype: form.datatype.map(info::datatype),
            multivector_config: form
                .multivector_config
                .map(|_| grpc::MultiVectorConfig::default()),
            memory: wire_memory(form.memory),
        }
    }
}

/// One unnamed vector or several with names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum VectorsConfig {
    Single(Box<DenseForm>),
    Multi(HashMap<String, DenseForm>),
}

impl Validate for VectorsConfig {
    fn validate(&self) -> Checked {
        match self {
            Self::Single(form) => form.validate(),
            Self::Multi(forms) => first_wrong(forms.values()),
        }
    }
}

impl VectorsConfig {
    fn by_name(self) -> HashMap<String, DenseForm> {
        match self {
            Self::Single(form) => [(UNNAMED.to_owned(), *form)].into(),
            Self::Multi(forms) => forms,
        }
    }
}

/// Changes of vectors.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct ByName(HashMap<String, DenseChangeForm>);

impl Validate for ByName {
    fn validate(&self) -> Checked {
        first_wrong(self.0.values())
    }
}

/// The first that is wrong, at a place that does not tell its name, as in Qdrant.
fn first_wrong<'a, T: Validate + 'a>(mut forms: impl Iterator<Item = &'a T>) -> Checked {
    let Some(inside) = forms.find_map(|form| form.validate().err()) else {
        return Ok(());
    };
    let mut errors = ValidationErrors::new();
    errors.merge_self("?", Err(inside));
    Err(errors)
}

fn dimensions(size: &NonZeroU64) -> std::result::Result<(), ValidationError> {
    if size.get() <= create::DIMENSIONS_MAX {
        return Ok(());
    }
    let text = format!(
        "value {size} invalid, must be from 1 to {}",
        create::DIMENSIONS_MAX
    );
    Err(sentence("range", text))
}

/// The collection that `form` asks for.
///
/// # Errors
/// [`Error::Malformed`], [`Error::BadInput`], [`Error::Unsupported`].
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn create(name: String, form: NewForm) -> Result<NewCollection> {
    let mut quantized = HashMap::new();
    let mut map = HashMap::new();
    for (name, mut dense) in form.vectors.map(VectorsConfig::by_name).unwrap_or_default() {
        if let Some(config) = dense.quantization_config.take() {
            quantized.insert(name.clone(), config);
        }
        map.insert(name, dense.into());
    }
    let metadata = form.metadata.unwrap_or_default();
    let message = grpc::CreateCollection {
        collection_name: name,
        hnsw_config: form.hnsw_config.map(Into::into),
        wal_config: form.wal_config.map(|wal| grpc::WalConfigDiff {
            wal_capacity_mb: wal.wal_capacity_mb,
            wal_segments_ahead: wal.wal_segments_ahead,
            wal_retain_closed: wal.wal_retain_closed,
        }),
        optimizers_config: form.optimizers_config.map(Into::into),
        on_disk_payload: form.on_disk_payload,
        shard_number: form.shard_number,
        replication_factor: form.replication_factor,
        write_consistency_factor: form.write_consistency_factor,
        vectors_config: Some(grpc::VectorsConfig {
            config: Some(Vectors::ParamsMap(grpc::VectorParamsMap { map })),
        }),
        sharding_method: form.sharding_method.map(|method| match method {
            ShardingForm::Auto => grpc::ShardingMethod::Auto.into(),
            ShardingForm::Custom => grpc::ShardingMethod::Custom.into(),
        }),
        sparse_vectors_config: form.sparse_vectors.map(|vectors| grpc::SparseVectorConfig {
            map: vectors
                .into_iter()
                .map(|(name, sparse)| (name, sparse.into()))
                .collect(),
        }),
        strict_mode_config: form.strict_mode_config.map(Into::into),
        payload: form.payload.map(|form| grpc::PayloadStorageParams {
            memory: wire_memory(form.memory),
        }),
        id_tracker: form.id_tracker.map(|form| grpc::IdTrackerParams {
            memory: wire_memory(form.memory),
        }),
        ..grpc::CreateCollection::default()
    };
    let mut new = create::create(message)?;
    new.metadata = metadata;
    new.config.quantization_config = form.quantization_config;
    for (name, config) in quantized {
        if let Some(vector) = new.config.vectors.get_mut(&name) {
            vector.quantization_config = Some(config);
        }
    }
    Ok(new)
}

/// A change of a collection's settings.
#[derive(Debug, Deserialize, Validate)]
pub struct ChangeForm {
    #[validate(nested)]
    vectors: Option<ByName>,
    #[validate(nested)]
    hnsw_config: Option<HnswForm>,
    #[validate(nested)]
    optimizers_config: Option<OptimizersForm>,
    quantization_config: Option<Value>,
    sparse_vectors: Option<Value>,
    #[validate(nested)]
    params: Option<ParamsForm>,
    strict_mode_config: Option<StrictForm>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize, Validate)]
struct DenseChangeForm {
    #[validate(nested)]
    hnsw_config: Option<HnswForm>,
    quantization_config: Option<Value>,
    on_disk: Option<bool>,
    memory: Option<Memory>,
}

#[derive(Debug, Deserialize, Validate)]
struct ParamsForm {
    #[serde(rename = "replication_factor")]
    _replication_factor: Option<NonZeroU32>,
    #[serde(rename = "write_consistency_factor")]
    _write_consistency_factor: Option<NonZeroU32>,
    on_disk_payload: Option<bool>,
    payload: Option<MemoryForm>,
    id_tracker: Option<MemoryForm>,
}

/// What `form` changes.
///
/// # Errors
/// [`Error::Unsupported`] for what the engine cannot change.
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn changes(form: ChangeForm) -> Result<Changes> {
    let vectors = form.vectors.unwrap_or_default().0;
    if form.quantization_config.is_some() || vectors.values().any(|diff| diff.quantization_config.is_some()) {
        return Err(Error::unsupported("changing the quantization of a collection"));
    }
    let map = vectors.into_iter().map(|(name, diff)| {
        let diff = grpc::VectorParamsDiff {
            hnsw_config: diff.hnsw_config.map(Into::into),
            quantization_config: None,
            on_disk: diff.on_disk,
            memory: wire_memory(diff.memory),
        };
        (name, diff)
    });
    let mut changes = create::changes(grpc::UpdateCollection {
        vectors_config: Some(grpc::VectorsConfigDiff {
            config: Some(VectorDiffs::ParamsMap(grpc::VectorParamsDiffMap {
                map: map.collect(),
            })),
        }),
        hnsw_config: form.hnsw_config.map(Into::into),
        optimizers_config: form.optimizers_config.map(Into::into),
        sparse_vectors_config: form
            .sparse_vectors
            .filter(|vectors| !vectors.is_null())
            .map(|_| grpc::SparseVectorConfig::default()),
        params: form.params.map(|params| grpc::CollectionParamsDiff {
            on_disk_payload: params.on_disk_payload,
            payload: params.payload.map(|form| grpc::PayloadStorageParams {
                memory: wire_memory(form.memory),
            }),
            id_tracker: params.id_tracker.map(|form| grpc::IdTrackerParams {
                memory: wire_memory(form.memory),
            }),
            ..grpc::CollectionParamsDiff::default()
        }),
        strict_mode_config: form.strict_mode_config.map(Into::into),
        ..grpc::UpdateCollection::default()
    })?;
    changes.metadata = form.metadata.unwrap_or_default();
    Ok(changes)
}

/// Changes of aliases.
#[derive(Debug, Deserialize, Validate)]
pub struct AliasForm {
    actions: Vec<AliasOperations>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AliasOperations {
    Create { create_alias: CreateAlias },
    Rename { rename_alias: RenameAlias },
    Delete { delete_alias: DeleteAlias },
}

#[derive(Debug, Deserialize)]
struct CreateAlias {
    collection_name: String,
    alias_name: String,
}

#[derive(Debug, Deserialize)]
struct RenameAlias {
    old_alias_name: String,
    new_alias_name: String,
}

#[derive(Debug, Deserialize)]
struct DeleteAlias {
    alias_name: String,
}

impl AliasForm {
    /// The changes it asks for.
    pub fn changes(self) -> Vec<AliasChange> {
        let actions = self.actions.into_iter();
        actions
            .map(|action| match action {
                AliasOperations::Create { create_alias } => AliasChange::Create {
                    alias: create_alias.alias_name,
                    collection: create_alias.collection_name,
                },
                AliasOperations::Rename { rename_alias } => AliasChange::Rename {
                    old: rename_alias.old_alias_name,
                    new: rename_alias.new_alias_name,
                },
                AliasOperations::Delete { delete_alias } => AliasChange::Delete {
                    alias: delete_alias.alias_name,
                },
            })
            .collect()
    }
}

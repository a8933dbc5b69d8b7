//! Making and changing collections as REST writes it: the same messages that
//! gRPC sends, so that defaults and refusals are decided in one place. Only
//! quantization goes straight to the engine, which reads the REST form itself.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    self as grpc, vectors_config::Config as Vectors, vectors_config_diff::Config as VectorDiffs,
};
use qdrant_edge::{Distance, Memory, Modifier, MultiVectorConfig, QuantizationConfig, VectorStorageDatatype};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

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

/// A new collection. Numbers of shards and replicas are taken and mean nothing.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    vectors: Option<Value>,
    sparse_vectors: Option<HashMap<String, SparseForm>>,
    hnsw_config: Option<HnswForm>,
    wal_config: Option<WalForm>,
    optimizers_config: Option<OptimizersForm>,
    quantization_config: Option<QuantizationConfig>,
    on_disk_payload: Option<bool>,
    payload: Option<MemoryForm>,
    id_tracker: Option<MemoryForm>,
    sharding_method: Option<ShardingForm>,
    strict_mode_config: Option<StrictForm>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct DenseForm {
    size: u64,
    distance: Distance,
    hnsw_config: Option<HnswForm>,
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

#[derive(Debug, Deserialize)]
struct HnswForm {
    m: Option<u64>,
    ef_construct: Option<u64>,
    full_scan_threshold: Option<u64>,
    max_indexing_threads: Option<u64>,
    on_disk: Option<bool>,
    payload_m: Option<u64>,
    inline_storage: Option<bool>,
    memory: Option<Memory>,
}

/// What the embedded engine knows of it; the rest has no effect in either edge.
#[derive(Debug, Deserialize)]
struct OptimizersForm {
    deleted_threshold: Option<f64>,
    vacuum_min_vector_number: Option<u64>,
    default_segment_number: Option<u64>,
    max_segment_size: Option<u64>,
    indexing_threshold: Option<u64>,
    prevent_unoptimized: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct WalForm {
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
            size: form.size,
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

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|error| Error::Malformed(format!("Format error in JSON body: {error}")))
}

/// One unnamed vector or several with names. A vector cannot be called `size`
/// and be a number, so the two forms cannot be taken for each other.
fn by_name(value: Option<Value>) -> Result<Vec<(String, DenseForm)>> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) if value.get("size").is_some_and(Value::is_number) => {
            Ok(vec![(UNNAMED.to_owned(), read(value)?)])
        }
        Some(value) => Ok(read::<HashMap<String, DenseForm>>(value)?.into_iter().collect()),
    }
}

/// The collection that `form` asks for.
///
/// # Errors
/// [`Error::Malformed`], [`Error::BadInput`], [`Error::Unsupported`].
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn create(name: String, form: NewForm) -> Result<NewCollection> {
    let mut quantized = HashMap::new();
    let mut map = HashMap::new();
    for (name, mut dense) in by_name(form.vectors)? {
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
#[derive(Debug, Deserialize)]
pub struct ChangeForm {
    vectors: Option<HashMap<String, DenseChangeForm>>,
    hnsw_config: Option<HnswForm>,
    optimizers_config: Option<OptimizersForm>,
    quantization_config: Option<Value>,
    sparse_vectors: Option<Value>,
    params: Option<ParamsForm>,
    strict_mode_config: Option<StrictForm>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct DenseChangeForm {
    hnsw_config: Option<HnswForm>,
    quantization_config: Option<Value>,
    on_disk: Option<bool>,
    memory: Option<Memory>,
}

#[derive(Debug, Deserialize)]
struct ParamsForm {
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
    let vectors = form.vectors.unwrap_or_default();
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
#[derive(Debug, Deserialize)]
pub struct AliasForm {
    actions: Vec<AliasAction>,
}

#[derive(Debug, Deserialize)]
enum AliasAction {
    #[serde(rename = "create_alias")]
    Create {
        collection_name: String,
        alias_name: String,
    },
    #[serde(rename = "rename_alias")]
    Rename {
        old_alias_name: String,
        new_alias_name: String,
    },
    #[serde(rename = "delete_alias")]
    Delete { alias_name: String },
}

impl AliasForm {
    /// The changes it asks for.
    pub fn changes(self) -> Vec<AliasChange> {
        let actions = self.actions.into_iter();
        actions
            .map(|action| match action {
                AliasAction::Create {
                    collection_name: collection,
                    alias_name: alias,
                } => AliasChange::Create { alias, collection },
                AliasAction::Rename {
                    old_alias_name: old,
                    new_alias_name: new,
                } => AliasChange::Rename { old, new },
                AliasAction::Delete { alias_name: alias } => AliasChange::Delete { alias },
            })
            .collect()
    }
}

//! Making and changing collections.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    self as grpc, alias_operations::Action, quantization_config::Quantization as Wire,
    quantization_config_diff::Quantization as WireDiff, vectors_config::Config as Vectors,
    vectors_config_diff::Config as VectorDiffs,
};
use qdrant_edge::{
    CreateVectorName, DenseVectorConfig, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeSparseVectorParams,
    EdgeVectorParams, HnswIndexConfig, Memory, Modifier, MultiVectorConfig, QuantizationConfig,
    SparseVectorConfig, VectorNameConfig, VectorStorageDatatype, WalOptions,
};
use serde_json::{Map, Value, json};

use super::{
    index,
    point::{to_u64, to_usize},
};
use crate::embedded::{
    error::{Error, Result},
    store::AliasChange,
    validate::UNNAMED,
};

/// Vectors of a segment, in KiB, from which a graph is built; 45,000 of 384
/// dimensions. Below that, comparing with all of them is fast enough and a
/// build would only take processors from the backend.
pub const INDEXING_THRESHOLD_KB: usize = 65_000;

/// Threads of one graph build unless the request says.
pub const INDEXING_THREADS: usize = 1;

/// Qdrant's own defaults, which clients expect to be told: part of deleted
/// points from which a segment is cleaned, its fewest vectors, and the number of
/// segments, which the engine chooses.
const DELETED_THRESHOLD: f64 = 0.2;
const VACUUM_VECTORS_MIN: usize = 1000;
const SEGMENTS_CHOSEN: usize = 0;

/// Dimensions Qdrant accepts.
pub const DIMENSIONS_MAX: u64 = 65_536;

/// Bytes in the unit of `wal_capacity_mb`.
const MIB: usize = 1024 * 1024;

/// A collection that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCollection {
    /// The engine's settings.
    pub config: EdgeConfig,
    /// Free values.
    pub metadata: Map<String, Value>,
}

/// What a request for a new collection asks for. Numbers of shards and replicas
/// are taken and have no effect: there is one process.
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn create(value: grpc::CreateCollection) -> Result<NewCollection> {
    if value.sharding_method == Some(grpc::ShardingMethod::Custom.into()) {
        return Err(Error::unsupported("custom sharding"));
    }
    if value
        .strict_mode_config
        .as_ref()
        .is_some_and(|strict| strict.enabled == Some(true))
    {
        return Err(Error::unsupported("strict mode"));
    }
    let vectors = match value.vectors_config.and_then(|config| config.config) {
        Some(Vectors::Params(params)) => [(UNNAMED.to_owned(), dense(params)?)].into(),
        Some(Vectors::ParamsMap(params)) => params
            .map
            .into_iter()
            .map(|(name, params)| Ok((name, dense(params)?)))
            .collect::<Result<_>>()?,
        None => HashMap::new(),
    };
    let sparse_vectors = value
        .sparse_vectors_config
        .map(|config| config.map)
        .unwrap_or_default()
        .into_iter()
        .map(|(name, params)| Ok((name, sparse(params)?)))
        .collect::<Result<HashMap<_, _>>>()?;
    if let Some(name) = sparse_vectors.keys().find(|name| vectors.contains_key(*name)) {
        return Err(Error::BadInput(format!(
            "Dense and sparse vector names must be unique - duplicate found with '{name}'"
        )));
    }
    let config = EdgeConfig {
        on_disk_payload: value.on_disk_payload,
        payload_memory: value
            .payload
            .map(|params| memory(params.memory))
            .transpose()?
            .flatten(),
        id_tracker_memory: value
            .id_tracker
            .map(|params| memory(params.memory))
            .transpose()?
            .flatten(),
        vectors,
        sparse_vectors,
        hnsw_config: Some(hnsw(default_hnsw(), value.hnsw_config)?),
        quantization_config: value.quantization_config.map(quantization).transpose()?.flatten(),
        optimizers: Some(optimizers(default_optimizers(), value.optimizers_config)?),
        wal_options: value.wal_config.map(wal),
        wal_enabled: None,
        max_search_threads: None,
        search_pool_core: None,
    };
    Ok(NewCollection {
        config,
        metadata: metadata(value.metadata),
    })
}

/// Free values of a collection.
pub fn metadata(values: HashMap<String, grpc::Value>) -> Map<String, Value> {
    values
        .into_iter()
        .map(|(key, value)| (key, value.into_json()))
        .collect()
}

fn default_hnsw() -> HnswIndexConfig {
    HnswIndexConfig {
        max_indexing_threads: INDEXING_THREADS,
        ..HnswIndexConfig::default()
    }
}

fn default_optimizers() -> EdgeOptimizersConfig {
    EdgeOptimizersConfig {
        deleted_threshold: Some(DELETED_THRESHOLD),
        vacuum_min_vector_number: Some(VACUUM_VECTORS_MIN),
        default_segment_number: Some(SEGMENTS_CHOSEN),
        indexing_threshold: Some(INDEXING_THRESHOLD_KB),
        ..EdgeOptimizersConfig::default()
    }
}

#[expect(deprecated, reason = "older clients send the deprecated fields")]
fn dense(value: grpc::VectorParams) -> Result<EdgeVectorParams> {
    let grpc::VectorParams {
        size,
        distance: metric,
        hnsw_config,
        quantization_config,
        on_disk,
        datatype: numbers,
        multivector_config,
        memory: placement,
    } = value;
    Ok(EdgeVectorParams {
        size: dimensions(size)?,
        distance: distance(metric)?,
        on_disk,
        memory: memory(placement)?,
        multivector_config: multivector_config.map(multivector),
        datatype: datatype(numbers)?,
        quantization_config: quantization_config.map(quantization).transpose()?.flatten(),
        hnsw_config: hnsw_config
            .map(|diff| hnsw(default_hnsw(), Some(diff)))
            .transpose()?,
    })
}

fn dimensions(size: u64) -> Result<usize> {
    if (1..=DIMENSIONS_MAX).contains(&size) {
        Ok(to_usize(size))
    } else {
        Err(Error::Malformed(format!(
            "Validation error in body: [vectors_config.size: value {size} invalid, must be from 1 to {DIMENSIONS_MAX}]"
        )))
    }
}

/// There is one way to compare multi-vectors.
fn multivector(_: grpc::MultiVectorConfig) -> MultiVectorConfig {
    MultiVectorConfig::default()
}

fn distance(value: i32) -> Result<Distance> {
    match grpc::Distance::try_from(value) {
        Ok(grpc::Distance::Cosine) => Ok(Distance::Cosine),
        Ok(grpc::Distance::Euclid) => Ok(Distance::Euclid),
        Ok(grpc::Distance::Dot) => Ok(Distance::Dot),
        Ok(grpc::Distance::Manhattan) => Ok(Distance::Manhattan),
        Ok(grpc::Distance::UnknownDistance) => Err(Error::Malformed(
            "Malformed distance parameter: UnknownDistance".to_owned(),
        )),
        Err(_) => Err(Error::Malformed(format!(
            "Malformed distance parameter, unexpected value: {value}"
        ))),
    }
}

fn datatype(value: Option<i32>) -> Result<Option<VectorStorageDatatype>> {
    let Some(value) = value else { return Ok(None) };
    Ok(match grpc::Datatype::try_from(value) {
        Ok(grpc::Datatype::Default) => None,
        Ok(grpc::Datatype::Float32) => Some(VectorStorageDatatype::Float32),
        Ok(grpc::Datatype::Uint8) => Some(VectorStorageDatatype::Uint8),
        Ok(grpc::Datatype::Float16) => Some(VectorStorageDatatype::Float16),
        Ok(grpc::Datatype::Turbo4) => Some(VectorStorageDatatype::Turbo4),
        Ok(grpc::Datatype::Turbo8) => Some(VectorStorageDatatype::Turbo8),
        Ok(grpc::Datatype::Turbo16) => Some(VectorStorageDatatype::Turbo16),
        Err(_) => return Err(Error::Malformed(format!("Unknown datatype {value}"))),
    })
}

fn memory(value: Option<i32>) -> Result<Option<Memory>> {
    Ok(match index::memory(value)? {
        Some("cold") => Some(Memory::Cold),
        Some("cached") => Some(Memory::Cached),
        Some("pinned") => Some(Memory::Pinned),
        Some(_) | None => None,
    })
}

#[expect(deprecated, reason = "older clients send the deprecated fields")]
fn sparse(value: grpc::SparseVectorParams) -> Result<EdgeSparseVectorParams> {
    let index = value.index.unwrap_or_default();
    Ok(EdgeSparseVectorParams {
        full_scan_threshold: index.full_scan_threshold.map(to_usize),
        on_disk: index.on_disk,
        memory: memory(index.memory)?,
        modifier: modifier(value.modifier)?,
        datatype: datatype(index.datatype)?,
    })
}

fn modifier(value: Option<i32>) -> Result<Option<Modifier>> {
    let Some(value) = value else { return Ok(None) };
    match grpc::Modifier::try_from(value) {
        Ok(grpc::Modifier::None) => Ok(Some(Modifier::None)),
        Ok(grpc::Modifier::Idf) => Ok(Some(Modifier::Idf)),
        Err(_) => Err(Error::Malformed(format!("Unknown modifier {value}"))),
    }
}

/// `base` with what `diff` names.
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn hnsw(base: HnswIndexConfig, diff: Option<grpc::HnswConfigDiff>) -> Result<HnswIndexConfig> {
    let Some(diff) = diff else { return Ok(base) };
    Ok(HnswIndexConfig {
        m: diff.m.map_or(base.m, to_usize),
        ef_construct: diff.ef_construct.map_or(base.ef_construct, to_usize),
        full_scan_threshold: diff
            .full_scan_threshold
            .map_or(base.full_scan_threshold, to_usize),
        max_indexing_threads: diff
            .max_indexing_threads
            .map_or(base.max_indexing_threads, to_usize),
        on_disk: diff.on_disk.or(base.on_disk),
        memory: memory(diff.memory)?.or(base.memory),
        payload_m: diff.payload_m.map(to_usize).or(base.payload_m),
        inline_storage: diff.inline_storage.or(base.inline_storage),
    })
}

/// `base` with what `diff` names. Thresholds of storages that the engine does
/// not have, and the flush interval, which is the host's, have no effect.
pub fn optimizers(
    base: EdgeOptimizersConfig,
    diff: Option<grpc::OptimizersConfigDiff>,
) -> Result<EdgeOptimizersConfig> {
    let Some(diff) = diff else { return Ok(base) };
    if diff.prevent_unoptimized == Some(true) {
        return Err(Error::unsupported("prevent_unoptimized"));
    }
    Ok(EdgeOptimizersConfig {
        deleted_threshold: diff.deleted_threshold.or(base.deleted_threshold),
        vacuum_min_vector_number: diff
            .vacuum_min_vector_number
            .map(to_usize)
            .or(base.vacuum_min_vector_number),
        default_segment_number: diff
            .default_segment_number
            .map(to_usize)
            .or(base.default_segment_number),
        max_segment_size: diff.max_segment_size.map(to_usize).or(base.max_segment_size),
        indexing_threshold: diff.indexing_threshold.map(to_usize).or(base.indexing_threshold),
        prevent_unoptimized: base.prevent_unoptimized,
    })
}

fn wal(diff: grpc::WalConfigDiff) -> WalOptions {
    let base = WalOptions::default();
    WalOptions {
        segment_capacity: diff.wal_capacity_mb.map_or(base.segment_capacity, |megabytes| {
            to_usize(megabytes.max(1)).saturating_mul(MIB)
        }),
        segment_queue_len: diff.wal_segments_ahead.map_or(base.segment_queue_len, to_usize),
        retain_closed: diff
            .wal_retain_closed
            .and_then(|count| to_usize(count).try_into().ok())
            .unwrap_or(base.retain_closed),
    }
}

#[expect(deprecated, reason = "older clients send the deprecated fields")]
fn quantization(value: grpc::QuantizationConfig) -> Result<Option<QuantizationConfig>> {
    use grpc::binary_quantization_query_encoding::{Setting, Variant};
    let Some(value) = value.quantization else {
        return Ok(None);
    };
    // Through the REST form: the engine does not export all of the types.
    let form = match value {
        Wire::Scalar(scalar) => json!({"scalar": {
            "type": "int8", "quantile": scalar.quantile, "always_ram": scalar.always_ram,
            "memory": index::memory(scalar.memory)?,
        }}),
        Wire::Product(product) => json!({"product": {
            "compression": match grpc::CompressionRatio::try_from(product.compression) {
                Ok(grpc::CompressionRatio::X4) => "x4",
                Ok(grpc::CompressionRatio::X8) => "x8",
                Ok(grpc::CompressionRatio::X16) => "x16",
                Ok(grpc::CompressionRatio::X32) => "x32",
                Ok(grpc::CompressionRatio::X64) => "x64",
                Err(_) => return Err(Error::Malformed("Unknown compression ratio".to_owned())),
            },
            "always_ram": product.always_ram, "memory": index::memory(product.memory)?,
        }}),
        Wire::Binary(binary) => json!({"binary": {
            "always_ram": binary.always_ram, "memory": index::memory(binary.memory)?,
            "encoding": match binary.encoding.map(grpc::BinaryQuantizationEncoding::try_from) {
                None => None,
                Some(Ok(grpc::BinaryQuantizationEncoding::OneBit)) => Some("one_bit"),
                Some(Ok(grpc::BinaryQuantizationEncoding::TwoBits)) => Some("two_bits"),
                Some(Ok(grpc::BinaryQuantizationEncoding::OneAndHalfBits)) => Some("one_and_half_bits"),
                Some(Err(_)) => return Err(Error::Malformed("Unknown binary encoding".to_owned())),
            },
            "query_encoding": match binary.query_encoding.and_then(|encoding| encoding.variant) {
                None => None,
                Some(Variant::Setting(setting)) => Some(match Setting::try_from(setting) {
                    Ok(Setting::Default) => "default",
                    Ok(Setting::Binary) => "binary",
                    Ok(Setting::Scalar4Bits) => "scalar4bits",
                    Ok(Setting::Scalar8Bits) => "scalar8bits",
                    Err(_) => return Err(Error::Malformed("Unknown query encoding".to_owned())),
                }),
            },
        }}),
        Wire::Turboquant(turbo) => json!({"turbo": {
            "always_ram": turbo.always_ram, "memory": index::memory(turbo.memory)?,
            "bits": match turbo.bits.map(grpc::TurboQuantBitSize::try_from) {
                None => None,
                Some(Ok(grpc::TurboQuantBitSize::Bits1)) => Some("bits1"),
                Some(Ok(grpc::TurboQuantBitSize::Bits15)) => Some("bits1_5"),
                Some(Ok(grpc::TurboQuantBitSize::Bits2)) => Some("bits2"),
                Some(Ok(grpc::TurboQuantBitSize::Bits4)) => Some("bits4"),
                Some(Ok(grpc::TurboQuantBitSize::Bits8)) => Some("bits8"),
                Some(Err(_)) => return Err(Error::Malformed("Unknown bit size".to_owned())),
            },
        }}),
    };
    serde_json::from_value(form)
        .map(Some)
        .map_err(|error| Error::Malformed(format!("Malformed quantization config: {error}")))
}

/// A change of a collection's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// For all vectors.
    pub hnsw: Option<grpc::HnswConfigDiff>,
    /// For single vectors.
    pub vectors: Vec<(String, grpc::HnswConfigDiff)>,
    /// When segments are merged and indexed.
    pub optimizers: Option<grpc::OptimizersConfigDiff>,
    /// Free values to add.
    pub metadata: Map<String, Value>,
}

/// What a request to change a collection asks for.
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn changes(value: grpc::UpdateCollection) -> Result<Changes> {
    match value.quantization_config.and_then(|diff| diff.quantization) {
        None => {}
        Some(
            WireDiff::Scalar(_)
            | WireDiff::Product(_)
            | WireDiff::Binary(_)
            | WireDiff::Turboquant(_)
            | WireDiff::Disabled(_),
        ) => return Err(Error::unsupported("changing the quantization of a collection")),
    }
    if value.sparse_vectors_config.is_some() {
        return Err(Error::unsupported("changing sparse vectors of a collection"));
    }
    if value
        .strict_mode_config
        .is_some_and(|strict| strict.enabled == Some(true))
    {
        return Err(Error::unsupported("strict mode"));
    }
    if value.params.is_some_and(|params| {
        params.on_disk_payload.is_some() || params.payload.is_some() || params.id_tracker.is_some()
    }) {
        return Err(Error::unsupported(
            "changing where a collection keeps its payload",
        ));
    }
    let diffs = match value.vectors_config.and_then(|config| config.config) {
        None => Vec::new(),
        Some(VectorDiffs::Params(diff)) => vec![(UNNAMED.to_owned(), diff)],
        Some(VectorDiffs::ParamsMap(diffs)) => diffs.map.into_iter().collect(),
    };
    let mut vectors = Vec::new();
    for (name, diff) in diffs {
        if diff.quantization_config.is_some() || diff.on_disk.is_some() || diff.memory.is_some() {
            return Err(Error::unsupported("changing the storage of a vector"));
        }
        vectors.extend(diff.hnsw_config.map(|diff| (name, diff)));
    }
    Ok(Changes {
        hnsw: value.hnsw_config,
        vectors,
        optimizers: value.optimizers_config,
        metadata: metadata(value.metadata),
    })
}

/// A new vector name for an existing collection.
pub fn vector_name(value: grpc::CreateVectorNameRequest) -> Result<CreateVectorName> {
    use grpc::create_vector_name_request::VectorConfig;
    let Some(config) = value.vector_config else {
        return Err(Error::Malformed("vector_config is missing".to_owned()));
    };
    let form = match config {
        VectorConfig::DenseConfig(dense) => {
            let config = DenseVectorConfig {
                size: dimensions(dense.size)?,
                distance: distance(dense.distance)?,
                multivector_config: dense.multivector_config.map(multivector),
                datatype: datatype(dense.datatype)?,
            };
            serde_json::to_value(config).map(|config| json!({ "dense": config }))
        }
        VectorConfig::SparseConfig(sparse) => {
            let config = SparseVectorConfig {
                modifier: modifier(sparse.modifier)?,
                datatype: datatype(sparse.datatype)?,
            };
            serde_json::to_value(config).map(|config| json!({ "sparse": config }))
        }
    };
    let config = form
        .and_then(serde_json::from_value::<VectorNameConfig>)
        .map_err(|error| Error::Malformed(format!("Malformed vector config: {error}")))?;
    new_vector_name(value.vector_name, config)
}

/// A new vector name whose parameters are in the engine's form.
pub fn new_vector_name(vector_name: String, config: VectorNameConfig) -> Result<CreateVectorName> {
    match &config {
        VectorNameConfig::Dense(dense) => {
            dimensions(to_u64(dense.dense.size))?;
        }
        VectorNameConfig::Sparse(_) => {}
    }
    Ok(CreateVectorName { vector_name, config })
}

/// Changes of aliases.
pub fn aliases(actions: Vec<grpc::AliasOperations>) -> Result<Vec<AliasChange>> {
    actions
        .into_iter()
        .map(|operation| match operation.action {
            Some(Action::CreateAlias(value)) => Ok(AliasChange::Create {
                alias: value.alias_name,
                collection: value.collection_name,
            }),
            Some(Action::RenameAlias(value)) => Ok(AliasChange::Rename {
                old: value.old_alias_name,
                new: value.new_alias_name,
            }),
            Some(Action::DeleteAlias(value)) => Ok(AliasChange::Delete {
                alias: value.alias_name,
            }),
            None => Err(Error::Malformed("Malformed AliasOperation type".to_owned())),
        })
        .collect()
}

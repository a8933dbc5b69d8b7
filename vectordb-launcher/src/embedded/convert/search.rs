//! Searches: the universal query and the older calls it replaced.

use qdrant_client::qdrant::{
    self as grpc, query::Variant as QueryVariant, start_from::Value as Start, vector_example::Example,
    vector_input::Variant as InputVariant,
};
use qdrant_edge::{
    AcornSearchParams, DateTimeWrapper, Direction, Fusion, IdfParams, NaiveFeedbackStrategy, OrderBy,
    QuantizationSearchParams, SearchParams, StartFrom, VectorInternal, WithPayloadInterface,
    external::ordered_float::OrderedFloat,
};

use super::{
    filter::{self, instant, path},
    formula::formula,
    point::{
        multi, no_inference, point_id, sparse, to_usize, vector, vector_name, with_payload, with_vectors,
    },
    update::no_shard_key,
};
use crate::embedded::{
    error::{Error, Result},
    query::{DEFAULT_LIMIT, Input, Lookup, Search, Stage, Strategy, Wanted},
};

/// What Qdrant's `Fusion::Rrf` means when the request names no constant.
pub const RRF_K: usize = 2;

fn limit(value: Option<u64>) -> usize {
    value.map_or(DEFAULT_LIMIT, to_usize)
}

fn payload(selector: Option<grpc::WithPayloadSelector>) -> Result<WithPayloadInterface> {
    Ok(with_payload(selector)?.unwrap_or(WithPayloadInterface::Bool(false)))
}

/// The universal query.
pub fn query(value: grpc::QueryPoints) -> Result<Search> {
    no_shard_key(value.shard_key_selector.as_ref())?;
    Ok(Search {
        stage: Stage {
            prefetch: value.prefetch.into_iter().map(prefetch).collect::<Result<_>>()?,
            wanted: value.query.map(wanted).transpose()?,
            using: vector_name(value.using),
            filter: filter::optional(value.filter)?,
            params: value.params.map(params).transpose()?,
            score_threshold: value.score_threshold,
            limit: limit(value.limit),
            lookup: lookup(value.lookup_from)?,
        },
        offset: value.offset.map_or(0, to_usize),
        with_vector: with_vectors(value.with_vectors),
        with_payload: payload(value.with_payload)?,
    })
}

/// The universal query by groups, without what says how to group.
pub fn grouped_query(value: grpc::QueryPointGroups) -> Result<Search> {
    query(grpc::QueryPoints {
        collection_name: value.collection_name,
        prefetch: value.prefetch,
        query: value.query,
        using: value.using,
        filter: value.filter,
        params: value.params,
        score_threshold: value.score_threshold,
        limit: value.limit,
        offset: None,
        with_vectors: value.with_vectors,
        with_payload: value.with_payload,
        read_consistency: None,
        shard_key_selector: value.shard_key_selector,
        lookup_from: value.lookup_from,
        timeout: None,
    })
}

fn prefetch(value: grpc::PrefetchQuery) -> Result<Stage> {
    Ok(Stage {
        prefetch: value.prefetch.into_iter().map(prefetch).collect::<Result<_>>()?,
        wanted: value.query.map(wanted).transpose()?,
        using: vector_name(value.using),
        filter: filter::optional(value.filter)?,
        params: value.params.map(params).transpose()?,
        score_threshold: value.score_threshold,
        limit: limit(value.limit),
        lookup: lookup(value.lookup_from)?,
    })
}

fn lookup(value: Option<grpc::LookupLocation>) -> Result<Option<Lookup>> {
    let Some(value) = value else { return Ok(None) };
    no_shard_key(value.shard_key_selector.as_ref())?;
    Ok(Some(Lookup {
        collection: value.collection_name,
        vector: value.vector_name,
    }))
}

fn missing(what: &str) -> Error {
    Error::Malformed(format!("{what} is missing"))
}

fn wanted(value: grpc::Query) -> Result<Wanted> {
    Ok(match value.variant.ok_or_else(|| missing("Query variant"))? {
        QueryVariant::Nearest(value) => Wanted::Nearest(input(value)?),
        QueryVariant::Recommend(value) => Wanted::Recommend {
            // Qdrant takes an unknown one for the first here, and refuses it in the
            // older call.
            strategy: strategy(value.strategy).unwrap_or(Strategy::Average),
            positive: value.positive.into_iter().map(input).collect::<Result<_>>()?,
            negative: value.negative.into_iter().map(input).collect::<Result<_>>()?,
        },
        QueryVariant::Discover(value) => Wanted::Discover {
            target: input(value.target.ok_or_else(|| missing("DiscoverInput target"))?)?,
            pairs: pairs(value.context.ok_or_else(|| missing("DiscoverInput context"))?)?,
        },
        QueryVariant::Context(value) => Wanted::Context(pairs(value)?),
        QueryVariant::OrderBy(value) => Wanted::OrderBy(order_by(value)?),
        QueryVariant::Fusion(value) => Wanted::Fusion(match grpc::Fusion::try_from(value) {
            Ok(grpc::Fusion::Rrf) => Fusion::Rrf {
                k: RRF_K,
                weights: None,
            },
            Ok(grpc::Fusion::Dbsf) => Fusion::Dbsf,
            Err(_) => return Err(Error::Malformed(format!("invalid fusion type value {value}"))),
        }),
        QueryVariant::Rrf(value) => {
            let k = value.k.map_or(RRF_K, |k| to_usize(k.into()));
            if k == 0 {
                return Err(Error::Malformed("rrf.k must be greater than 0".to_owned()));
            }
            let weights = value.weights.into_iter().map(OrderedFloat).collect::<Vec<_>>();
            Wanted::Fusion(Fusion::Rrf {
                k,
                weights: Some(weights).filter(|weights| !weights.is_empty()),
            })
        }
        QueryVariant::Sample(value) => match grpc::Sample::try_from(value) {
            Ok(grpc::Sample::Random) => Wanted::Sample,
            Err(_) => return Err(Error::Malformed(format!("invalid sample type value {value}"))),
        },
        QueryVariant::Formula(value) => Wanted::Formula(formula(value)?),
        QueryVariant::NearestWithMmr(value) => {
            let nearest = input(value.nearest.ok_or_else(|| missing("nearest vector"))?)?;
            let mmr = value.mmr.ok_or_else(|| missing("mmr"))?;
            Wanted::Mmr {
                nearest,
                lambda: mmr.diversity.map(|diversity| 1.0 - diversity),
                candidates: mmr.candidates_limit.map(|limit| to_usize(limit.into())),
            }
        }
        QueryVariant::RelevanceFeedback(value) => feedback(value)?,
        QueryVariant::Text(_) => return Err(Error::unsupported("a text query")),
    })
}

fn feedback(value: grpc::RelevanceFeedbackInput) -> Result<Wanted> {
    use grpc::feedback_strategy::Variant;
    let examples = value
        .feedback
        .into_iter()
        .map(|item| {
            Ok((
                input(item.example.ok_or_else(|| missing("feedback example"))?)?,
                item.score,
            ))
        })
        .collect::<Result<_>>()?;
    let Some(Variant::Naive(naive)) = value.strategy.and_then(|strategy| strategy.variant) else {
        return Err(missing("strategy"));
    };
    Ok(Wanted::Feedback {
        target: input(value.target.ok_or_else(|| missing("target"))?)?,
        examples,
        strategy: NaiveFeedbackStrategy {
            a: OrderedFloat(naive.a),
            b: OrderedFloat(naive.b),
            c: OrderedFloat(naive.c),
        },
    })
}

fn input(value: grpc::VectorInput) -> Result<Input> {
    Ok(
        match value.variant.ok_or_else(|| missing("VectorInput variant"))? {
            InputVariant::Id(id) => Input::Point(point_id(Some(id))?),
            InputVariant::Dense(dense) => Input::Vector(VectorInternal::Dense(dense.data)),
            InputVariant::Sparse(value) => Input::Vector(sparse(value.indices, value.values)),
            InputVariant::MultiDense(value) => {
                Input::Vector(multi(value.vectors.into_iter().map(|row| row.data).collect())?)
            }
            InputVariant::Document(_) | InputVariant::Image(_) | InputVariant::Object(_) => {
                return Err(no_inference());
            }
        },
    )
}

fn strategy(value: Option<i32>) -> Result<Strategy> {
    let Some(value) = value else {
        return Ok(Strategy::Average);
    };
    match grpc::RecommendStrategy::try_from(value) {
        Ok(grpc::RecommendStrategy::AverageVector) => Ok(Strategy::Average),
        Ok(grpc::RecommendStrategy::BestScore) => Ok(Strategy::BestScore),
        Ok(grpc::RecommendStrategy::SumScores) => Ok(Strategy::SumScores),
        Err(_) => Err(Error::Malformed(format!("Unknown recommend strategy: {value}"))),
    }
}

fn pairs(value: grpc::ContextInput) -> Result<Vec<(Input, Input)>> {
    value
        .pairs
        .into_iter()
        .map(|pair| {
            let positive = pair.positive.ok_or_else(|| missing("ContextPair positive"))?;
            let negative = pair.negative.ok_or_else(|| missing("ContextPair negative"))?;
            Ok((input(positive)?, input(negative)?))
        })
        .collect()
}

/// Order by a payload field.
pub fn order_by(value: grpc::OrderBy) -> Result<OrderBy> {
    let direction = value
        .direction
        .map(|direction| match grpc::Direction::try_from(direction) {
            Ok(grpc::Direction::Asc) => Ok(Direction::Asc),
            Ok(grpc::Direction::Desc) => Ok(Direction::Desc),
            Err(_) => Err(Error::Malformed(format!("Invalid direction: {direction}"))),
        })
        .transpose()?;
    let start_from = value
        .start_from
        .and_then(|start| start.value)
        .map(|start| -> Result<StartFrom> {
            Ok(match start {
                Start::Float(number) => StartFrom::Float(number),
                Start::Integer(number) => StartFrom::Integer(number),
                Start::Timestamp(moment) => StartFrom::Datetime(instant(moment)?),
                Start::Datetime(text) => StartFrom::Datetime(
                    text.parse::<DateTimeWrapper>()
                        .map_err(|_| Error::Malformed("Unable to parse datetime".to_owned()))?,
                ),
            })
        })
        .transpose()?;
    Ok(OrderBy {
        key: path(&value.key)?,
        direction,
        start_from,
    })
}

fn params(value: grpc::SearchParams) -> Result<SearchParams> {
    let grpc::SearchParams {
        hnsw_ef,
        exact,
        quantization,
        indexed_only,
        acorn,
        idf,
    } = value;
    Ok(SearchParams {
        hnsw_ef: hnsw_ef.map(to_usize),
        exact: exact.unwrap_or(false),
        quantization: quantization.map(|value| QuantizationSearchParams {
            ignore: value.ignore.unwrap_or(false),
            rescore: value.rescore,
            oversampling: value.oversampling,
        }),
        indexed_only: indexed_only.unwrap_or(false),
        acorn: acorn.map(|value| AcornSearchParams {
            enable: value.enable.unwrap_or(false),
            max_selectivity: value.max_selectivity.map(OrderedFloat),
        }),
        idf: idf
            .and_then(|value| value.corpus)
            .map(|corpus| -> Result<IdfParams> {
                Ok(IdfParams::Corpus(qdrant_edge::IdfCorpusParams {
                    corpus: filter::filter(corpus)?,
                }))
            })
            .transpose()?,
    })
}

/// The older search by one vector.
pub fn search(value: grpc::SearchPoints) -> Result<Search> {
    no_shard_key(value.shard_key_selector.as_ref())?;
    let target = match value.sparse_indices {
        Some(indices) => sparse(indices.data, value.vector),
        None => VectorInternal::Dense(value.vector),
    };
    Ok(Search {
        stage: Stage {
            wanted: Some(Wanted::Nearest(Input::Vector(target))),
            using: vector_name(value.vector_name),
            filter: filter::optional(value.filter)?,
            params: value.params.map(params).transpose()?,
            score_threshold: value.score_threshold,
            limit: to_usize(value.limit),
            ..Stage::default()
        },
        offset: value.offset.map_or(0, to_usize),
        with_vector: with_vectors(value.with_vectors),
        with_payload: payload(value.with_payload)?,
    })
}

/// The older search by groups, without what says how to group.
pub fn grouped_search(value: grpc::SearchPointGroups) -> Result<Search> {
    search(grpc::SearchPoints {
        collection_name: value.collection_name,
        vector: value.vector,
        filter: value.filter,
        limit: value.limit.into(),
        with_payload: value.with_payload,
        params: value.params,
        score_threshold: value.score_threshold,
        offset: None,
        vector_name: value.vector_name,
        with_vectors: value.with_vectors,
        read_consistency: None,
        timeout: None,
        shard_key_selector: value.shard_key_selector,
        sparse_indices: value.sparse_indices,
    })
}

/// The older recommendation.
pub fn recommend(value: grpc::RecommendPoints) -> Result<Search> {
    no_shard_key(value.shard_key_selector.as_ref())?;
    Ok(Search {
        stage: Stage {
            wanted: Some(Wanted::Recommend {
                strategy: strategy(value.strategy)?,
                positive: examples(value.positive, value.positive_vectors)?,
                negative: examples(value.negative, value.negative_vectors)?,
            }),
            using: vector_name(value.using),
            filter: filter::optional(value.filter)?,
            params: value.params.map(params).transpose()?,
            score_threshold: value.score_threshold,
            limit: to_usize(value.limit),
            lookup: lookup(value.lookup_from)?,
            ..Stage::default()
        },
        offset: value.offset.map_or(0, to_usize),
        with_vector: with_vectors(value.with_vectors),
        with_payload: payload(value.with_payload)?,
    })
}

fn examples(ids: Vec<grpc::PointId>, vectors: Vec<grpc::Vector>) -> Result<Vec<Input>> {
    let ids = ids.into_iter().map(|id| Ok(Input::Point(point_id(Some(id))?)));
    let vectors = vectors.into_iter().map(|value| Ok(Input::Vector(vector(value)?)));
    ids.chain(vectors).collect()
}

/// The older discovery; without a target it is a context search.
pub fn discover(value: grpc::DiscoverPoints) -> Result<Search> {
    no_shard_key(value.shard_key_selector.as_ref())?;
    let pairs = value
        .context
        .into_iter()
        .map(|pair| {
            let positive = pair
                .positive
                .ok_or_else(|| missing("ContextExamplePair positive"))?;
            let negative = pair
                .negative
                .ok_or_else(|| missing("ContextExamplePair negative"))?;
            Ok((example(positive)?, example(negative)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let wanted = match value.target.and_then(|target| target.target) {
        Some(grpc::target_vector::Target::Single(target)) => Wanted::Discover {
            target: example(target)?,
            pairs,
        },
        None => Wanted::Context(pairs),
    };
    Ok(Search {
        stage: Stage {
            wanted: Some(wanted),
            using: vector_name(value.using),
            filter: filter::optional(value.filter)?,
            params: value.params.map(params).transpose()?,
            limit: to_usize(value.limit),
            lookup: lookup(value.lookup_from)?,
            ..Stage::default()
        },
        offset: value.offset.map_or(0, to_usize),
        with_vector: with_vectors(value.with_vectors),
        with_payload: payload(value.with_payload)?,
    })
}

fn example(value: grpc::VectorExample) -> Result<Input> {
    match value.example {
        Some(Example::Id(id)) => Ok(Input::Point(point_id(Some(id))?)),
        Some(Example::Vector(value)) => Ok(Input::Vector(vector(value)?)),
        None => Err(missing("VectorExample")),
    }
}

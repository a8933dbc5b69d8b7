//! Searches as REST writes them. Filters, parameters and selectors are the
//! engine's own types, which read Qdrant's REST form by themselves.

use std::collections::HashMap;

use qdrant_edge::{
    Filter, Fusion, NaiveFeedbackStrategy, OrderByInterface, PointId, SearchParams, SparseVector,
    VectorInternal, WithPayloadInterface, WithVector, external::ordered_float::OrderedFloat,
};
use serde::Deserialize;
use serde_json::Value;

use super::formula;
use crate::embedded::{
    calls::shard_key_refused,
    convert::{point, search::RRF_K},
    error::{Error, Result},
    query::{DEFAULT_LIMIT, Input, Lookup, Search, Stage, Strategy, Wanted},
    validate::UNNAMED,
};

/// One or several. Boxed, because a prefetch is a query again.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Several<T> {
    Many(Vec<T>),
    One(Box<T>),
}

impl<T> Several<T> {
    fn into_vec(value: Option<Self>) -> Vec<T> {
        match value {
            None => Vec::new(),
            Some(Self::One(one)) => vec![*one],
            Some(Self::Many(many)) => many,
        }
    }
}

/// The universal query, and each of its prefetches.
#[derive(Debug, Deserialize)]
pub struct Query {
    prefetch: Option<Several<Query>>,
    query: Option<Asked>,
    using: Option<String>,
    filter: Option<Filter>,
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    limit: Option<usize>,
    offset: Option<usize>,
    with_vector: Option<WithVector>,
    with_payload: Option<WithPayloadInterface>,
    lookup_from: Option<LookupFrom>,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct LookupFrom {
    collection: String,
    vector: Option<String>,
    shard_key: Option<Value>,
}

/// What a query asks for: a tagged form, or a vector or id to be near to.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asked {
    Nearest {
        nearest: Given,
        mmr: Option<Mmr>,
    },
    Recommend {
        recommend: Recommend,
    },
    Discover {
        discover: Discover,
    },
    Context {
        context: Several<Pair>,
    },
    OrderBy {
        order_by: OrderByInterface,
    },
    Fusion {
        fusion: FusionName,
    },
    Rrf {
        rrf: Rrf,
    },
    Formula {
        formula: Value,
        defaults: Option<HashMap<String, Value>>,
    },
    Sample {
        sample: SampleName,
    },
    Feedback {
        relevance_feedback: Feedback,
    },
    Plain(Given),
}

/// A vector, or the point that has it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Given {
    Dense(Vec<f32>),
    Sparse(SparseVector),
    Multi(Vec<Vec<f32>>),
    Id(PointId),
    Inference {
        #[serde(rename = "model")]
        _model: String,
    },
}

#[derive(Debug, Deserialize)]
struct Mmr {
    diversity: Option<f32>,
    candidates_limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Recommend {
    positive: Option<Vec<Given>>,
    negative: Option<Vec<Given>>,
    strategy: Option<StrategyName>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StrategyName {
    AverageVector,
    BestScore,
    SumScores,
}

#[derive(Debug, Deserialize)]
struct Discover {
    target: Given,
    context: Option<Several<Pair>>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    positive: Given,
    negative: Given,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FusionName {
    Rrf,
    Dbsf,
}

#[derive(Debug, Deserialize)]
struct Rrf {
    k: Option<usize>,
    weights: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SampleName {
    Random,
}

#[derive(Debug, Deserialize)]
struct Feedback {
    target: Given,
    feedback: Vec<Example>,
    strategy: FeedbackStrategy,
}

#[derive(Debug, Deserialize)]
struct Example {
    example: Given,
    score: f32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FeedbackStrategy {
    Naive { a: f32, b: f32, c: f32 },
}

impl Query {
    /// The search it asks for.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Malformed`].
    pub fn search(self) -> Result<Search> {
        let mut query = self;
        let offset = query.offset.take().unwrap_or_default();
        let with_vector = query.with_vector.take().unwrap_or(WithVector::Bool(false));
        let with_payload = query
            .with_payload
            .take()
            .unwrap_or(WithPayloadInterface::Bool(false));
        Ok(Search {
            stage: query.stage()?,
            offset,
            with_vector,
            with_payload,
        })
    }

    /// Most results, if it says.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn stage(self) -> Result<Stage> {
        no_shard_key(self.shard_key.as_ref())?;
        Ok(Stage {
            prefetch: Several::into_vec(self.prefetch)
                .into_iter()
                .map(Self::stage)
                .collect::<Result<_>>()?,
            wanted: self.query.map(wanted).transpose()?,
            using: self.using.unwrap_or_else(|| UNNAMED.to_owned()),
            filter: self.filter,
            params: self.params,
            score_threshold: self.score_threshold,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT),
            lookup: self.lookup_from.map(lookup).transpose()?,
        })
    }
}

/// Refuses a shard key.
///
/// # Errors
/// [`Error::Unsupported`] if there is one.
pub fn no_shard_key(key: Option<&Value>) -> Result<()> {
    match key {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(shard_key_refused()),
    }
}

fn lookup(value: LookupFrom) -> Result<Lookup> {
    no_shard_key(value.shard_key.as_ref())?;
    Ok(Lookup {
        collection: value.collection,
        vector: value.vector,
    })
}

fn input(value: Given) -> Result<Input> {
    Ok(match value {
        Given::Dense(values) => Input::Vector(VectorInternal::Dense(values)),
        Given::Sparse(SparseVector { indices, values }) => Input::Vector(point::sparse(indices, values)),
        Given::Multi(rows) => Input::Vector(point::multi(rows)?),
        Given::Id(id) => Input::Point(id),
        Given::Inference { .. } => return Err(point::no_inference()),
    })
}

fn inputs(values: Option<Vec<Given>>) -> Result<Vec<Input>> {
    values.unwrap_or_default().into_iter().map(input).collect()
}

fn pairs(values: Vec<Pair>) -> Result<Vec<(Input, Input)>> {
    values
        .into_iter()
        .map(|pair| Ok((input(pair.positive)?, input(pair.negative)?)))
        .collect()
}

fn wanted(value: Asked) -> Result<Wanted> {
    Ok(match value {
        Asked::Plain(given)
        | Asked::Nearest {
            nearest: given,
            mmr: None,
        } => Wanted::Nearest(input(given)?),
        Asked::Nearest {
            nearest,
            mmr: Some(mmr),
        } => Wanted::Mmr {
            nearest: input(nearest)?,
            lambda: mmr.diversity.map(|diversity| 1.0 - diversity),
            candidates: mmr.candidates_limit,
        },
        Asked::Recommend { recommend } => Wanted::Recommend {
            strategy: match recommend.strategy {
                None | Some(StrategyName::AverageVector) => Strategy::Average,
                Some(StrategyName::BestScore) => Strategy::BestScore,
                Some(StrategyName::SumScores) => Strategy::SumScores,
            },
            positive: inputs(recommend.positive)?,
            negative: inputs(recommend.negative)?,
        },
        Asked::Discover { discover } => Wanted::Discover {
            target: input(discover.target)?,
            pairs: pairs(Several::into_vec(discover.context))?,
        },
        Asked::Context { context } => Wanted::Context(pairs(Several::into_vec(Some(context)))?),
        Asked::OrderBy { order_by } => Wanted::OrderBy(order_by.into()),
        Asked::Fusion { fusion } => Wanted::Fusion(match fusion {
            FusionName::Rrf => Fusion::Rrf {
                k: RRF_K,
                weights: None,
            },
            FusionName::Dbsf => Fusion::Dbsf,
        }),
        Asked::Rrf { rrf } => {
            let k = rrf.k.unwrap_or(RRF_K);
            if k == 0 {
                return Err(Error::Malformed("rrf.k must be greater than 0".to_owned()));
            }
            let weights = rrf
                .weights
                .map(|weights| weights.into_iter().map(OrderedFloat).collect::<Vec<_>>());
            Wanted::Fusion(Fusion::Rrf {
                k,
                weights: weights.filter(|weights| !weights.is_empty()),
            })
        }
        Asked::Formula { formula, defaults } => {
            Wanted::Formula(formula::formula(formula, defaults.unwrap_or_default())?)
        }
        Asked::Sample {
            sample: SampleName::Random,
        } => Wanted::Sample,
        Asked::Feedback { relevance_feedback } => {
            let FeedbackStrategy::Naive { a, b, c } = relevance_feedback.strategy;
            Wanted::Feedback {
                target: input(relevance_feedback.target)?,
                examples: relevance_feedback
                    .feedback
                    .into_iter()
                    .map(|item| Ok((input(item.example)?, item.score)))
                    .collect::<Result<_>>()?,
                strategy: NaiveFeedbackStrategy {
                    a: OrderedFloat(a),
                    b: OrderedFloat(b),
                    c: OrderedFloat(c),
                },
            }
        }
    })
}

/// The older search by one vector.
#[derive(Debug, Deserialize)]
pub struct OldSearch {
    vector: OldVector,
    filter: Option<Filter>,
    params: Option<SearchParams>,
    limit: usize,
    offset: Option<usize>,
    with_payload: Option<WithPayloadInterface>,
    with_vector: Option<WithVector>,
    score_threshold: Option<f32>,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OldVector {
    Unnamed(Vec<f32>),
    Dense { name: String, vector: Vec<f32> },
    Sparse { name: String, vector: SparseVector },
}

impl OldSearch {
    /// The search it asks for.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn search(self) -> Result<Search> {
        no_shard_key(self.shard_key.as_ref())?;
        let (using, vector) = match self.vector {
            OldVector::Unnamed(vector) => (UNNAMED.to_owned(), VectorInternal::Dense(vector)),
            OldVector::Dense { name, vector } => (name, VectorInternal::Dense(vector)),
            OldVector::Sparse { name, vector } => (name, point::sparse(vector.indices, vector.values)),
        };
        Ok(Search {
            stage: Stage {
                wanted: Some(Wanted::Nearest(Input::Vector(vector))),
                using,
                filter: self.filter,
                params: self.params,
                score_threshold: self.score_threshold,
                limit: self.limit,
                ..Stage::default()
            },
            offset: self.offset.unwrap_or_default(),
            with_vector: self.with_vector.unwrap_or(WithVector::Bool(false)),
            with_payload: self.with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better with values")]
    fn check(form: Value, expect: Wanted) {
        let query: Query = serde_json::from_value(json!({ "query": form })).unwrap();
        assert_eq!(query.search().unwrap().stage.wanted, Some(expect), "{form}");
    }

    fn dense(values: &[f32]) -> Input {
        Input::Vector(VectorInternal::Dense(values.to_vec()))
    }

    #[test]
    fn each_way_of_asking() {
        let id = || Input::Point(PointId::NumId(7));
        check(json!([1.0, 2]), Wanted::Nearest(dense(&[1.0, 2.0])));
        check(json!(7), Wanted::Nearest(id()));
        check(
            json!({"indices": [9, 3], "values": [0.9, 0.3]}),
            Wanted::Nearest(Input::Vector(point::sparse(vec![3, 9], vec![0.3, 0.9]))),
        );
        check(
            json!({"nearest": [1.0], "mmr": {"diversity": 0.25}}),
            Wanted::Mmr {
                nearest: dense(&[1.0]),
                lambda: Some(0.75),
                candidates: None,
            },
        );
        check(
            json!({"recommend": {"positive": [7], "strategy": "best_score"}}),
            Wanted::Recommend {
                strategy: Strategy::BestScore,
                positive: vec![id()],
                negative: Vec::new(),
            },
        );
        check(
            json!({"discover": {"target": 7, "context": {"positive": 7, "negative": [1.0]}}}),
            Wanted::Discover {
                target: id(),
                pairs: vec![(id(), dense(&[1.0]))],
            },
        );
        check(json!({"fusion": "dbsf"}), Wanted::Fusion(Fusion::Dbsf));
        check(
            json!({"rrf": {"k": 60}}),
            Wanted::Fusion(Fusion::Rrf { k: 60, weights: None }),
        );
        check(json!({"sample": "random"}), Wanted::Sample);
    }

    #[test]
    fn texts_are_not_turned_into_vectors() {
        let query: Query =
            serde_json::from_value(json!({"query": {"text": "hello", "model": "bm25"}})).unwrap();
        assert_eq!(query.search().map(|_| ()), Err(point::no_inference()));
    }

    #[test]
    fn prefetches_nest() {
        let query: Query = serde_json::from_value(json!({
            "prefetch": {"prefetch": [{"query": 7, "limit": 3}], "query": [1.0], "using": "dense"},
            "query": {"fusion": "rrf"}
        }))
        .unwrap();
        let stage = query.search().unwrap().stage;
        assert_eq!(stage.prefetch[0].using, "dense");
        assert_eq!(stage.prefetch[0].prefetch[0].limit, 3);
    }
}

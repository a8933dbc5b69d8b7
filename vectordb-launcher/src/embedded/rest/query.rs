//! Searches as REST writes them. Filters, parameters and selectors are the
//! engine's own types, which read Qdrant's REST form by themselves.

mod asked;
mod old;

use asked::{Asked, wanted};
pub use old::OldSearch;
use qdrant_edge::{Filter, JsonPath, SearchParams, WithPayloadInterface, WithVector};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use crate::embedded::{
    calls::{GROUP_SIZE, GROUPS, Grouping, shard_key_refused},
    error::{Error, Result},
    query::{DEFAULT_LIMIT, Lookup, Search, Stage},
    validate::UNNAMED,
};

type Checked = std::result::Result<(), ValidationErrors>;

/// The universal query. The outer structs have Qdrant's own names and parts,
/// because its refusals say them.
#[derive(Debug, Deserialize, Validate)]
#[serde(expecting = "struct QueryRequest")]
pub struct Query {
    #[serde(flatten)]
    #[validate(nested)]
    internal: Whole,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct Whole {
    #[serde(default, deserialize_with = "one_or_many")]
    #[validate(nested)]
    prefetch: Option<Vec<Prefetch>>,
    #[validate(nested)]
    query: Option<Asked>,
    using: Option<String>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    offset: Option<usize>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    with_payload: Option<WithPayloadInterface>,
    lookup_from: Option<LookupFrom>,
}

#[derive(Debug, Deserialize, Validate)]
struct Prefetch {
    #[serde(default, deserialize_with = "one_or_many")]
    #[validate(nested)]
    prefetch: Option<Vec<Prefetch>>,
    #[validate(nested)]
    query: Option<Asked>,
    using: Option<String>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    lookup_from: Option<LookupFrom>,
}

/// The universal query by groups.
#[derive(Debug, Deserialize, Validate)]
pub struct Groups {
    #[serde(flatten)]
    #[validate(nested)]
    search_group_request: WholeGroups,
    shard_key: Option<Value>,
}

#[derive(Debug, Deserialize, Validate)]
struct WholeGroups {
    #[serde(default, deserialize_with = "one_or_many")]
    #[validate(nested)]
    prefetch: Option<Vec<Prefetch>>,
    #[validate(nested)]
    query: Option<Asked>,
    using: Option<String>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    with_payload: Option<WithPayloadInterface>,
    lookup_from: Option<LookupFrom>,
    #[serde(flatten)]
    #[validate(nested)]
    group_request: GroupRequest,
}

#[derive(Debug, Deserialize, Validate)]
struct GroupRequest {
    group_by: JsonPath,
    #[validate(range(min = 1))]
    group_size: Option<usize>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    with_lookup: Option<Value>,
}

/// A list, or the one item of it.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Vec<T>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum MaybeOneOrMany<T> {
        One(T),
        Many(Vec<T>),
        None(()),
    }
    Ok(match MaybeOneOrMany::deserialize(deserializer)? {
        MaybeOneOrMany::One(one) => Some(vec![one]),
        MaybeOneOrMany::Many(many) => Some(many),
        MaybeOneOrMany::None(()) => None,
    })
}

#[derive(Debug, Deserialize)]
struct LookupFrom {
    collection: String,
    vector: Option<String>,
    shard_key: Option<Value>,
}

impl Query {
    /// The search it asks for.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn search(self) -> Result<Search> {
        no_shard_key(self.shard_key.as_ref())?;
        let Whole {
            prefetch,
            query,
            using,
            filter,
            params,
            score_threshold,
            limit,
            offset,
            with_vector,
            with_payload,
            lookup_from,
        } = self.internal;
        let stage = Prefetch {
            prefetch,
            query,
            using,
            filter,
            params,
            score_threshold,
            limit,
            lookup_from,
        };
        Ok(Search {
            stage: stage.stage()?,
            offset: offset.unwrap_or_default(),
            with_vector: with_vector.unwrap_or(WithVector::Bool(false)),
            with_payload: with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
        })
    }
}

impl Groups {
    /// The search it asks for, and how to group what it finds.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn search(self) -> Result<(Search, Grouping)> {
        no_shard_key(self.shard_key.as_ref())?;
        let WholeGroups {
            prefetch,
            query,
            using,
            filter,
            params,
            score_threshold,
            with_vector,
            with_payload,
            lookup_from,
            group_request,
        } = self.search_group_request;
        if group_request.with_lookup.is_some() {
            return Err(Error::unsupported("with_lookup"));
        }
        let stage = Prefetch {
            prefetch,
            query,
            using,
            filter,
            params,
            score_threshold,
            limit: group_request.limit,
            lookup_from,
        };
        let search = Search {
            stage: stage.stage()?,
            offset: 0,
            with_vector: with_vector.unwrap_or(WithVector::Bool(false)),
            with_payload: with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
        };
        let by = Grouping {
            field: group_request.group_by,
            groups: group_request.limit.unwrap_or(GROUPS),
            size: group_request.group_size.unwrap_or(GROUP_SIZE),
        };
        Ok((search, by))
    }
}

impl Prefetch {
    fn stage(self) -> Result<Stage> {
        Ok(Stage {
            prefetch: self
                .prefetch
                .unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use qdrant_edge::{Fusion, PointId, VectorInternal};
    use serde_json::json;

    use super::*;
    use crate::embedded::{
        convert::point,
        query::{Input, Strategy, Wanted},
    };

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

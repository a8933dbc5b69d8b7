//! A search as it was asked for, and its resolution: point ids become vectors,
//! strategies become the engine's queries.
//!
//! It knows collections, never names of messages: gRPC and REST both end here.

use std::collections::HashMap;

use qdrant_edge::{
    Condition, ContextPair, ContextQuery, DiscoverQuery, FeedbackItem, FeedbackNaiveQuery, Filter, Formula,
    Fusion, HasIdCondition, Mmr, NaiveFeedbackStrategy, NamedQuery, OrderBy, PointId, Prefetch, QueryEnum,
    QueryRequest, RecommendQuery, RetrieveRequest, Sample, ScoringQuery, SearchParams, VectorInternal,
    VectorRef, VectorStructInternal, WithPayloadInterface, WithVector, avg_vector_for_recommendation,
    external::ordered_float::OrderedFloat,
};

use super::{
    collection::Collection,
    error::{Error, Result},
    validate::UNNAMED,
};

/// Results of a query that does not say how many it wants, and of a prefetch.
pub const DEFAULT_LIMIT: usize = 10;

/// Relevance against diversity when a request does not say.
const DEFAULT_MMR_LAMBDA: f32 = 0.5;

/// A vector, or the point that has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The vector of this point.
    Point(PointId),
    /// This vector.
    Vector(VectorInternal),
}

/// How a recommendation treats its examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Search for the average of the examples.
    Average,
    /// Score by the best example.
    BestScore,
    /// Score by the sum over the examples.
    SumScores,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Points near one vector.
    Nearest(Input),
    /// Points like some and unlike others.
    Recommend {
        /// How the examples count.
        strategy: Strategy,
        /// Wanted examples.
        positive: Vec<Input>,
        /// Unwanted examples.
        negative: Vec<Input>,
    },
    /// Points near a target, on the right side of each pair.
    Discover {
        /// The target.
        target: Input,
        /// Pairs of wanted and unwanted.
        pairs: Vec<(Input, Input)>,
    },
    /// Points on the right side of each pair.
    Context(Vec<(Input, Input)>),
    /// Points near a target, corrected by scored examples.
    Feedback {
        /// The target.
        target: Input,
        /// Examples and their scores.
        examples: Vec<(Input, f32)>,
        /// How strongly the examples count.
        strategy: NaiveFeedbackStrategy,
    },
    /// Points near a vector and unlike each other.
    Mmr {
        /// The vector.
        nearest: Input,
        /// 0 is all diversity, 1 all relevance.
        lambda: Option<f32>,
        /// Candidates to choose from.
        candidates: Option<usize>,
    },
    /// Points by a payload field.
    OrderBy(OrderBy),
    /// The prefetches' results, merged.
    Fusion(Fusion),
    /// Random points.
    Sample,
    /// The prefetches' results, scored anew.
    Formula(Formula),
}

/// Where point ids of a stage are looked up, if not in the searched collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The collection.
    pub collection: String,
    /// Its vector; the stage's own name if not given.
    pub vector: Option<String>,
}

/// One stage of a search; its prefetches run first and give it candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Stages that give candidates.
    pub prefetch: Vec<Stage>,
    /// What is searched for; without it, points come by id.
    pub wanted: Option<Wanted>,
    /// The vector that is compared.
    pub using: String,
    /// Only points that match.
    pub filter: Option<Filter>,
    /// The engine's knobs.
    pub params: Option<SearchParams>,
    /// Worse results are left out.
    pub score_threshold: Option<f32>,
    /// Most results.
    pub limit: usize,
    /// Another collection for point ids.
    pub lookup: Option<Lookup>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            prefetch: Vec::new(),
            wanted: None,
            using: UNNAMED.to_owned(),
            filter: None,
            params: None,
            score_threshold: None,
            limit: DEFAULT_LIMIT,
            lookup: None,
        }
    }
}

/// A whole search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The last stage.
    pub stage: Stage,
    /// Results to leave out at the front.
    pub offset: usize,
    /// Vectors in the results.
    pub with_vector: WithVector,
    /// Payload in the results.
    pub with_payload: WithPayloadInterface,
}

/// Finds collections that a search names beside its own.
pub trait Collections {
    /// The open collection, by name or alias.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    fn find(&self, name: &str) -> Result<std::sync::Arc<Collection>>;
}

/// Turns `search` into the engine's request.
///
/// # Errors
/// [`Error::NotFound`] for a point that does not exist; [`Error::BadInput`]
/// for vectors that do not fit.
pub fn resolve(search: Search, own: &Collection, others: &dyn Collections) -> Result<QueryRequest> {
    let Search {
        stage,
        offset,
        with_vector,
        with_payload,
    } = search;
    if let WithVector::Selector(names) = &with_vector {
        names.iter().try_for_each(|name| own.kind(name).map(|_| ()))?;
    }
    let stage = resolve_stage(stage, offset, own, others)?;
    Ok(QueryRequest {
        prefetches: stage.prefetches,
        query: stage.query,
        filter: stage.filter,
        score_threshold: stage.score_threshold,
        limit: stage.limit,
        offset,
        params: stage.params,
        with_vector,
        with_payload,
    })
}

fn resolve_stage(
    stage: Stage,
    offset: usize,
    own: &Collection,
    others: &dyn Collections,
) -> Result<Prefetch> {
    let Stage {
        prefetch,
        wanted,
        using,
        filter,
        params,
        score_threshold,
        limit,
        lookup,
    } = stage;
    if limit == 0 {
        return Err(Error::Malformed(
            "Validation error in body: [limit: value 0 invalid, must be 1 or larger]".to_owned(),
        ));
    }
    makes_sense(wanted.as_ref(), &prefetch, score_threshold, &using)?;
    let prefetches = prefetch
        .into_iter()
        .map(|stage| resolve_stage(stage, 0, own, others))
        .collect::<Result<Vec<_>>>()?;
    let (query, named) = match wanted {
        None => (None, Vec::new()),
        Some(wanted) => {
            let mut scope = Scope {
                own,
                others,
                using,
                lookup,
                named: Vec::new(),
                vectors: HashMap::new(),
            };
            let query = scope.query(wanted, limit + offset)?;
            (Some(query), scope.named)
        }
    };
    // A point that was named as an example is no news to the one who asks.
    let filter = if named.is_empty() {
        filter
    } else {
        let examples = Filter::new_must_not(Condition::HasId(named.into_iter().collect::<HasIdCondition>()));
        Filter::merge_opts(filter, Some(examples))
    };
    Ok(Prefetch {
        prefetches,
        query,
        limit,
        params,
        filter,
        score_threshold,
    })
}

/// Refuses a stage that asks for what no stage can do, in Qdrant's words.
fn makes_sense(
    wanted: Option<&Wanted>,
    prefetch: &[Stage],
    score_threshold: Option<f32>,
    using: &str,
) -> Result<()> {
    let words = match wanted {
        None if !prefetch.is_empty() => {
            "A query is needed to merge the prefetches. Can't have prefetches without defining a query."
        }
        None if score_threshold.is_some() => {
            "A query is needed to use the score_threshold. Can't have score_threshold without defining a query."
        }
        Some(Wanted::OrderBy(_)) if score_threshold.is_some() => {
            "Can't use score_threshold with an order_by query."
        }
        Some(Wanted::Fusion(_)) if using != UNNAMED => {
            "Fusion queries cannot be combined with the 'using' field."
        }
        None | Some(_) => return Ok(()),
    };
    Err(Error::BadRequest(words.to_owned()))
}

/// One stage while its inputs are resolved.
struct Scope<'a> {
    own: &'a Collection,
    others: &'a dyn Collections,
    using: String,
    lookup: Option<Lookup>,
    /// Points of the searched collection that served as examples.
    named: Vec<PointId>,
    vectors: HashMap<PointId, VectorInternal>,
}

impl Scope<'_> {
    fn query(&mut self, wanted: Wanted, limit: usize) -> Result<ScoringQuery> {
        let query = match wanted {
            Wanted::Nearest(input) => QueryEnum::Nearest(self.named_query(input, Self::vector)?),
            Wanted::Recommend {
                strategy,
                positive,
                negative,
            } => self.recommend(strategy, positive, negative)?,
            Wanted::Discover { target, pairs } => {
                let target = self.vector(target)?;
                let pairs = self.pairs(pairs)?;
                QueryEnum::Discover(NamedQuery::new(
                    DiscoverQuery::new(target, pairs),
                    self.using.clone(),
                ))
            }
            Wanted::Context(pairs) => {
                let pairs = self.pairs(pairs)?;
                QueryEnum::Context(NamedQuery::new(ContextQuery::new(pairs), self.using.clone()))
            }
            Wanted::Feedback {
                target,
                examples,
                strategy,
            } => {
                let target = self.vector(target)?;
                let feedback = examples
                    .into_iter()
                    .map(|(input, score)| {
                        Ok(FeedbackItem {
                            vector: self.vector(input)?,
                            score: OrderedFloat(score),
                        })
                    })
                    .collect::<Result<Vec<_>>>()?;
                let query = FeedbackNaiveQuery {
                    target,
                    feedback,
                    coefficients: strategy,
                };
                QueryEnum::FeedbackNaive(NamedQuery::new(query, self.using.clone()))
            }
            Wanted::Mmr {
                nearest,
                lambda,
                candidates,
            } => {
                let lambda = lambda.unwrap_or(DEFAULT_MMR_LAMBDA);
                if !(0.0..=1.0).contains(&lambda) {
                    return Err(Error::BadInput(
                        "diversity must be between 0.0 and 1.0".to_owned(),
                    ));
                }
                return Ok(ScoringQuery::Mmr(Mmr {
                    vector: self.vector(nearest)?,
                    using: self.using.clone(),
                    lambda: OrderedFloat(lambda),
                    candidates_limit: candidates.unwrap_or(limit),
                }));
            }
            Wanted::OrderBy(order_by) => return Ok(ScoringQuery::OrderBy(order_by)),
            Wanted::Fusion(fusion) => return Ok(ScoringQuery::Fusion(fusion)),
            Wanted::Sample => return Ok(ScoringQuery::Sample(Sample::Random)),
            Wanted::Formula(formula) => return Ok(ScoringQuery::Formula(formula.try_into()?)),
        };
        Ok(ScoringQuery::Vector(query))
    }

    fn named_query<T>(
        &mut self,
        input: Input,
        resolve: impl FnOnce(&mut Self, Input) -> Result<T>,
    ) -> Result<NamedQuery<T>> {
        let query = resolve(self, input)?;
        Ok(NamedQuery::new(query, self.using.clone()))
    }

    fn recommend(
        &mut self,
        strategy: Strategy,
        positive: Vec<Input>,
        negative: Vec<Input>,
    ) -> Result<QueryEnum> {
        let positives = positive
            .into_iter()
            .map(|input| self.vector(input))
            .collect::<Result<Vec<_>>>()?;
        let negatives = negative
            .into_iter()
            .map(|input| self.vector(input))
            .collect::<Result<Vec<_>>>()?;
        let using = self.using.clone();
        Ok(match strategy {
            Strategy::Average => {
                if positives.is_empty() {
                    return Err(Error::BadInput(
                        "Positive vectors should not be empty with `average` strategy".to_owned(),
                    ));
                }
                let average = avg_vector_for_recommendation(
                    positives.iter().map(VectorRef::from),
                    negatives.iter().map(VectorRef::from).peekable(),
                )?;
                QueryEnum::Nearest(NamedQuery::new(average, using))
            }
            Strategy::BestScore => QueryEnum::RecommendBestScore(NamedQuery::new(
                RecommendQuery::new(positives, negatives),
                using,
            )),
            Strategy::SumScores => QueryEnum::RecommendSumScores(NamedQuery::new(
                RecommendQuery::new(positives, negatives),
                using,
            )),
        })
    }

    fn pairs(&mut self, pairs: Vec<(Input, Input)>) -> Result<Vec<ContextPair<VectorInternal>>> {
        pairs
            .into_iter()
            .map(|(positive, negative)| {
                Ok(ContextPair {
                    positive: self.vector(positive)?,
                    negative: self.vector(negative)?,
                })
            })
            .collect()
    }

    fn vector(&mut self, input: Input) -> Result<VectorInternal> {
        match input {
            Input::Vector(vector) => {
                self.own.check_query_vector(&self.using, &vector)?;
                Ok(vector)
            }
            Input::Point(id) => {
                if let Some(vector) = self.vectors.get(&id) {
                    return Ok(vector.clone());
                }
                let vector = self.look_up(id)?;
                self.own.check_query_vector(&self.using, &vector)?;
                self.vectors.insert(id, vector.clone());
                Ok(vector)
            }
        }
    }

    fn look_up(&mut self, id: PointId) -> Result<VectorInternal> {
        let other;
        let (collection, name) = match &self.lookup {
            None => {
                self.named.push(id);
                (self.own, self.using.as_str())
            }
            Some(lookup) => {
                let missing = |_| Error::NotFound(format!("Collection {} not found", lookup.collection));
                other = self.others.find(&lookup.collection).map_err(missing)?;
                (&*other, lookup.vector.as_deref().unwrap_or(&self.using))
            }
        };
        collection.kind(name)?;
        let found = collection.retrieve(RetrieveRequest {
            point_ids: vec![id],
            with_payload: Some(WithPayloadInterface::Bool(false)),
            with_vector: Some(WithVector::Selector(vec![name.to_owned()])),
        })?;
        let Some(record) = found.into_iter().next() else {
            return Err(Error::NotFound(format!("No point with id {id} found")));
        };
        let vector = match record.vector {
            Some(VectorStructInternal::Single(vector)) if name == UNNAMED => {
                Some(VectorInternal::Dense(vector))
            }
            Some(VectorStructInternal::MultiDense(rows)) if name == UNNAMED => {
                Some(VectorInternal::MultiDense(rows))
            }
            Some(VectorStructInternal::Named(mut named)) => named.remove(name),
            Some(VectorStructInternal::Single(_) | VectorStructInternal::MultiDense(_)) | None => None,
        };
        vector.ok_or_else(|| Error::NotFound(format!("Vector with name \"{name}\" for point not found")))
    }
}

//! What a query asks for, as REST writes it.

use std::collections::HashMap;

use qdrant_edge::{
    Formula, Fusion, NaiveFeedbackStrategy, OrderByInterface, PointId, SparseVector, VectorInternal,
    VectorPersisted, external::ordered_float::OrderedFloat,
};
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationError, ValidationErrors};

use super::{super::formula::Written, Checked, one_or_many};
use crate::embedded::{
    convert::{point, search::RRF_K},
    error::Result,
    query::{Input, Strategy, Wanted},
};

/// What a query asks for: a vector or id to be near to, or a tagged form.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "Expected some form of vector, id, or a type of query")]
pub(super) enum Asked {
    Plain(Given),
    Nearest(Nearest),
    Recommend(RecommendForm),
    Discover(DiscoverForm),
    Context(ContextForm),
    OrderBy { order_by: OrderByInterface },
    Fusion { fusion: FusionName },
    Rrf(RrfForm),
    Formula(FormulaForm),
    Sample { sample: SampleName },
    Feedback(FeedbackForm),
}

/// The derived checks know structs only.
impl Validate for Asked {
    fn validate(&self) -> Checked {
        match self {
            Self::Plain(form) => form.validate(),
            Self::Nearest(form) => form.validate(),
            Self::Recommend(form) => form.validate(),
            Self::Discover(form) => form.validate(),
            Self::Context(form) => form.validate(),
            Self::Rrf(form) => form.validate(),
            Self::Feedback(form) => form.validate(),
            Self::OrderBy { .. } | Self::Fusion { .. } | Self::Formula(_) | Self::Sample { .. } => Ok(()),
        }
    }
}

/// A vector, or the point that has it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Given {
    Dense(Vec<f32>),
    Sparse(SparseVector),
    Multi(Vec<Vec<f32>>),
    Id(PointId),
    Inference {
        #[serde(rename = "model")]
        _model: String,
    },
}

impl Validate for Given {
    fn validate(&self) -> Checked {
        match self {
            Self::Sparse(vector) => vector.validate(),
            Self::Multi(rows) => VectorPersisted::MultiDense(rows.clone()).validate(),
            Self::Dense(_) | Self::Id(_) | Self::Inference { .. } => Ok(()),
        }
    }
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct Nearest {
    #[validate(nested)]
    nearest: Given,
    #[validate(nested)]
    mmr: Option<Mmr>,
}

#[derive(Debug, Deserialize, Validate)]
struct Mmr {
    #[validate(range(min = 0.0, max = 1.0))]
    diversity: Option<f32>,
    #[validate(range(max = 16_384))]
    candidates_limit: Option<usize>,
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct RecommendForm {
    #[validate(nested)]
    recommend: Recommend,
}

#[derive(Debug, Deserialize)]
struct Recommend {
    positive: Option<Vec<Given>>,
    negative: Option<Vec<Given>>,
    strategy: Option<StrategyName>,
}

impl Validate for Recommend {
    fn validate(&self) -> Checked {
        let mut all = self.positive.iter().chain(&self.negative).flatten().peekable();
        if all.peek().is_none() {
            let mut errors = ValidationErrors::new();
            let words = "At least one positive or negative vector/id must be provided";
            errors.add("positives, negatives", ValidationError::new(words));
            return Err(errors);
        }
        all.try_for_each(Given::validate)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StrategyName {
    AverageVector,
    BestScore,
    SumScores,
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct DiscoverForm {
    #[validate(nested)]
    discover: Discover,
}

#[derive(Debug, Deserialize, Validate)]
struct Discover {
    #[validate(nested)]
    target: Given,
    #[serde(deserialize_with = "one_or_many")]
    #[validate(nested)]
    context: Option<Vec<Pair>>,
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct ContextForm {
    #[validate(nested)]
    context: Context,
}

#[derive(Debug, Deserialize)]
struct Context(#[serde(deserialize_with = "one_or_many")] Option<Vec<Pair>>);

impl Validate for Context {
    fn validate(&self) -> Checked {
        let mut pairs = self.0.iter().flatten();
        pairs.try_for_each(|pair| pair.positive.validate().and_then(|()| pair.negative.validate()))
    }
}

#[derive(Debug, Deserialize, Validate)]
struct Pair {
    #[validate(nested)]
    positive: Given,
    #[validate(nested)]
    negative: Given,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FusionName {
    Rrf,
    Dbsf,
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct RrfForm {
    #[validate(nested)]
    rrf: Rrf,
}

#[derive(Debug, Deserialize, Validate)]
struct Rrf {
    #[validate(range(min = 1))]
    k: Option<usize>,
    weights: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FormulaForm {
    formula: Written,
    #[serde(default)]
    defaults: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SampleName {
    Random,
}

#[derive(Debug, Deserialize, Validate)]
pub(super) struct FeedbackForm {
    #[validate(nested)]
    relevance_feedback: Feedback,
}

#[derive(Debug, Deserialize, Validate)]
#[validate(schema(function = "needs_examples"))]
struct Feedback {
    #[validate(nested)]
    target: Given,
    #[validate(nested)]
    feedback: Vec<Example>,
    #[validate(nested)]
    strategy: FeedbackStrategy,
}

fn needs_examples(feedback: &Feedback) -> std::result::Result<(), ValidationError> {
    if feedback.feedback.is_empty() {
        let words = "feedback elements must be non-empty".into();
        return Err(ValidationError::new("feedback").with_message(words));
    }
    Ok(())
}

#[derive(Debug, Deserialize, Validate)]
struct Example {
    #[validate(nested)]
    example: Given,
    score: f32,
}

/// There is one.
#[derive(Debug, Deserialize, Validate)]
struct FeedbackStrategy {
    #[validate(nested)]
    naive: Naive,
}

#[derive(Debug, Deserialize, Validate)]
struct Naive {
    a: f32,
    #[validate(range(min = 0.0))]
    b: f32,
    c: f32,
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

fn pairs(values: Option<Vec<Pair>>) -> Result<Vec<(Input, Input)>> {
    let values = values.unwrap_or_default().into_iter();
    values
        .map(|pair| Ok((input(pair.positive)?, input(pair.negative)?)))
        .collect()
}

pub(super) fn wanted(value: Asked) -> Result<Wanted> {
    Ok(match value {
        Asked::Plain(nearest) | Asked::Nearest(Nearest { nearest, mmr: None }) => {
            Wanted::Nearest(input(nearest)?)
        }
        Asked::Nearest(Nearest {
            nearest,
            mmr: Some(mmr),
        }) => Wanted::Mmr {
            nearest: input(nearest)?,
            lambda: mmr.diversity.map(|diversity| 1.0 - diversity),
            candidates: mmr.candidates_limit,
        },
        Asked::Recommend(RecommendForm { recommend }) => Wanted::Recommend {
            strategy: match recommend.strategy {
                None | Some(StrategyName::AverageVector) => Strategy::Average,
                Some(StrategyName::BestScore) => Strategy::BestScore,
                Some(StrategyName::SumScores) => Strategy::SumScores,
            },
            positive: inputs(recommend.positive)?,
            negative: inputs(recommend.negative)?,
        },
        Asked::Discover(DiscoverForm { discover }) => Wanted::Discover {
            target: input(discover.target)?,
            pairs: pairs(discover.context)?,
        },
        Asked::Context(ContextForm { context }) => Wanted::Context(pairs(context.0)?),
        Asked::OrderBy { order_by } => Wanted::OrderBy(order_by.into()),
        Asked::Fusion { fusion } => Wanted::Fusion(match fusion {
            FusionName::Rrf => Fusion::Rrf {
                k: RRF_K,
                weights: None,
            },
            FusionName::Dbsf => Fusion::Dbsf,
        }),
        Asked::Rrf(RrfForm { rrf }) => {
            let weights = rrf
                .weights
                .map(|weights| weights.into_iter().map(OrderedFloat).collect::<Vec<_>>());
            Wanted::Fusion(Fusion::Rrf {
                k: rrf.k.unwrap_or(RRF_K),
                weights: weights.filter(|weights| !weights.is_empty()),
            })
        }
        Asked::Formula(FormulaForm { formula, defaults }) => Wanted::Formula(Formula {
            formula: formula.0,
            defaults,
        }),
        Asked::Sample {
            sample: SampleName::Random,
        } => Wanted::Sample,
        Asked::Feedback(FeedbackForm { relevance_feedback }) => {
            let Naive { a, b, c } = relevance_feedback.strategy.naive;
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

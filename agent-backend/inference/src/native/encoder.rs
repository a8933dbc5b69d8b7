//! The forward pass (Devlin et al. 2018; for rotary positions Su et al. 2021,
//! for the gate Shazeer 2020), layer by layer, on texts packed one after the
//! other.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Slice, concatenate};

use super::{
    math::{Activation, multiply, normalize, softmax, tanh_all},
    shape::{Kind, Shape},
    weights::Weights,
};
use crate::{Error, tokens::Tokens};

/// `x * weight + bias`.
#[derive(Debug)]
struct Linear {
    /// Turned, so that a row belongs to an input: products read along it.
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    fn load(weights: &Weights, name: &str, outputs: usize, inputs: usize) -> Result<Self, Error> {
        let weight = weights.table(&format!("{name}.weight"), outputs, inputs)?;
        Ok(Self {
            weight: weight.t().as_standard_layout().into_owned(),
            bias: weights.vector_or_zeros(&format!("{name}.bias"), outputs)?,
        })
    }

    /// Several layers on the same input, as one.
    fn joined(parts: &[Self]) -> Result<Self, Error> {
        let of_weights: Vec<_> = parts.iter().map(|part| part.weight.view()).collect();
        let of_biases: Vec<_> = parts.iter().map(|part| part.bias.view()).collect();
        Ok(Self {
            weight: concatenate(Axis(1), &of_weights).map_err(|error| Error::failed(error.to_string()))?,
            bias: concatenate(Axis(0), &of_biases).map_err(|error| Error::failed(error.to_string()))?,
        })
    }

    fn run(&self, input: &ArrayView2<'_, f32>) -> Array2<f32> {
        let rows = input.nrows();
        let mut output = Array2::zeros((rows, self.bias.len()));
        output
            .rows_mut()
            .into_iter()
            .for_each(|mut row| row.assign(&self.bias));
        multiply(1.0, input, &self.weight.view(), 1.0, &mut output.view_mut());
        output
    }
}

/// Normalisation of a layer.
#[derive(Debug)]
struct Norm {
    scale: Array1<f32>,
    shift: Array1<f32>,
    epsilon: f32,
}

impl Norm {
    fn load(weights: &Weights, name: &str, shape: &Shape) -> Result<Self, Error> {
        Ok(Self {
            scale: weights.vector(&format!("{name}.weight"), shape.hidden)?,
            shift: weights.vector(&format!("{name}.bias"), shape.hidden)?,
            epsilon: shape.epsilon,
        })
    }

    fn run(&self, rows: &mut Array2<f32>) {
        if let (Some(rows), Some(scale), Some(shift)) =
            (rows.as_slice_mut(), self.scale.as_slice(), self.shift.as_slice())
        {
            normalize(rows, scale, shift, self.epsilon);
        }
    }
}

/// The half of a layer that looks at each token alone.
#[derive(Debug)]
enum Inner {
    Plain(Linear, Activation),
    /// The activated half gates the other: both come out of one product.
    Gated(Linear, Activation),
}

impl Inner {
    fn run(&self, input: &ArrayView2<'_, f32>) -> Array2<f32> {
        match self {
            Self::Plain(up, activation) => {
                let mut inner = up.run(input);
                if let Some(values) = inner.as_slice_mut() {
                    activation.apply(values);
                }
                inner
            }
            Self::Gated(both, activation) => {
                let both = both.run(input);
                let half = both.ncols() / 2;
                let mut gate = both
                    .slice_axis(Axis(1), Slice::from(half..))
                    .as_standard_layout()
                    .into_owned();
                if let Some(values) = gate.as_slice_mut() {
                    activation.apply(values);
                }
                gate *= &both.slice_axis(Axis(1), Slice::from(..half));
                gate
            }
        }
    }
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values in one.
    qkv: Linear,
    out: Linear,
    after_attention: Norm,
    inner: Inner,
    down: Linear,
    after_inner: Norm,
}

impl Layer {
    fn load(shape: &Shape, weights: &Weights, index: usize) -> Result<Self, Error> {
        let Shape { hidden, inner, .. } = *shape;
        match shape.kind {
            Kind::Bert { .. } => {
                let name = |part: &str| format!("encoder.layer.{index}.{part}");
                let linear =
                    |part: &str, outputs, inputs| Linear::load(weights, &name(part), outputs, inputs);
                let norm = |part: &str| Norm::load(weights, &name(part), shape);
                let heads = ["query", "key", "value"]
                    .map(|part| linear(&format!("attention.self.{part}"), hidden, hidden));
                let heads: Vec<Linear> = heads.into_iter().collect::<Result<_, _>>()?;
                Ok(Self {
                    qkv: Linear::joined(&heads)?,
                    out: linear("attention.output.dense", hidden, hidden)?,
                    after_attention: norm("attention.output.LayerNorm")?,
                    inner: Inner::Plain(linear("intermediate.dense", inner, hidden)?, shape.activation),
                    down: linear("output.dense", hidden, inner)?,
                    after_inner: norm("output.LayerNorm")?,
                })
            }
            Kind::Nomic { .. } => {
                let name = |part: &str| format!("encoder.layers.{index}.{part}");
                let linear =
                    |part: &str, outputs, inputs| Linear::load(weights, &name(part), outputs, inputs);
                let norm = |part: &str| Norm::load(weights, &name(part), shape);
                let both = [
                    linear("mlp.fc11", inner, hidden)?,
                    linear("mlp.fc12", inner, hidden)?,
                ];
                Ok(Self {
                    qkv: linear("attn.Wqkv", 3 * hidden, hidden)?,
                    out: linear("attn.out_proj", hidden, hidden)?,
                    after_attention: norm("norm1")?,
                    inner: Inner::Gated(Linear::joined(&both)?, shape.activation),
                    down: linear("mlp.fc2", hidden, inner)?,
                    after_inner: norm("norm2")?,
                })
            }
        }
    }
}

/// How a token's place enters.
#[derive(Debug)]
enum Positions {
    /// Added to the token's vector.
    Learned(Array2<f32>),
    /// Cosines and sines of the angles, a row for each place.
    Rotary { cos: Array2<f32>, sin: Array2<f32> },
}

/// From tokens to a vector for each.
#[derive(Debug)]
pub(super) struct Encoder {
    words: Array2<f32>,
    kinds: Array2<f32>,
    positions: Positions,
    first: Norm,
    layers: Vec<Layer>,
    heads: usize,
}

impl Encoder {
    pub(super) fn load(shape: &Shape, weights: &Weights) -> Result<Self, Error> {
        let hidden = shape.hidden;
        let table = |name: &str, rows| weights.table(&format!("embeddings.{name}.weight"), rows, hidden);
        let (positions, first) = match shape.kind {
            Kind::Bert { positions } => (
                Positions::Learned(table("position_embeddings", positions)?),
                "embeddings.LayerNorm",
            ),
            Kind::Nomic { base, positions } => (rotary(base, positions, hidden / shape.heads), "emb_ln"),
        };
        let layers = (0..shape.layers).map(|index| Layer::load(shape, weights, index));
        Ok(Self {
            words: table("word_embeddings", shape.vocabulary)?,
            kinds: table("token_type_embeddings", shape.kinds)?,
            positions,
            first: Norm::load(weights, first, shape)?,
            layers: layers.collect::<Result<_, _>>()?,
            heads: shape.heads,
        })
    }

    /// A token of the text that has no vector.
    pub(super) fn unknown(&self, text: &Tokens) -> Option<u32> {
        let beyond = |id: &&u32, table: &Array2<f32>| **id as usize >= table.nrows();
        let word = text.ids.iter().find(|id| beyond(id, &self.words));
        word.or_else(|| text.kinds.iter().find(|kind| beyond(kind, &self.kinds)))
            .copied()
    }

    /// The last layer's vectors of all texts, one after the other. Every token
    /// must be known and every text within the window.
    pub(super) fn run(&self, texts: &[&Tokens]) -> Array2<f32> {
        let mut hidden = self.embed(texts);
        for layer in &self.layers {
            let mut qkv = layer.qkv.run(&hidden.view());
            let mut attended = Array2::zeros(hidden.dim());
            let mut start = 0;
            for text in texts {
                let rows = Slice::from(start..start + text.len());
                start += text.len();
                self.attend(
                    qkv.slice_axis_mut(Axis(0), rows),
                    attended.slice_axis_mut(Axis(0), rows),
                );
            }
            hidden += &layer.out.run(&attended.view());
            layer.after_attention.run(&mut hidden);
            let inner = layer.inner.run(&hidden.view());
            hidden += &layer.down.run(&inner.view());
            layer.after_inner.run(&mut hidden);
        }
        hidden
    }

    fn embed(&self, texts: &[&Tokens]) -> Array2<f32> {
        let count = texts.iter().map(|text| text.len()).sum();
        let mut hidden = Array2::zeros((count, self.words.ncols()));
        let tokens = texts
            .iter()
            .flat_map(|text| text.ids.iter().zip(&text.kinds).enumerate());
        for (mut row, (place, (id, kind))) in hidden.rows_mut().into_iter().zip(tokens) {
            row += &self.words.row(*id as usize);
            row += &self.kinds.row(*kind as usize);
            if let Positions::Learned(table) = &self.positions {
                row += &table.row(place);
            }
        }
        self.first.run(&mut hidden);
        hidden
    }

    /// Lets the tokens of one text look at each other.
    fn attend(&self, mut qkv: ArrayViewMut2<'_, f32>, mut to: ArrayViewMut2<'_, f32>) {
        let (length, hidden) = to.dim();
        let size = hidden / self.heads;
        let factor = 1.0 / (size as f32).sqrt();
        let mut scores = Array2::zeros((length, length));
        for head in 0..self.heads {
            let columns = |part: usize| {
                let start = part * hidden + head * size;
                Slice::from(start..start + size)
            };
            if let Positions::Rotary { cos, sin } = &self.positions {
                turn(qkv.slice_axis_mut(Axis(1), columns(0)), cos, sin);
                turn(qkv.slice_axis_mut(Axis(1), columns(1)), cos, sin);
            }
            let [query, key, value] = [0, 1, 2].map(|part| qkv.slice_axis(Axis(1), columns(part)));
            multiply(factor, &query, &key.t(), 0.0, &mut scores.view_mut());
            if let Some(scores) = scores.as_slice_mut() {
                softmax(scores, length);
            }
            let mut part = to.slice_axis_mut(Axis(1), columns(0));
            multiply(1.0, &scores.view(), &value, 0.0, &mut part);
        }
    }
}

fn rotary(base: f32, positions: usize, size: usize) -> Positions {
    let angle =
        |(place, pair): (usize, usize)| place as f64 / f64::from(base).powf(2.0 * pair as f64 / size as f64);
    let dim = (positions, size / 2);
    Positions::Rotary {
        cos: Array2::from_shape_fn(dim, |at| angle(at).cos() as f32),
        sin: Array2::from_shape_fn(dim, |at| angle(at).sin() as f32),
    }
}

/// Turns the pairs of numbers, one of each half, by the angles of their place.
fn turn(mut rows: ArrayViewMut2<'_, f32>, cos: &Array2<f32>, sin: &Array2<f32>) {
    let half = cos.ncols();
    for (place, mut row) in rows.rows_mut().into_iter().enumerate() {
        for pair in 0..half {
            let (x, y) = (row[pair], row[pair + half]);
            let (cos, sin) = (cos[(place, pair)], sin[(place, pair)]);
            row[pair] = x * cos - y * sin;
            row[pair + half] = y * cos + x * sin;
        }
    }
}

/// BERT's head for pairs: the first token's vector through two layers.
#[derive(Debug)]
pub(super) struct Classifier {
    pooler: Linear,
    labels: Linear,
}

impl Classifier {
    pub(super) fn load(shape: &Shape, weights: &Weights) -> Result<Self, Error> {
        let labels = weights.rows("classifier.weight").unwrap_or(1);
        Ok(Self {
            pooler: Linear::load(weights, "pooler.dense", shape.hidden, shape.hidden)?,
            labels: Linear::load(weights, "classifier", labels, shape.hidden)?,
        })
    }

    pub(super) fn run(&self, first: &ArrayView1<'_, f32>) -> Vec<f32> {
        let mut pooled = self.pooler.run(&first.insert_axis(Axis(0)));
        tanh_all(pooled.row_mut(0));
        self.labels.run(&pooled.view()).into_iter().collect()
    }
}

//! What `config.json` says about the layers: the same encoder with learned
//! positions and one activation (BERT), or with rotary positions and a gate
//! (NomicBERT).

use serde::Deserialize;

use super::math::Activation;
use crate::{Error, files::Files};

/// The architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Positions have a vector each.
    Bert {
        /// How many there are.
        positions: usize,
    },
    /// Queries and keys are turned by their position.
    Nomic {
        /// Base of the angles.
        base: f32,
        /// Positions there are angles for.
        positions: usize,
    },
}

/// Sizes and kinds of everything.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) vocabulary: usize,
    pub(super) kinds: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) inner: usize,
    pub(super) epsilon: f32,
    pub(super) activation: Activation,
}

impl Shape {
    pub(super) fn read(files: &Files) -> Result<Self, Error> {
        let head: Head = files.config()?;
        let shape = match head.model_type.as_deref() {
            Some("bert") => files.config::<Bert>()?.shape(),
            Some("nomic_bert") => files.config::<Nomic>()?.shape(),
            other => Err(format!(
                "our own runtime knows bert and nomic_bert, and its model_type is {}",
                other.unwrap_or("not given")
            )),
        };
        shape
            .and_then(Self::checked)
            .map_err(|reason| Error::unusable(&files.folder, reason))
    }

    fn checked(self) -> Result<Self, String> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("token types", self.kinds),
            ("hidden size", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("inner size", self.inner),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("config.json gives no {name}"));
        }
        // Rotary positions turn pairs.
        let unit = match self.kind {
            Kind::Bert { .. } => self.heads,
            Kind::Nomic { .. } => 2 * self.heads,
        };
        if !self.hidden.is_multiple_of(unit) {
            return Err(format!(
                "its hidden size {} cannot be shared by {} heads",
                self.hidden, self.heads
            ));
        }
        Ok(self)
    }
}

#[derive(Deserialize)]
struct Head {
    model_type: Option<String>,
}

#[derive(Deserialize)]
struct Bert {
    vocab_size: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "tiny")]
    layer_norm_eps: f32,
    #[serde(default = "gelu")]
    hidden_act: String,
    position_embedding_type: Option<String>,
}

fn two() -> usize {
    2
}

fn tiny() -> f32 {
    1e-12
}

fn gelu() -> String {
    "gelu".to_owned()
}

impl Bert {
    fn shape(self) -> Result<Shape, String> {
        if let Some(other) = self.position_embedding_type.filter(|kind| kind != "absolute") {
            return Err(format!("positions of the type {other} are not supported"));
        }
        let activation = match self.hidden_act.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            "silu" | "swish" => Activation::Silu,
            other => return Err(format!("the activation {other} is not supported")),
        };
        Ok(Shape {
            kind: Kind::Bert {
                positions: self.max_position_embeddings,
            },
            vocabulary: self.vocab_size,
            kinds: self.type_vocab_size,
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            inner: self.intermediate_size,
            epsilon: self.layer_norm_eps,
            activation,
        })
    }
}

/// The settings of `nomic-ai/nomic-bert-2048` and its descendants; those that
/// would change the arithmetic are refused unless they are as published.
#[derive(Deserialize)]
struct Nomic {
    vocab_size: usize,
    type_vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: usize,
    layer_norm_epsilon: f32,
    activation_function: String,
    #[serde(default)]
    prenorm: bool,
    #[serde(default)]
    use_rms_norm: bool,
    rotary_emb_fraction: f32,
    rotary_emb_base: f32,
    #[serde(default)]
    rotary_emb_interleaved: bool,
    #[serde(default = "trained")]
    max_trained_positions: usize,
    #[serde(default)]
    num_experts: usize,
}

fn trained() -> usize {
    2_048
}

impl Nomic {
    fn shape(self) -> Result<Shape, String> {
        let usual = self.activation_function == "swiglu"
            && !self.prenorm
            && !self.use_rms_norm
            && self.rotary_emb_fraction == 1.0
            && !self.rotary_emb_interleaved
            && self.num_experts == 0;
        if !usual {
            return Err("this kind of NomicBERT is not supported".to_owned());
        }
        Ok(Shape {
            kind: Kind::Nomic {
                base: self.rotary_emb_base,
                positions: self.max_trained_positions,
            },
            vocabulary: self.vocab_size,
            kinds: self.type_vocab_size,
            hidden: self.n_embd,
            layers: self.n_layer,
            heads: self.n_head,
            inner: self.n_inner,
            epsilon: self.layer_norm_epsilon,
            activation: Activation::Silu,
        })
    }
}

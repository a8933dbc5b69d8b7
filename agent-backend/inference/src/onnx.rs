//! ONNX Runtime, from a library that is loaded when the first model needs it
//! and stays loaded: one for the process.

use std::{
    fmt,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use ort::{
    environment::Environment,
    logging::LogLevel,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::Tensor,
};

use crate::{Error, error::folder_of, loading::Task, tokens::Tokens};

/// The library and what it was loaded from.
static LIBRARY: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// A model in ONNX Runtime's memory.
pub(crate) struct Model {
    session: Session,
    inputs: Vec<(String, Input)>,
    /// The output with the vectors or the scores.
    output: String,
    task: Task,
}

/// What the model wants to be told about the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Kinds,
}

impl Model {
    pub(crate) fn load(
        weights: &Path,
        library: &Path,
        threads: NonZeroUsize,
        task: Task,
    ) -> Result<Self, Error> {
        let environment = environment(library)?;
        let unusable = |reason: String| {
            let name = weights.file_name().unwrap_or_default().to_string_lossy();
            Error::unusable(&folder_of(weights), format!("{name}: {reason}"))
        };
        let session = session(&environment, weights, threads).map_err(|error| unusable(error.to_string()))?;
        let inputs = session
            .inputs()
            .iter()
            .map(|input| match input.name() {
                "input_ids" => Ok((input.name().to_owned(), Input::Ids)),
                "attention_mask" => Ok((input.name().to_owned(), Input::Mask)),
                "token_type_ids" => Ok((input.name().to_owned(), Input::Kinds)),
                other => Err(unusable(format!("it wants an unknown input `{other}`"))),
            })
            .collect::<Result<_, _>>()?;
        let wanted: &[&str] = match task {
            Task::Embed => &["last_hidden_state", "token_embeddings"],
            Task::Score => &["logits"],
        };
        let outputs: Vec<&str> = session.outputs().iter().map(|output| output.name()).collect();
        let output = wanted
            .iter()
            .find(|name| outputs.contains(name))
            .ok_or_else(|| {
                unusable(format!(
                    "its outputs are {}, and {} is needed",
                    outputs.join(", "),
                    wanted.join(" or ")
                ))
            })?
            .to_string();
        Ok(Self {
            session,
            inputs,
            output,
            task,
        })
    }

    /// For each text the vectors of its tokens one after the other, or its
    /// scores.
    pub(crate) fn run(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, Error> {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let padded = |input: Input| {
            let mut values = vec![0_i64; texts.len() * longest];
            for (row, text) in values.chunks_exact_mut(longest.max(1)).zip(texts) {
                for (place, value) in row.iter_mut().take(text.len()).enumerate() {
                    *value = match input {
                        Input::Ids => text.ids[place].into(),
                        Input::Kinds => text.kinds[place].into(),
                        Input::Mask => 1,
                    };
                }
            }
            Tensor::from_array(([texts.len(), longest], values))
        };
        let mut inputs: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(self.inputs.len());
        for (name, input) in &self.inputs {
            inputs.push((
                name.clone(),
                padded(*input)
                    .map_err(|error| Error::failed(error.to_string()))?
                    .into(),
            ));
        }
        let outputs = self
            .session
            .run(inputs)
            .map_err(|error| Error::failed(error.to_string()))?;
        let output = outputs
            .get(&self.output)
            .ok_or_else(|| Error::failed("its output is missing"))?;
        let (shape, values) = output
            .try_extract_tensor::<f32>()
            .map_err(|error| Error::failed(error.to_string()))?;
        // A row for each text; of the padding behind it nothing is taken.
        let (size, own): (usize, &dyn Fn(&Tokens) -> usize) = match (self.task, &**shape) {
            (Task::Embed, [_, _, width]) => {
                let width = usize::try_from(*width).unwrap_or(0);
                (longest * width, &move |text| text.len() * width)
            }
            (Task::Score, [_, labels]) => {
                let labels = usize::try_from(*labels).unwrap_or(0);
                (labels, &move |_text| labels)
            }
            (Task::Embed | Task::Score, _) => {
                return Err(Error::failed(format!("{} has the shape {shape:?}", self.output)));
            }
        };
        if size == 0 || values.len() != size * texts.len() {
            return Err(Error::failed(format!("{} has the shape {shape:?}", self.output)));
        }
        let rows = values.chunks_exact(size).zip(texts);
        Ok(rows.map(|(row, text)| row[..own(text)].to_vec()).collect())
    }
}

fn session(environment: &Environment, weights: &Path, threads: NonZeroUsize) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(threads.get())?
        .with_inter_threads(1)?
        // Waiting threads that spin would take a core each between batches.
        .with_intra_op_spinning(false)?
        .with_log_level(LogLevel::Error)?
        .commit_from_file(weights)
}

fn environment(library: &Path) -> Result<Environment, Error> {
    let mut loaded = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, environment)) = &*loaded {
        if path != library {
            tracing::warn!(loaded = %path.display(), asked = %library.display(), "one ONNX Runtime serves the whole process");
        }
        return Ok(environment.clone());
    }
    let unusable = |reason: String| Error::Library {
        reason: format!("{}: {reason}", library.display()),
    };
    let builder = ort::init_from(library).map_err(|error| unusable(error.to_string()))?;
    let environment = builder.build().map_err(|error| unusable(error.to_string()))?;
    *loaded = Some((library.to_owned(), environment.clone()));
    Ok(environment)
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("inputs", &self.inputs)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

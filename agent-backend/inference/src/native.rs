//! Our own runtime, for machines without ONNX Runtime: BERT and NomicBERT in
//! 32-bit floats from a safetensors file. Why not a framework:
//! `docs/adr/0008-own-forward-pass.md`.
//!
//! Texts of a batch are packed one after the other without padding and dealt to
//! the threads.

mod encoder;
mod math;
mod shape;
mod weights;

use std::{num::NonZeroUsize, path::Path, thread};

use ndarray::{Array2, Axis, Slice};

use crate::{Error, files::Files, loading::Task, tokens::Tokens};
use encoder::{Classifier, Encoder};
use shape::Shape;
use weights::Weights;

/// A model in memory.
#[derive(Debug)]
pub(crate) struct Model {
    encoder: Encoder,
    /// Only for scoring.
    classifier: Option<Classifier>,
    threads: NonZeroUsize,
}

impl Model {
    pub(crate) fn load(
        files: &Files,
        weights: &Path,
        threads: NonZeroUsize,
        task: Task,
    ) -> Result<Self, Error> {
        let shape = Shape::read(files)?;
        let weights = Weights::open(weights)?;
        let encoder = Encoder::load(&shape, &weights)?;
        let classifier = match task {
            Task::Embed => None,
            Task::Score => Some(Classifier::load(&shape, &weights)?),
        };
        Ok(Self {
            encoder,
            classifier,
            threads,
        })
    }

    /// For each text the vectors of its tokens one after the other, or its
    /// scores.
    pub(crate) fn run(&self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, Error> {
        if let Some(id) = texts.iter().find_map(|text| self.encoder.unknown(text)) {
            return Err(Error::failed(format!(
                "its tokenizer knows token {id}, it does not"
            )));
        }
        // Longest first, as they come, so that the shares are about as large.
        let count = self.threads.get().min(texts.len()).max(1);
        let shares: Vec<Vec<&Tokens>> = (0..count)
            .map(|first| texts.iter().skip(first).step_by(count).copied().collect())
            .collect();
        let done: Vec<Vec<Vec<f32>>> = match shares.as_slice() {
            [share] => vec![self.share(share)],
            _ => thread::scope(|scope| {
                let threads: Vec<_> = shares
                    .iter()
                    .map(|share| scope.spawn(|| self.share(share)))
                    .collect();
                let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
                results.collect::<Result<Vec<_>, _>>()
            })
            .map_err(|_panic| Error::failed("a thread of it ended"))?,
        };
        let mut rows = vec![Vec::new(); texts.len()];
        for (first, share) in done.into_iter().enumerate() {
            for (nth, row) in share.into_iter().enumerate() {
                rows[first + nth * count] = row;
            }
        }
        Ok(rows)
    }

    fn share(&self, texts: &[&Tokens]) -> Vec<Vec<f32>> {
        let hidden: Array2<f32> = self.encoder.run(texts);
        let mut start = 0;
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let own = hidden.slice_axis(Axis(0), Slice::from(start..start + text.len()));
            start += text.len();
            rows.push(match &self.classifier {
                None => own.iter().copied().collect(),
                Some(classifier) => classifier.run(&own.row(0)),
            });
        }
        rows
    }
}

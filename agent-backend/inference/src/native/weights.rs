//! Tensors of a safetensors file, read one by one, as 32-bit floats.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use half::{bf16, f16};
use ndarray::{Array1, Array2};
use safetensors::{Dtype, tensor::Metadata};

use crate::{Error, error::folder_of};

/// Largest table of contents, in bytes.
const HEADER_BYTES_MAX: u64 = 16 << 20;

/// Bytes in front of the table of contents: its length.
const LENGTH_BYTES: u64 = 8;

/// A file of tensors.
#[derive(Debug)]
pub(super) struct Weights {
    folder: PathBuf,
    file: Mutex<File>,
    /// Where the first tensor begins.
    start: u64,
    contents: Metadata,
    /// In front of every name, for example `bert.`.
    prefix: String,
}

/// What every supported model has, and by which the prefix is found.
const LANDMARK: &str = "embeddings.word_embeddings.weight";

impl Weights {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let folder = folder_of(path);
        let unusable =
            |error: &dyn std::fmt::Display| Error::unusable(&folder, format!("model.safetensors: {error}"));
        let mut file = File::open(path).map_err(|error| unusable(&error))?;
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(|error| unusable(&error))?;
        let length = u64::from_le_bytes(length);
        if length > HEADER_BYTES_MAX {
            return Err(unusable(&"it is no safetensors file"));
        }
        let mut header = Vec::new();
        (&mut file)
            .take(length)
            .read_to_end(&mut header)
            .map_err(|error| unusable(&error))?;
        let contents: Metadata = serde_json::from_slice(&header).map_err(|error| unusable(&error))?;
        let prefix = contents
            .tensors()
            .keys()
            .find_map(|name| name.strip_suffix(LANDMARK).map(str::to_owned))
            .ok_or_else(|| unusable(&format!("it has no {LANDMARK}")))?;
        Ok(Self {
            folder,
            file: Mutex::new(file),
            start: LENGTH_BYTES + length,
            contents,
            prefix,
        })
    }

    /// A vector of this length.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Array1<f32>, Error> {
        Ok(Array1::from_vec(self.read(&self.full(name), &[length])?))
    }

    /// A vector that may be absent: zeros.
    pub(super) fn vector_or_zeros(&self, name: &str, length: usize) -> Result<Array1<f32>, Error> {
        if self.contents.info(&self.full(name)).is_none() {
            return Ok(Array1::zeros(length));
        }
        self.vector(name, length)
    }

    /// A table of this many rows and columns.
    pub(super) fn table(&self, name: &str, rows: usize, columns: usize) -> Result<Array2<f32>, Error> {
        let values = self.read(&self.full(name), &[rows, columns])?;
        Array2::from_shape_vec((rows, columns), values).map_err(|error| Error::failed(error.to_string()))
    }

    /// The rows of a table with so many columns.
    pub(super) fn rows(&self, name: &str) -> Option<usize> {
        let shape = &self.contents.info(&self.full(name))?.shape;
        shape.first().copied()
    }

    /// Names below the head of the model carry no prefix.
    fn full(&self, name: &str) -> String {
        if name.starts_with("classifier.") {
            name.to_owned()
        } else {
            format!("{}{name}", self.prefix)
        }
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let unusable = |reason: String| Error::unusable(&self.folder, format!("the tensor {name} {reason}"));
        let info = self
            .contents
            .info(name)
            .ok_or_else(|| unusable("is missing".to_owned()))?;
        if info.shape != shape {
            return Err(unusable(format!(
                "has the shape {:?} instead of {shape:?}",
                info.shape
            )));
        }
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to.saturating_sub(from)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.start + from as u64))
            .and_then(|_at| file.read_exact(&mut bytes))
            .map_err(|error| unusable(format!("cannot be read: {error}")))?;
        drop(file);
        #[expect(clippy::wildcard_enum_match_arm, reason = "the list of the format grows")]
        let values = match info.dtype {
            Dtype::F32 => numbers(&bytes, f32::from_le_bytes),
            Dtype::F16 => numbers(&bytes, |two| f16::from_le_bytes(two).to_f32()),
            Dtype::BF16 => numbers(&bytes, |two| bf16::from_le_bytes(two).to_f32()),
            other => return Err(unusable(format!("holds {other:?} instead of floats"))),
        };
        if values.len() == shape.iter().product::<usize>() {
            Ok(values)
        } else {
            Err(unusable("is cut off".to_owned()))
        }
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|bytes| number(*bytes))
        .collect()
}

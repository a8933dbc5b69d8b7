//! The models of a run.

use crate::options::Options;
use retrieval::Models;

type Failure = Box<dyn std::error::Error>;

/// The models that the options name.
pub fn load(options: &Options) -> Result<Models, Failure> {
    if options.embed.is_some() || options.rerank.is_some() {
        return Err("there is no local model in this build".into());
    }
    Ok(Models::default())
}

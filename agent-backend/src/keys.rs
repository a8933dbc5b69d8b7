//! Keys of servers, from where the configuration says: an environment variable
//! or a file, never the configuration itself.

use std::{env, fs, path::Path};

use models::Key;
use shared::error::Code;

use crate::error::Error;

/// The key of `whose`; none if neither place is named.
///
/// # Errors
/// E1411 if the place that is named does not hold one.
pub fn read(variable: Option<&str>, file: Option<&Path>, whose: &str) -> Result<Option<Key>, Error> {
    let refused = |reason: String| Error::user(Code::KeyRefused, reason);
    let text = if let Some(name) = variable {
        env::var(name).map_err(|_| {
            refused(format!(
                "the environment variable {name}, which should hold the key of {whose}, is not set"
            ))
        })?
    } else if let Some(path) = file {
        fs::read_to_string(path).map_err(|error| {
            let file = path.display();
            refused(format!("{file}, which should hold the key of {whose}: {error}"))
        })?
    } else {
        return Ok(None);
    };
    Ok(Some(Key::new(&text)))
}

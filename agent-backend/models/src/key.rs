//! A secret that no message and no log shows.

use std::fmt;

/// The key of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key, without the blanks around it.
    pub fn new(key: &str) -> Self {
        Self(key.trim().to_owned())
    }

    /// For the header of a request, and to take it out of what servers say.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

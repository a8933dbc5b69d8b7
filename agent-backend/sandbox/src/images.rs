//! Which image a container engine takes for a language: the base image, and on top of it
//! what its tests usually need. The name holds a hash of what the image is made of, so
//! that it is made once and again when that changes.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::Language;

/// How long the making of an image may take.
pub(crate) const BUILD_TIME: Duration = Duration::from_secs(300);

/// Letters of the hash in the name.
const HASH_LETTERS: usize = 16;

/// What the image of a language is made with; none if the base image is enough.
pub(crate) fn containerfile(language: Language, base: &str) -> Option<String> {
    let packages = match language {
        Language::Any => return None,
        Language::Go => "golang-go git ca-certificates",
        Language::JavaScript => "nodejs npm git ca-certificates",
        Language::Python => "python3 python3-pytest python3-venv git ca-certificates",
        Language::Rust => "cargo rustc rustfmt git ca-certificates",
    };
    Some(format!(
        "FROM {base}\nRUN apt-get update && apt-get install --yes --no-install-recommends {packages} \
         && rm -rf /var/lib/apt/lists/*\n"
    ))
}

/// The name of the image that this makes from a base image with this identity.
pub(crate) fn tag(containerfile: &str, base_id: &str) -> String {
    let hash = Sha256::new()
        .chain_update(containerfile)
        .chain_update(base_id)
        .finalize();
    format!(
        "localhost/agentic-ide-sandbox:{}",
        &hex::encode(hash)[..HASH_LETTERS]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_changes_with_what_the_image_is_made_of() {
        let python = containerfile(Language::Python, "debian:stable-slim").unwrap();
        assert!(
            python.starts_with("FROM debian:stable-slim\nRUN apt-get update"),
            "{python}"
        );
        assert_eq!(containerfile(Language::Any, "debian:stable-slim"), None);
        let rust = containerfile(Language::Rust, "debian:stable-slim").unwrap();
        let tags = [tag(&python, "1"), tag(&python, "2"), tag(&rust, "1")];
        assert_eq!(tag(&python, "1"), tags[0]);
        assert_ne!(tags[0], tags[1]);
        assert_ne!(tags[0], tags[2]);
    }
}

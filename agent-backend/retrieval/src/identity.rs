//! What makes two chunks the same chunk: hashes and the ids made of them.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Changes whenever the same file would give other chunks, terms, payload or
/// text to embed;
/// collections of another version are left alone and a new one is filled.
pub const CHUNKER_VERSION: u32 = 5;

/// Namespace of the point ids, a random constant.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b1f_1f0e_6f2c_4b57_9d0a_3f6e_21c4_77aa);

const HASH_BYTES: usize = 16;

/// The first 128 bits of the SHA-256 of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; HASH_BYTES]);

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(&digest[..HASH_BYTES]);
        Self(hash)
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; HASH_BYTES];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Self(hash))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names a workspace in the database without telling its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// The id of the workspace at `root`, which must be canonical: two
    /// spellings of one path would be two workspaces.
    pub fn of(root: &Path) -> Self {
        Self(ContentHash::of(root.as_os_str().as_encoded_bytes()).to_string())
    }

    /// An id that `as_str` gave.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a file's chunk number `ordinal`. Indexing the same content again
/// writes the same points; changed content never overwrites the old points,
/// which stay searchable until the new ones are stored.
pub fn point_id(
    workspace: &WorkspaceId,
    path: &str,
    content: ContentHash,
    ordinal: usize,
    model: Option<&str>,
) -> Uuid {
    let model = model.unwrap_or("");
    let name = format!(
        "{}\u{0}{path}\u{0}{content}\u{0}{ordinal}\u{0}{model}\u{0}{CHUNKER_VERSION}",
        workspace.as_str()
    );
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_hash_reads_back() {
        let hash = ContentHash::of(b"abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(ContentHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(ContentHash::parse("ba78"), None);
        assert_eq!(ContentHash::parse("zz"), None);
    }

    #[test]
    fn every_part_of_a_point_changes_its_id() {
        let a = WorkspaceId::of(Path::new("/a"));
        let b = WorkspaceId::of(Path::new("/b"));
        let one = ContentHash::of(b"1");
        let two = ContentHash::of(b"2");
        let ids = [
            point_id(&a, "p", one, 0, None),
            point_id(&b, "p", one, 0, None),
            point_id(&a, "q", one, 0, None),
            point_id(&a, "p", two, 0, None),
            point_id(&a, "p", one, 1, None),
            point_id(&a, "p", one, 0, Some("m")),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert_eq!(ids[0], point_id(&a, "p", one, 0, None));
    }
}

//! Which files to write and which points to remove. Pure.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::identity::ContentHash;
use crate::store::StoredPoint;
use crate::walk::FileStamp;

/// What a store holds of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    files: BTreeMap<String, BTreeMap<Uuid, Held>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    content: ContentHash,
    chunks: u32,
}

impl Manifest {
    /// From a listing of the store.
    pub fn of(points: impl IntoIterator<Item = StoredPoint>) -> Self {
        let mut manifest = Self::default();
        for point in points {
            manifest.insert(point);
        }
        manifest
    }

    /// How many points it knows of.
    pub fn points(&self) -> usize {
        self.files.values().map(BTreeMap::len).sum()
    }

    /// Forgets points.
    pub fn remove(&mut self, ids: &[Uuid]) {
        let ids: BTreeSet<&Uuid> = ids.iter().collect();
        for points in self.files.values_mut() {
            points.retain(|id, _| !ids.contains(id));
        }
        self.files.retain(|_, points| !points.is_empty());
    }

    /// Puts `points` in the place of everything known of `paths`. Returns the
    /// ids that were known and are not among `points`.
    pub fn replace<'a>(
        &mut self,
        paths: impl Iterator<Item = &'a str>,
        points: impl IntoIterator<Item = StoredPoint>,
    ) -> Vec<Uuid> {
        let old: Vec<Uuid> = paths
            .filter_map(|path| self.files.remove(path))
            .flat_map(BTreeMap::into_keys)
            .collect();
        let mut new = BTreeSet::new();
        for point in points {
            new.insert(point.id);
            self.insert(point);
        }
        old.into_iter().filter(|id| !new.contains(id)).collect()
    }

    fn insert(&mut self, point: StoredPoint) {
        let held = Held {
            content: point.content,
            chunks: point.chunks,
        };
        self.files.entry(point.path).or_default().insert(point.id, held);
    }
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files that are not stored, not completely, or with other content.
    pub write: Vec<FileStamp>,
    /// Points of files that are gone, and old points beside complete new ones.
    pub delete: Vec<Uuid>,
    /// Files that are gone.
    pub files_deleted: usize,
}

/// Compares the files there are with what is stored.
pub fn plan(files: &[FileStamp], stored: &Manifest) -> Plan {
    let mut plan = Plan::default();
    let present: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for (path, points) in &stored.files {
        if !present.contains(path.as_str()) {
            plan.files_deleted += 1;
            plan.delete.extend(points.keys());
        }
    }
    let nothing = BTreeMap::new();
    for file in files {
        let points = stored.files.get(&file.path).unwrap_or(&nothing);
        let current = points.values().filter(|held| held.content == file.hash);
        let expected = current.clone().next().map(|held| held.chunks);
        if expected == u32::try_from(current.count()).ok().filter(|count| *count > 0) && expected.is_some() {
            let stale = points.iter().filter(|(_, held)| held.content != file.hash);
            plan.delete.extend(stale.map(|(id, _)| *id));
        } else {
            plan.write.push(file.clone());
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(version: u8) -> ContentHash {
        ContentHash::of(&[version])
    }

    fn file(path: &str, version: u8) -> FileStamp {
        FileStamp {
            path: path.into(),
            hash: hash(version),
        }
    }

    fn point(id: u128, path: &str, version: u8, chunks: u32) -> StoredPoint {
        StoredPoint {
            id: Uuid::from_u128(id),
            path: path.into(),
            content: hash(version),
            chunks,
        }
    }

    #[test]
    fn plans() {
        let check =
            |files: &[FileStamp], stored: &[StoredPoint], write: &[&str], delete: &[u128], gone: usize| {
                let got = plan(files, &Manifest::of(stored.iter().cloned()));
                let paths: Vec<&str> = got.write.iter().map(|file| file.path.as_str()).collect();
                let ids: Vec<u128> = got.delete.iter().map(Uuid::as_u128).collect();
                assert_eq!(
                    (paths.as_slice(), ids.as_slice(), got.files_deleted),
                    (write, delete, gone)
                );
            };
        // Nothing is stored.
        check(&[file("a", 1)], &[], &["a"], &[], 0);
        // All is stored.
        check(
            &[file("a", 1)],
            &[point(1, "a", 1, 2), point(2, "a", 1, 2)],
            &[],
            &[],
            0,
        );
        // Changed: the old points stay until the new ones are written.
        check(&[file("a", 2)], &[point(1, "a", 1, 1)], &["a"], &[], 0);
        // A run ended half way through the file.
        check(&[file("a", 1)], &[point(1, "a", 1, 2)], &["a"], &[], 0);
        // A run ended before the old points were removed.
        check(
            &[file("a", 2)],
            &[point(1, "a", 1, 1), point(2, "a", 2, 1)],
            &[],
            &[1],
            0,
        );
        // Gone.
        check(&[], &[point(1, "a", 1, 2), point(2, "a", 1, 2)], &[], &[1, 2], 1);
    }

    #[test]
    fn replacing_tells_what_is_left_over() {
        let mut manifest = Manifest::of([point(1, "a", 1, 2), point(2, "a", 1, 2), point(9, "b", 1, 1)]);
        let stale = manifest.replace(["a", "c"].into_iter(), [point(2, "a", 2, 2), point(3, "a", 2, 2)]);
        assert_eq!(stale, [Uuid::from_u128(1)]);
        assert_eq!(
            manifest,
            Manifest::of([point(2, "a", 2, 2), point(3, "a", 2, 2), point(9, "b", 1, 1)])
        );
        manifest.remove(&[Uuid::from_u128(9)]);
        assert_eq!(manifest.points(), 2);
    }
}

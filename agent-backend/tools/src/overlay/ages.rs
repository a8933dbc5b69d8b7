//! When the contents of a file were first seen, kept from copy to copy.
//!
//! Build tools judge by time whether a file is newer than what was built of it.
//! A copy whose files are all new is built from nothing each time; one that
//! keeps the workspace's times is wrong when a file goes back to what it was.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use engine::blob::BlobId;

use crate::clock;

/// Seen contents by path, and since when.
#[derive(Debug)]
pub(crate) struct Ages {
    seen: BTreeMap<String, (BlobId, Duration)>,
    /// What counts as now: the time at which the copies of one run begin.
    now: Duration,
}

impl Ages {
    /// Reads what was kept; nothing where the file is missing or damaged, which
    /// costs a build from nothing.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        Self {
            seen: text.lines().filter_map(entry).collect(),
            now: clock::since_epoch(),
        }
    }

    /// Keeps it for the next run.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
        for (name, (id, since)) in &self.seen {
            // A name with a line break is new each time.
            if !name.contains('\n') {
                writeln!(file, "{} {} {name}", id.to_hex(), since.as_nanos())?;
            }
        }
        file.persist(path)?;
        Ok(())
    }

    /// The time of a file with these contents. Contents that come back are new
    /// once more: what was built meanwhile was built of others.
    pub(crate) fn of(&mut self, path: &str, id: BlobId) -> SystemTime {
        let since = match self.seen.get(path) {
            Some((seen, since)) if *seen == id => *since,
            _ => {
                let now = self.tick();
                self.seen.insert(path.to_owned(), (id, now));
                now
            }
        };
        SystemTime::UNIX_EPOCH + since
    }

    /// Later than every time that was given before.
    fn tick(&mut self) -> Duration {
        self.now = clock::since_epoch().max(self.now + Duration::from_nanos(1));
        self.now
    }
}

fn entry(line: &str) -> Option<(String, (BlobId, Duration))> {
    let mut parts = line.splitn(3, ' ');
    let id = BlobId::from_hex(parts.next()?)?;
    let since = Duration::from_nanos(parts.next()?.parse().ok()?);
    Some((parts.next()?.to_owned(), (id, since)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_keep_their_time_until_others_come() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ages");
        let (one, two) = (BlobId::of(b"1"), BlobId::of(b"2"));
        let mut ages = Ages::read(&file);
        let first = ages.of("a b.rs", one);
        assert_eq!(ages.of("a b.rs", one), first);
        ages.write(&file).unwrap();

        let mut ages = Ages::read(&file);
        assert_eq!(ages.of("a b.rs", one), first);
        let changed = ages.of("a b.rs", two);
        assert!(changed > first);
        // Back to what it was, and yet newer than what was built of the other.
        assert!(ages.of("a b.rs", one) > changed);
    }

    #[test]
    fn a_damaged_record_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ages");
        fs::write(&file, "zz 1 a\n12\n\u{0}").unwrap();
        assert!(Ages::read(&file).seen.is_empty());
    }
}

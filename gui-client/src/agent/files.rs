//! Files that an agent reads and writes through the window
//! (`fs/read_text_file`, `fs/write_text_file`): text, inside the folder of its
//! session, never through a symbolic link.
//!
//! The agent's own program may do more by itself; what is asked of the window
//! goes no further than this.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat, renameat},
    sys::stat::{Mode, mkdirat},
    unistd::{UnlinkatFlags, unlinkat},
};

use crate::Error;

/// Largest file that is read or written, in bytes.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Git's own data is nobody's text.
const GIT: &str = ".git";
/// Rights of a new folder and a new file, before the umask.
const FOLDER_MODE: u32 = 0o777;
const FILE_MODE: u32 = 0o666;

/// Reads lines of a text file, if there is one: from line `from` (from 1), at most
/// `lines`.
///
/// # Errors
/// The file lies outside `folder`, is no text, is too long, or cannot be read.
pub fn read(
    folder: &Path,
    path: &Path,
    from: Option<u32>,
    lines: Option<u32>,
) -> Result<Option<String>, Error> {
    let Some(text) = whole(folder, path)? else {
        return Ok(None);
    };
    if from.is_none() && lines.is_none() {
        return Ok(Some(text));
    }
    let skipped = from.unwrap_or(1).saturating_sub(1);
    let taken = lines.unwrap_or(u32::MAX);
    let lines = text.split_inclusive('\n').skip(skipped as usize);
    Ok(Some(lines.take(taken as usize).collect()))
}

/// The whole text of a file, if there is one.
///
/// # Errors
/// The same as of [`read`].
pub fn whole(folder: &Path, path: &Path) -> Result<Option<String>, Error> {
    let Some(place) = Place::find(folder, path, Missing::Leave)? else {
        return Ok(None);
    };
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(&place.folder, place.name.as_path(), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(failed(path, errno)),
    };
    let about = file
        .metadata()
        .map_err(|error| refuse(path, &error.to_string()))?;
    if !about.is_file() {
        return Err(refuse(path, "it is no file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| refuse(path, &error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse(path, "it is longer than 4 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| refuse(path, "it is no text in UTF-8"))?;
    Ok(Some(text))
}

/// Writes a text file; the folders above it are made.
///
/// # Errors
/// The file lies outside `folder`, the text is too long, or it cannot be written.
pub fn write(folder: &Path, path: &Path, text: &str) -> Result<(), Error> {
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse(path, "the text is longer than 4 MiB"));
    }
    let Some(place) = Place::find(folder, path, Missing::Make)? else {
        return Err(refuse(path, "there is no such folder"));
    };
    place.write(text).map_err(|error| match error.raw_os_error() {
        Some(errno) => failed(path, Errno::from_raw(errno)),
        None => refuse(path, &error.to_string()),
    })
}

/// Where a file is: its folder, opened step by step, and its name.
struct Place {
    folder: OwnedFd,
    name: PathBuf,
}

/// What to do about a folder that does not exist.
#[derive(Clone, Copy)]
enum Missing {
    Leave,
    Make,
}

impl Place {
    fn find(folder: &Path, path: &Path, missing: Missing) -> Result<Option<Self>, Error> {
        let parts = inside(folder, path)?;
        let Some((name, above)) = parts.split_last() else {
            return Err(refuse(path, "it is the folder itself"));
        };
        let open = File::open(folder).map_err(|error| refuse(folder, &error.to_string()))?;
        let mut folder = OwnedFd::from(open);
        for part in above {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let open = |folder: &OwnedFd| openat(folder, part.as_path(), flags, Mode::empty());
            folder = match (open(&folder), missing) {
                (Ok(next), _) => next,
                (Err(Errno::ENOENT), Missing::Leave) => return Ok(None),
                (Err(Errno::ENOENT), Missing::Make) => {
                    match mkdirat(&folder, part.as_path(), Mode::from_bits_truncate(FOLDER_MODE)) {
                        Ok(()) | Err(Errno::EEXIST) => {}
                        Err(errno) => return Err(failed(path, errno)),
                    }
                    open(&folder).map_err(|errno| failed(path, errno))?
                }
                (Err(errno), _) => return Err(failed(path, errno)),
            };
        }
        let name = name.clone();
        Ok(Some(Self { folder, name }))
    }

    /// Puts the new file in the old one's place at once: nobody reads half of it.
    fn write(&self, text: &str) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let old = match openat(&self.folder, self.name.as_path(), flags, Mode::empty()) {
            Ok(old) => Some(File::from(old).metadata()?),
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(Errno::EISDIR.into());
        }
        let temporary = PathBuf::from(format!(".agentic-ide.{}", uuid::Uuid::new_v4()));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(FILE_MODE);
        let mut file = File::from(openat(&self.folder, temporary.as_path(), flags, mode)?);
        let written = (|| {
            if let Some(old) = old {
                let mode = old.permissions().mode() & 0o7777;
                file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            renameat(
                &self.folder,
                temporary.as_path(),
                &self.folder,
                self.name.as_path(),
            )?;
            File::from(self.folder.try_clone()?).sync_all()
        })();
        if written.is_err() {
            let _gone = unlinkat(&self.folder, temporary.as_path(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }
}

/// The parts of `path` below `folder`, judged by the text alone.
fn inside(folder: &Path, path: &Path) -> Result<Vec<PathBuf>, Error> {
    if !path.is_absolute() {
        return Err(refuse(path, "it is not a whole path"));
    }
    let Ok(below) = path.strip_prefix(folder) else {
        return Err(refuse(path, "it lies outside the session's folder"));
    };
    let mut parts = Vec::new();
    for part in below.components() {
        match part {
            Component::Normal(name) if name.eq_ignore_ascii_case(GIT) => {
                return Err(refuse(path, "git keeps its data there"));
            }
            Component::Normal(name) => parts.push(PathBuf::from(name)),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(refuse(path, "it lies outside the session's folder"));
            }
        }
    }
    Ok(parts)
}

fn failed(path: &Path, errno: Errno) -> Error {
    let through_a_link = [Errno::ELOOP, Errno::ENOTDIR].contains(&errno);
    refuse(
        path,
        if through_a_link {
            "it goes through a symbolic link or a file"
        } else {
            errno.desc()
        },
    )
}

fn refuse(path: &Path, reason: &str) -> Error {
    Error::File {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// A folder with a text, a link that leads out, and what lies outside.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("work/src")).unwrap();
        fs::create_dir_all(dir.path().join("work/.git")).unwrap();
        fs::write(dir.path().join("work/src/a.txt"), "one\ntwo\nthree\n").unwrap();
        fs::write(dir.path().join("work/raw"), [0xff, 0xfe]).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        symlink(dir.path(), dir.path().join("work/out")).unwrap();
        symlink(dir.path().join("secret"), dir.path().join("work/link")).unwrap();
        dir
    }

    fn check_read(path: &str, range: (Option<u32>, Option<u32>), expect: Result<Option<&str>, &str>) {
        let dir = folder();
        let work = dir.path().join("work");
        let got = read(&work, &dir.path().join(path), range.0, range.1);
        match (got, expect) {
            (Ok(text), Ok(expect)) => assert_eq!(text.as_deref(), expect, "{path}"),
            (Err(error), Err(part)) => assert!(error.to_string().ends_with(part), "{path}: {error}"),
            (got, expect) => panic!("{path}: {got:?} is not {expect:?}"),
        }
    }

    #[test]
    fn texts_inside_are_read_and_nothing_else() {
        let all = (None, None);
        check_read("work/src/a.txt", all, Ok(Some("one\ntwo\nthree\n")));
        check_read("work/src/a.txt", (Some(2), Some(1)), Ok(Some("two\n")));
        check_read("work/src/a.txt", (Some(3), None), Ok(Some("three\n")));
        check_read("work/src/a.txt", (Some(9), None), Ok(Some("")));
        check_read("work/src/a.txt", (Some(0), Some(1)), Ok(Some("one\n")));
        check_read("work/none.txt", all, Ok(None));
        check_read("work/none/a.txt", all, Ok(None));
        check_read("work/src", all, Err("it is no file"));
        check_read("work", all, Err("it is the folder itself"));
        check_read("work/raw", all, Err("it is no text in UTF-8"));
        let link = "it goes through a symbolic link or a file";
        check_read("work/out/secret", all, Err(link));
        check_read("work/link", all, Err(link));
        check_read("work/src/a.txt/b", all, Err(link));
        let outside = "it lies outside the session's folder";
        check_read("secret", all, Err(outside));
        check_read("work/../secret", all, Err(outside));
        check_read("work/src/../../secret", all, Err(outside));
        check_read("work/.git/config", all, Err("git keeps its data there"));
        check_read("work/.GIT/config", all, Err("git keeps its data there"));
        let relative = read(Path::new("/w"), Path::new("a.txt"), None, None).unwrap_err();
        assert_eq!(relative.to_string(), "a.txt: it is not a whole path");
    }

    fn check_write(path: &str, expect: Result<(), &str>) {
        let dir = folder();
        let (work, path) = (dir.path().join("work"), dir.path().join(path));
        match (write(&work, &path, "new\n"), expect) {
            (Ok(()), Ok(())) => assert_eq!(fs::read_to_string(&path).unwrap(), "new\n"),
            (Err(error), Err(part)) => assert!(error.to_string().ends_with(part), "{error}"),
            (got, expect) => panic!("{path:?}: {got:?} is not {expect:?}"),
        }
        assert_eq!(fs::read_to_string(dir.path().join("secret")).unwrap(), "s");
        let left: Vec<_> = fs::read_dir(work.join("src")).unwrap().collect();
        let names = |entry: &io::Result<fs::DirEntry>| entry.as_ref().unwrap().file_name();
        assert!(
            !left
                .iter()
                .map(names)
                .any(|name| name.to_string_lossy().starts_with(".agentic"))
        );
    }

    #[test]
    fn files_are_written_whole_and_inside() {
        check_write("work/src/a.txt", Ok(()));
        check_write("work/src/new/deep.txt", Ok(()));
        check_write("work/src", Err("Is a directory"));
        let link = "it goes through a symbolic link or a file";
        check_write("work/link", Err(link));
        check_write("work/out/secret", Err(link));
        check_write("work/../secret", Err("it lies outside the session's folder"));
        check_write("work/.git/hooks/post-commit", Err("git keeps its data there"));
    }

    #[test]
    fn the_rights_of_a_file_stay() {
        let dir = folder();
        let path = dir.path().join("work/src/a.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        write(&dir.path().join("work"), &path, "new\n").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o750);
    }
}

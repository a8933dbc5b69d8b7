//! What a sandbox promises, and whether it holds on this machine.

use std::fmt;

/// One promise, and what was found when it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarantee {
    /// What is promised.
    pub promise: Promise,
    /// Whether it holds.
    pub held: Held,
}

/// Whether a promise holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It was tried and holds.
    Yes,
    /// It does not, for this reason; the words say what holds instead.
    No(String),
}

macro_rules! promises {
    ($($name:ident = $key:literal, $text:literal;)*) => {
        /// What a sandbox can promise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Promise { $(#[doc = $text] $name,)* }

        impl Promise {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [Promise] = &[$(Promise::$name,)*];

            /// A short name, for data.
            pub fn key(self) -> &'static str {
                match self { $(Promise::$name => $key,)* }
            }

            /// What is promised, for a person.
            pub fn text(self) -> &'static str {
                match self { $(Promise::$name => $text,)* }
            }
        }
    };
}

promises! {
    NetworkOff = "network", "no network";
    RootReadOnly = "root", "the system is read-only";
    HomeHidden = "home", "homes and other files of the host are not there";
    PrivateTmp = "tmp", "/tmp is its own and bounded";
    ProcessesHidden = "processes", "other processes are neither seen nor reached";
    NoPrivileges = "privileges", "no privileges, and none to be gained";
    NoNamespaces = "namespaces", "no namespaces inside";
    SystemCalls = "system_calls", "dangerous system calls are refused (seccomp)";
    PathRules = "path_rules", "writing is refused outside the mounts a second time (Landlock)";
    MemoryLimit = "memory", "memory is bounded";
    ProcessLimit = "process_count", "the number of processes is bounded";
    CpuLimit = "cpu", "processor time is bounded";
    FileLimit = "file_size", "the size of files is bounded";
    TimeLimit = "time", "what takes too long is killed with all it started";
}

impl Promise {
    /// The promise with this key.
    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|promise| promise.key() == key)
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Guarantee {
    pub(crate) fn new(promise: Promise, held: Held) -> Self {
        Self { promise, held }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.held == Held::Yes
    }
}

//! Places at which a test lets a program die, between two durable steps.
//!
//! Only programs with debug assertions have them: one that is shipped cannot
//! be told by its environment to die.

/// Names the point at which the process dies: `NAME`, or `NAME:N` for the Nth
/// time that it is passed.
pub const AT: &str = "CRASH_AT";

/// Names a file that gets a line for each point that is passed.
pub const LIST: &str = "CRASH_LIST";

/// A place between two durable steps, named after what has just been done or is
/// about to be. Does nothing, unless [`AT`] names it: then the process dies at
/// once, as by `kill -9`.
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::{
        collections::HashMap,
        fs::File,
        io::Write as _,
        sync::{LazyLock, Mutex, PoisonError},
    };

    struct Plan {
        at: Option<(String, u32)>,
        list: Option<File>,
        passed: HashMap<&'static str, u32>,
    }

    /// None where the environment asks for nothing, which is nearly always.
    static PLAN: LazyLock<Option<Mutex<Plan>>> = LazyLock::new(|| {
        let at = std::env::var(super::AT).ok().map(|text| read(&text));
        let list = std::env::var_os(super::LIST).and_then(|path| {
            let mut options = File::options();
            options.create(true).append(true).open(path).ok()
        });
        (at.is_some() || list.is_some()).then(|| {
            Mutex::new(Plan {
                at,
                list,
                passed: HashMap::new(),
            })
        })
    });

    pub(super) fn pass(name: &'static str) {
        let Some(plan) = &*PLAN else { return };
        let mut plan = plan.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = plan.passed.entry(name).or_default();
        *passed += 1;
        let now = (name, *passed);
        if let Some(list) = &mut plan.list {
            // A list that cannot be written is short, and its reader says so.
            let _short = writeln!(list, "{name}");
        }
        if plan
            .at
            .as_ref()
            .is_some_and(|(name, time)| (name.as_str(), *time) == now)
        {
            std::process::abort();
        }
    }

    fn read(text: &str) -> (String, u32) {
        match text.rsplit_once(':').map(|(name, time)| (name, time.parse())) {
            Some((name, Ok(time))) => (name.to_owned(), time),
            Some((_, Err(_))) | None => (text.to_owned(), 1),
        }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn points_are_named_with_their_time() {
            let check = |text, name: &str, time| assert_eq!(super::read(text), (name.to_owned(), time));
            check("apply:after_ref", "apply:after_ref", 1);
            check("apply:after_ref:3", "apply:after_ref", 3);
            check("once", "once", 1);
        }
    }
}

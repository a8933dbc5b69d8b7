//! What a server wants back with the answer to a call of a tool: the signature of
//! the thoughts that led to it, or the thoughts. The port has no place for it, so
//! it travels behind the call's id, which means nothing to anybody else. Pure.

/// Between a call's id and what is behind it.
const SIGNED: char = '~';

/// The id with something behind it.
pub(super) fn join(id: &str, behind: &str) -> String {
    format!("{id}{SIGNED}{behind}")
}

/// The server's own id, and what is behind it. Another server may have put it
/// there.
pub(super) fn split(id: &str) -> (&str, Option<&str>) {
    match id.split_once(SIGNED) {
        Some((id, behind)) => (id, Some(behind)),
        None => (id, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_behind_an_id_is_found_there() {
        assert_eq!(split("call_1"), ("call_1", None));
        assert_eq!(split(&join("call_1", "s==")), ("call_1", Some("s==")));
    }
}

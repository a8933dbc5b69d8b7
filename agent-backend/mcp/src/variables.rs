//! Variables in definitions: `${NAME}` and `${NAME:-otherwise}`, so that keys
//! need not stand in a file.

/// The text with each variable replaced by what `value` has for it.
///
/// # Errors
/// Which variable is not set, or does not end.
pub(crate) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, behind) = after
            .split_once('}')
            .ok_or_else(|| "a variable has no end: `${` without `}`".to_owned())?;
        let (name, otherwise) = match inside.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inside, None),
        };
        let found = value(name).filter(|found| !found.is_empty() || otherwise.is_none());
        let found = found
            .or_else(|| otherwise.map(str::to_owned))
            .ok_or_else(|| format!("the environment variable {name} is not set"))?;
        expanded.push_str(before);
        expanded.push_str(&found);
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<&str, &str>) {
        let value = |name: &str| match name {
            "KEY" => Some("hunter2".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let expect = expect.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(expand(text, &value), expect);
    }

    #[test]
    fn variables_are_replaced() {
        check("", Ok(""));
        check("a $KEY {b}", Ok("a $KEY {b}"));
        check("Bearer ${KEY}!", Ok("Bearer hunter2!"));
        check("${KEY}${EMPTY}${KEY}", Ok("hunter2hunter2"));
        check("${NONE:-x}${EMPTY:-y}${KEY:-z}", Ok("xyhunter2"));
        check("${NONE}", Err("the environment variable NONE is not set"));
        check("${KEY", Err("a variable has no end: `${` without `}`"));
    }
}

//! The recovery ladder of search-and-replace: applied right or refused.

use super::*;

const REFUSED: &str = "E1306";

#[track_caller]
fn check(current: &str, search: &str, replace: &str, expect: &str) {
    let got = match replaced(current, search, replace) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => error.code().to_string(),
    };
    assert_eq!(got, expect, "\n{current:?}\n{search:?}\n{replace:?}");
}

#[test]
fn exact() {
    check("a\nb\nc\n", "b\n", "x\n", "a\nx\nc\n");
    check("a\nb\nc\n", "a\nb\nc\n", "x\n", "x\n");
    check("a\nb\nc\n", "b\n", "", "a\nc\n");
    check("a\nb\nc\n", "b\n", "b\nb2\n", "a\nb\nb2\nc\n");
    check("a\nb\nc", "c\n", "d\n", "a\nb\nd");
    check("a\nb\nc", "c\n", "c\nd\n", "a\nb\nc\nd");
    check("a\nb\nc", "b\nc\n", "b\n", "a\nb");
    check("a\n", "a\n", "", "");
    check("ä\nö\n", "ö\n", "ü\n", "ä\nü\n");
    check("\u{feff}a\nb\n", "a\n", "x\n", "\u{feff}x\nb\n");
    check("a\n\n\nb\n", "a\n\n\nb\n", "a\nb\n", "a\nb\n");
    // Whole lines are meant: part of a line does not match.
    check("foobar\n", "foo\n", "x\n", REFUSED);
    check("if a == b:\n", "a == b\n", "a != b\n", REFUSED);
}

#[test]
fn line_ends() {
    check("a\r\nb\r\nc\r\n", "b\n", "x\ny\n", "a\r\nx\r\ny\r\nc\r\n");
    check("a\r\nb\nc\r\n", "c\n", "x\n", "a\r\nb\nx\r\n");
    check("a\r\nb\nc\r\n", "b\nc\n", "b\nx\n", "a\r\nb\nx\r\n");
    check("a\r\nb", "b\n", "b\nc\n", "a\r\nb\r\nc");
    check("a\nb\rc\nd\n", "d\n", "e\n", "a\nb\rc\ne\n");
}

#[test]
fn several_places_are_refused_on_every_rung() {
    check("a\nb\na\n", "a\n", "x\n", REFUSED);
    check("a \nb\na  \n", "a\n", "x\n", REFUSED);
    check("  a\nb\n    a\n", "a\n", "x\n", REFUSED);
    check(
        "x = \u{201c}a\u{201d}\nb\nx = \u{201e}a\u{201d}\n",
        "x = \"a\"\n",
        "y\n",
        REFUSED,
    );
    // One exact place beats lenient ones.
    check("a\nb\n  a\n", "a\n", "x\n", "x\nb\n  a\n");
    check("a \nb\na\n", "a\n", "x\n", "a \nb\nx\n");
    // Overlapping places are several places.
    check("a\na\na\n", "a\na\n", "x\n", REFUSED);
}

#[test]
fn white_space_at_line_ends() {
    check("a  \nb\n", "a\nb\n", "a\nc\n", "a  \nc\n");
    check("a\nb\n", "a  \nb\t\n", "x\n", "x\n");
    check(
        "def f():\n    \n    pass\n",
        "def f():\n\n    pass\n",
        "def f():\n\n    return\n",
        "def f():\n    \n    return\n",
    );
}

#[test]
fn blank_lines_at_the_edges() {
    check("a\nb\n", "\na\n", "\nx\n", "x\nb\n");
    check("a\nb\n", "a\n\n", "x\n\n", "x\nb\n");
    check("a\nb\n", "\n\nb\n\n", "x\n", "a\nx\n");
    // A blank line that the file has is matched exactly first.
    check("a\n\nb\n", "a\n\n", "a\n\nx\n\n", "a\n\nx\n\nb\n");
}

#[test]
fn indentation_shift() {
    let class = "class A:\n    def f(self):\n        return 1\n";
    check(
        class,
        "def f(self):\n    return 1\n",
        "def f(self):\n    x = 2\n    return x\n",
        "class A:\n    def f(self):\n        x = 2\n        return x\n",
    );
    check(
        "def f():\n    return 1\n",
        "    def f():\n        return 1\n",
        "    def f():\n        return 2\n",
        "def f():\n    return 2\n",
    );
    check(
        "\tif a:\n\t\tb()\n",
        "if a:\n\tb()\n",
        "if a:\n\tc()\n",
        "\tif a:\n\t\tc()\n",
    );
    check(
        "    a()\n\n    b()\n",
        "a()\n\nb()\n",
        "a()\n\nc()\n",
        "    a()\n\n    c()\n",
    );
    // Not the same shift in every line.
    check("    a()\n        b()\n", "a()\nb()\n", "c()\n", REFUSED);
    // Spaces for tabs are no shift.
    check(
        "\tif a:\n\t\tb()\n",
        "    if a:\n        b()\n",
        "    c()\n",
        REFUSED,
    );
    // The replacement cannot be moved to the left.
    check("a()\nb()\n", "    a()\n    b()\n", "    a()\nc()\n", REFUSED);
}

#[test]
fn typographic_characters() {
    check(
        "x = 'a'\ny\n",
        "x = \u{2018}a\u{2019}\n",
        "x = 'b'\n",
        "x = 'b'\ny\n",
    );
    check(
        "# a \u{2014} b\ny\n",
        "# a - b\ny\n",
        "# a - b\nz\n",
        "# a \u{2014} b\nz\n",
    );
    check(
        "say(\u{201c}hi\u{201d}\u{2026})\n",
        "say(\"hi\"...)\n",
        "say()\n",
        "say()\n",
    );
    check("a\u{a0}b\n", "a b\n", "c\n", "c\n");
}

const LONG: &str = "def total(items, rate):\n    amount = sum(item.price for item in items)\n    return amount * (1 + rate)\n";

#[test]
fn fuzzy() {
    // A word is misspelt in a line that stays: the file's line is kept.
    check(
        LONG,
        "    amount = sum(itm.price for item in items)\n    return amount * (1 + rate)\n",
        "    amount = sum(itm.price for item in items)\n    return round(amount, 2)\n",
        "def total(items, rate):\n    amount = sum(item.price for item in items)\n    return round(amount, 2)\n",
    );
    // A word is misspelt in a line that goes.
    check(
        LONG,
        "    amount = sum(itm.price for item in items)\n    return amount * (1 + rate)\n",
        "    amount = 0\n    return amount * (1 + rate)\n",
        "def total(items, rate):\n    amount = 0\n    return amount * (1 + rate)\n",
    );
}

#[test]
fn fuzzy_has_a_threshold() {
    // Another number is another line.
    check(
        LONG,
        "    amount = sum(item.price for item in items)\n    return amount * (2 + rate)\n",
        "x\n",
        REFUSED,
    );
    // One line of the block is too far off.
    check(
        LONG,
        "    amount = sum(item.price for item in items)\n    return amount\n",
        "x\n",
        REFUSED,
    );
    // A single line is too little to be sure of.
    check(
        LONG,
        "    amount = sum(itm.price for item in items)\n",
        "x\n",
        REFUSED,
    );
    // Two places are alike.
    let twice = format!("{LONG}\n{LONG}");
    check(
        &twice,
        "    amount = sum(itm.price for item in items)\n    return amount * (1 + rate)\n",
        "x\n",
        REFUSED,
    );
    // A line is missing in the middle.
    check(
        LONG,
        "def total(items, rate):\n    return amount * (1 + rate)\n",
        "x\n",
        REFUSED,
    );
    check("ab\ncd\n", "ax\ncd\n", "y\n", REFUSED);
}

#[test]
fn empty_searches() {
    check("a\n", "", "x\n", REFUSED);
    check("a\n", "\n \n", "x\n", REFUSED);
    check("", "", "x\n", "x\n");
    check("\n", "", "x\n", "x\n");
    check("a\n", "zzz\n", "x\n", REFUSED);
    check("", "a\n", "x\n", REFUSED);
}

#[test]
fn placeholders_in_blocks() {
    check("a\nb\n", "a\n", "# ... existing code ...\nx\n", "E1308");
    check(
        "# ... existing code ...\nb\n",
        "b\n",
        "# ... existing code ...\nc\n",
        "# ... existing code ...\n# ... existing code ...\nc\n",
    );
}

#[test]
fn refusals_show_the_nearest_lines() {
    let error = replaced(
        LONG,
        "    amount = sum(i.price for i in items)\n    return amount\n",
        "x\n",
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the edit of `a.py` does not apply: the SEARCH lines are not in the file; the nearest lines are:\n    \
         2 |     amount = sum(item.price for item in items)\n    3 |     return amount * (1 + rate)"
    );
}

#[test]
fn a_long_file() {
    let file: String = (0..5_000)
        .map(|n| format!("    value_{n} = compute_the_value(of_number={n})\n"))
        .collect();
    let search = "    value_4000 = compute_the_valu(of_number=4000)\n    value_4001 = compute_the_value(of_number=4001)\n";
    let got = replaced(&file, search, "    pass\n").unwrap().unwrap();
    assert_eq!(got.lines().count(), 4_999);
    assert_eq!(got.lines().nth(4_000), Some("    pass"));
}

//! Rows of the side-by-side diff.

use std::fmt::Write as _;

use gui_client::model::{
    diff::{FileView, LINE_CHARS_MAX, Line, Row, display, rows},
    layout::{Layout, Shown, View},
};
use shared::wire::{ChangeKind, FileDiff};

/// One row a line: `1 old | 1 new`, changed words in brackets, `!` where changed.
fn print(rows: &[Row]) -> String {
    let side = |line: &Option<Line>| {
        line.as_ref().map_or("-".to_owned(), |line| {
            let mut text = line.text.clone();
            for range in line.emphasis.iter().rev() {
                text.insert(range.end, ']');
                text.insert(range.start, '[');
            }
            format!("{} {text}", line.number)
        })
    };
    rows.iter().fold(String::new(), |mut all, row| {
        let mark = if row.changed { '!' } else { ' ' };
        writeln!(all, "{mark} {} | {}", side(&row.left), side(&row.right)).unwrap();
        all
    })
}

fn check(old: &str, new: &str, expect: &str) {
    assert_eq!(print(&rows(old, new)), expect.trim_start_matches('\n'));
}

#[test]
fn rows_stand_next_to_each_other() {
    check("", "", "");
    check("a\n", "a\n", "  1 a | 1 a\n");
    check("", "a\nb\n", "! - | 1 a\n! - | 2 b\n");
    check("a\n", "", "! 1 a | -\n");
    check("a\nb\nc\n", "a\nc\n", "  1 a | 1 a\n! 2 b | -\n  3 c | 2 c\n");
    check("a\nc\n", "a\nb\nc\n", "  1 a | 1 a\n! - | 2 b\n  2 c | 3 c\n");
}

#[test]
fn changed_words_stand_out() {
    check(
        "return wrong(a, b)\n",
        "return right(a, b, c)\n",
        "! 1 return [wrong](a, b) | 1 return [right](a, b[, c])\n",
    );
    // Lines that have nothing in common are not picked apart.
    check("alpha\n", "x = 1 + 2\n", "! 1 alpha | 1 x = 1 + 2\n");
    check("größe = 1\n", "größe = 2\n", "! 1 größe = [1] | 1 größe = [2]\n");
    check(
        "a = 1\nb\nz\n",
        "a = 2\nz\n",
        "! 1 a = [1] | 1 a = [2]\n! 2 b | -\n  3 z | 2 z\n",
    );
}

#[test]
fn lines_that_are_alike_stand_next_to_each_other() {
    check(
        "log(\"failed\", email)\n",
        "left = record(email)\nlog(\"failed\", email, left)\n",
        "! - | 1 left = record(email)\n! 1 log(\"failed\", email) | 2 log(\"failed\", email[, left])\n",
    );
    check(
        "first one\nsecond two\nthird three\n",
        "second 2\nthird 3\n",
        "! 1 first one | -\n! 2 second [two] | 1 second [2]\n! 3 third [three] | 2 third [3]\n",
    );
    check(
        "a b\nc d\n",
        "x\ny\nz\n",
        "! 1 a b | 1 x\n! 2 c d | 2 y\n! - | 3 z\n",
    );
}

#[test]
fn endings_are_shown_where_they_differ() {
    check("a", "a", "  1 a | 1 a\n");
    check("a\n", "a", "! 1 a | 1 a  (no newline at the end)\n");
    check("a\r\n", "a\n", "! 1 a[␍] | 1 a\n");
    check("", "a", "! - | 1 a\n");
}

#[test]
fn odd_characters_are_made_visible() {
    let check = |text: &str, expect: &str| assert_eq!(display(text), expect);
    check("\tx", "    x");
    check("a\u{202e}b", "a\u{fffd}b");
    check("\u{1b}[31m", "\u{fffd}[31m");
    check("世界 שלום 🦀", "世界 שלום 🦀");
    check(
        &"x".repeat(1_000_000),
        &format!("{} … (line shortened)", "x".repeat(LINE_CHARS_MAX)),
    );
}

fn view(old: &str, new: &str) -> FileView {
    FileView::new(&FileDiff {
        path: "a.txt".to_owned(),
        change: ChangeKind::Edit,
        old_text: Some(old.to_owned()),
        new_text: Some(new.to_owned()),
        lines_added: 0,
        lines_removed: 0,
        hunks: Vec::new(),
    })
}

fn numbered(count: usize, changed: &[usize]) -> String {
    let line = |number| {
        if changed.contains(&number) {
            format!("changed {number}\n")
        } else {
            format!("{number}\n")
        }
    };
    (1..=count).map(line).collect()
}

#[test]
fn long_equal_runs_are_folded() {
    let check = |count: usize, changed: &[usize], expect: Vec<Shown>| {
        assert_eq!(
            view(&numbered(count, &[]), &numbered(count, changed)).shown(View::Folded, Layout::Split),
            expect
        );
    };
    let rows = |range: std::ops::Range<usize>| range.map(Shown::Row).collect::<Vec<_>>();
    check(
        20,
        &[10],
        [vec![Shown::Gap(5)], rows(5..14), vec![Shown::Gap(6)]].concat(),
    );
    // One line is not worth folding.
    check(14, &[6], [rows(0..10), vec![Shown::Gap(4)]].concat());
    check(3, &[2], rows(0..3));
    check(6, &[], vec![Shown::Gap(6)]);
}

#[test]
fn changes_can_be_jumped_to() {
    let file = view(&numbered(40, &[]), &numbered(40, &[1, 2, 30]));
    assert_eq!(
        (
            file.changes(View::Full, Layout::Split),
            file.changes(View::Folded, Layout::Split)
        ),
        (&[0, 29][..], &[0, 11][..])
    );
}

#[test]
fn ten_thousand_lines() {
    let file = view(&numbered(10_000, &[]), &numbered(10_000, &[5, 5_000, 9_999]));
    assert_eq!(
        (file.rows.len(), file.changes(View::Full, Layout::Split).len()),
        (10_000, 3)
    );
}

/// Every line of `text`, as its side of the rows must show it.
fn shown(text: &str, remark: bool) -> Vec<(u32, String)> {
    let end = |line: &str| {
        if remark && !line.ends_with('\n') {
            "  (no newline at the end)"
        } else {
            ""
        }
    };
    let show = |line: &str| format!("{}{}", display(line.trim_end_matches('\n')), end(line));
    (1..).zip(text.split_inclusive('\n').map(show)).collect()
}

/// Both texts can be read from the rows, unchanged rows are equal to the line
/// end, and no mark lies outside a line or inside a character.
fn check_whole(old: &str, new: &str) {
    let rows = rows(old, new);
    let remark = old.ends_with('\n') != new.ends_with('\n') && !old.is_empty() && !new.is_empty();
    let side = |side: fn(&Row) -> &Option<Line>| -> Vec<(u32, String)> {
        let lines = rows.iter().filter_map(|row| side(row).as_ref());
        lines.map(|line| (line.number, line.text.clone())).collect()
    };
    assert_eq!(side(|row| &row.left), shown(old, remark));
    assert_eq!(side(|row| &row.right), shown(new, remark));
    let line = |text: &str, line: &Line| {
        let at = usize::try_from(line.number - 1).unwrap();
        text.split_inclusive('\n').nth(at).map(str::to_owned)
    };
    for row in &rows {
        assert!(row.left.is_some() || row.right.is_some());
        if !row.changed {
            let (left, right) = (row.left.as_ref().unwrap(), row.right.as_ref().unwrap());
            assert_eq!(line(old, left), line(new, right));
        }
        for side in [&row.left, &row.right].into_iter().flatten() {
            let mut before = 0;
            for range in &side.emphasis {
                assert!(before <= range.start && !side.text[range.clone()].is_empty());
                before = range.end;
            }
        }
    }
}

#[test]
fn blank_lines_are_counted() {
    check_whole("\n\n\na\n\n", "\n\n\n\n\n");
    check_whole("\n\n\n\n\n", "\n\n\na\n\n");
}

#[test]
fn both_texts_are_in_the_rows() {
    use proptest::prelude::*;
    let lines = |line: &str, max: usize| {
        let lines = proptest::collection::vec(proptest::string::string_regex(line).unwrap(), 0..max);
        lines.prop_map(|lines| lines.concat())
    };
    // Blank lines abound in code, and are what diffs get wrong.
    let text = prop_oneof![
        lines("[ab]?\n", 40),
        lines("[ab]?\n?", 40),
        lines("( |é|_|x|\\.|\r|\t){0,6}\n{1,3}", 12),
        any::<String>(),
    ];
    proptest!(|(old in text.clone(), new in text)| check_whole(&old, &new));
}

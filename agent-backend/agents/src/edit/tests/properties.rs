//! What holds for every answer and every file.

use proptest::prelude::*;

use super::*;

/// Text that is likely to hold what the readers look for.
fn answer() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("```".to_owned()),
        Just("````md\n".to_owned()),
        Just("```python a.py\n".to_owned()),
        Just("~~~".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("a.py\n".to_owned()),
        Just("**`b/ü.md`**:\n".to_owned()),
        Just("<<<<<<< SEARCH\n".to_owned()),
        Just("=======\n".to_owned()),
        Just(">>>>>>> REPLACE\n".to_owned()),
        Just("DELETE: a.py\n".to_owned()),
        Just("<think>".to_owned()),
        Just("</think>".to_owned()),
        Just("File: **".to_owned()),
        Just("(new file)".to_owned()),
        "\\PC{0,12}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ \t]{0,4}[a-zA-Z_(){}=. ]{1,20}",
        "[\\PC&&[^`~]]{0,20}"
    ]
}

fn file() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec((line(), prop_oneof![Just("\n"), Just("\r\n")]), 1..30),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(lines, bom, last)| {
            let mut text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
            if !last {
                text = text.trim_end_matches(['\r', '\n']).to_owned();
            }
            if bom { format!("\u{feff}{text}") } else { text }
        })
}

proptest! {
    #[test]
    fn reading_never_panics(answer in answer()) {
        if let Ok(edits) = parse(&answer) {
            prop_assert!(!edits.is_empty());
            for edit in &edits {
                prop_assert_eq!(check_path(&edit.path), Ok(()));
                prop_assert_eq!(edits.iter().filter(|other| other.path == edit.path).count(), 1);
                let _ = apply(edit, Some("a\nb\n"));
            }
        }
        let _ = crate::plan::parse(&answer, &[], crate::plan::Asking::Allowed);
    }

    /// What we write ourselves is read back as it was.
    #[test]
    fn what_is_shown_can_be_read(lines in proptest::collection::vec("[\\PC]{0,16}|`{3,6}|```[a-z]{0,4}|~~~", 0..20)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let patch = lines.iter().any(|l| l.starts_with("@@ ") || l.starts_with("--- a/"));
        prop_assume!(!patch);
        let expect = vec![Edit { path: "docs/a.md".into(), change: Change::Write { text: text.clone() } }];
        prop_assert_eq!(parse(&fenced("docs/a.md", &text)), Ok(expect));
    }

    /// An exact search is the textual replacement, and every other byte stays.
    #[test]
    fn exact_search_is_textual_replacement(file in file(), start in 0..30_usize, count in 1..4_usize, new in proptest::collection::vec("[a-z]{1,8}", 0..4)) {
        let body = file.strip_prefix('\u{feff}').unwrap_or(&file);
        let lines: Vec<&str> = body.split_inclusive('\n').collect();
        let start = start.min(lines.len().saturating_sub(1));
        let end = (start + count).min(lines.len());
        let taken = &lines[start..end];
        let bare = |line: &str| line.strip_suffix("\r\n").or(line.strip_suffix('\n')).unwrap_or(line).to_owned();
        let search: Vec<String> = taken.iter().map(|line| bare(line)).collect();
        prop_assume!(search.iter().any(|line| !line.trim().is_empty()));
        let places = lines.windows(taken.len()).filter(|window| window.iter().map(|l| bare(l)).eq(search.iter().cloned())).count();
        // New lines that equal old ones would keep the old line's end.
        prop_assume!(!new.iter().any(|line| search.contains(line)));
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let got = replaced(&file, &text(&search), &text(&new));
        if places > 1 {
            prop_assert_eq!(got.unwrap_err().code().as_str(), "E1306");
            return Ok(());
        }
        let got = got.unwrap().unwrap();
        let crlf = file.matches("\r\n").count();
        let eol = if crlf > file.matches('\n').count() - crlf { "\r\n" } else { "\n" };
        let bom = if body.len() < file.len() { "\u{feff}" } else { "" };
        let mut expect = format!("{bom}{}", lines[..start].concat());
        for line in &new {
            expect.push_str(&format!("{line}{eol}"));
        }
        expect.push_str(&lines[end..].concat());
        if end == lines.len() && !body.ends_with('\n') && (!new.is_empty() || start > 0) {
            expect = expect.strip_suffix("\r\n").or(expect.strip_suffix('\n')).unwrap_or(&expect).to_owned();
        }
        prop_assert_eq!(got, expect);
    }

    /// Whatever is searched for, lines far from the place stay as they were.
    #[test]
    fn a_replacement_touches_one_place(file in file(), search in "[a-c \n]{1,12}", new in "[a-z]{1,5}") {
        if let Ok(Some(got)) = replaced(&file, &format!("{search}\n"), &format!("{new}\n")) {
            let same_start = file.bytes().zip(got.bytes()).take_while(|(a, b)| a == b).count();
            let same_end = file.bytes().rev().zip(got.bytes().rev()).take_while(|(a, b)| a == b).count();
            prop_assert!(same_start + same_end + 64 * (search.len() + 1) >= file.len());
        }
    }

    #[test]
    fn whole_files_keep_the_shape(file in file(), lines in proptest::collection::vec("[a-z ]{0,9}x", 1..9)) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let edit = Edit { path: "a.txt".into(), change: Change::Write { text } };
        let got = apply(&edit, Some(&file)).unwrap().unwrap();
        let body = file.trim_start_matches('\u{feff}');
        prop_assert_eq!(got.starts_with('\u{feff}'), file.starts_with('\u{feff}'));
        prop_assert_eq!(got.ends_with('\n'), body.ends_with('\n') || body.is_empty());
        let got: Vec<&str> = got.trim_start_matches('\u{feff}').lines().collect();
        prop_assert_eq!(got, lines);
    }
}

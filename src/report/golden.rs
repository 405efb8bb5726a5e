//! Golden files: what a report looked like when a person last looked at it.

use std::path::Path;

/// Compares with `golden/NAME` beside this file, as [`compare_in`].
pub fn compare(name: &str, actual: &str) {
    compare_in("src/report/golden", name, actual);
}

/// Compares with the file of this name in a folder of the sources. With `POSTKEEP_BLESS=1` in the environment the file is rewritten
/// instead: look at the change before it is committed.
pub fn compare_in(folder: &str, name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    if std::env::var_os("POSTKEEP_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        return;
    }
    let expected =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    if expected != actual {
        panic!(
            "{name} is not as it was (POSTKEEP_BLESS=1 takes the new one):\n{}",
            difference(&expected, actual)
        );
    }
}

/// The first lines that differ, with two lines before them.
fn difference(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.split('\n').collect(), actual.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..].iter().rev().zip(new[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut out = String::new();
    for (at, line) in old.iter().enumerate().take(same).skip(same.saturating_sub(2)) {
        out.push_str(&format!("{:5}   {line}\n", at + 1));
    }
    for (sign, lines) in [('-', &old), ('+', &new)] {
        for (at, line) in lines.iter().enumerate().take(lines.len() - tail).skip(same).take(12) {
            out.push_str(&format!("{:5} {sign} {line}\n", at + 1));
        }
    }
    out
}

#[test]
fn a_difference_shows_where_it_is() {
    let shown = difference("a\nb\nc\nd\ne", "a\nb\nc\nX\ne");
    assert_eq!(shown, "    2   b\n    3   c\n    4 - d\n    4 + X\n");
}

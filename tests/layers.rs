//! The map in `src/lib.rs` is true: a module uses only the rows below its own.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The rows of the map, topmost first.
fn rows(map: &str) -> Vec<Vec<String>> {
    let block = map.split("```text").nth(2).expect("the second block of the map is the layers");
    let block = block.split("```").next().unwrap();
    let rows = block
        .lines()
        .map(|line| line.trim_start_matches("//!").split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| !row.is_empty()).collect()
}

#[test]
fn a_module_uses_only_the_rows_below_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = fs::read_to_string(src.join("lib.rs")).unwrap();
    let rows = rows(&map);
    let level: HashMap<&str, usize> = rows
        .iter()
        .enumerate()
        .flat_map(|(level, row)| row.iter().map(move |module| (module.as_str(), level)))
        .collect();
    let declared = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in declared {
        assert!(level.contains_key(module), "{module} has no row in the map of src/lib.rs");
    }
    let mut checked = 0;
    for file in walkdir::WalkDir::new(&src).into_iter().map(Result::unwrap) {
        if file.path().extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let own = file.path().strip_prefix(&src).unwrap().iter().next().unwrap().to_string_lossy();
        let own = own.trim_end_matches(".rs");
        let Some(own_level) = level.get(own) else { continue };
        let text = fs::read_to_string(file.path()).unwrap();
        // A link in a comment points where it likes.
        let code =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            let Some(used_level) = level.get(used) else { continue };
            let fits = used == own || used_level > own_level;
            assert!(fits, "{} uses {used}, which is not below {own}", file.path().display());
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} uses were found: the test looks in the wrong place");
}

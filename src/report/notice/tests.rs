//! Whole notices: as they were last looked at, and under hostile or endless input.

use jiff::ToSpan;
use proptest::prelude::*;

use super::cases::{self, House, late, now};
use super::{Late, What};
use crate::report::tests::{any_text, dump, header_block, headers_without, well_formed};
use crate::report::{Rendered, golden, json};
use crate::run::RunId;

fn rendered(house: &House, what: What<'_>) -> Rendered {
    let notice = house.notice(what).render().unwrap();
    let absent: &[&str] = match what {
        What::Overdue([_]) => &["X-Postkeep-Run"],
        What::Stuck { .. } => &[],
        What::Overdue(_) | What::Config { .. } => &["X-Postkeep-Profile", "X-Postkeep-Run"],
    };
    well_formed(&notice, &headers_without(absent));
    for line in notice.text.lines() {
        let command = line.starts_with("      postkeep run");
        assert!(line.chars().count() <= 76 || command, "{line}");
    }
    notice
}

#[test]
fn every_notice_looks_as_it_did() {
    cases::all(&mut |name, house, what| {
        let notice = rendered(house, what);
        assert_eq!(notice, rendered(house, what));
        golden::compare(&format!("{name}.txt"), &notice.text);
        golden::compare(&format!("{name}.html"), &notice.html);
        golden::compare(&format!("{name}.head"), &header_block(&notice.mail));
        golden::compare(&format!("{name}.json"), &json::print(&notice.json));
        dump(name, &notice);
    });
}

#[test]
fn a_repetition_says_the_day_and_a_first_telling_does_not() {
    let house = House::new("nas1");
    let subject = |minutes, told| {
        let late = Late { told, ..late("documents", minutes) };
        rendered(&house, What::Overdue(&[late])).subject
    };
    for (minutes, told, subject_of_it) in [
        (61, 0, "[OVERDUE] documents on nas1"),
        (61, 1, "[OVERDUE] documents on nas1"),
        (1440, 1, "[OVERDUE still, day 1] documents on nas1"),
        (5759, 3, "[OVERDUE still, day 3] documents on nas1"),
        (5759, 0, "[OVERDUE] documents on nas1"),
        (-90, 1, "[OVERDUE] documents on nas1"),
    ] {
        assert_eq!(subject(minutes, told), subject_of_it);
    }
}

#[test]
fn a_notice_about_one_profile_lies_with_its_reports() {
    let house = House::new("nas1");
    let thread = |what| header_block(&rendered(&house, what).mail);
    for what in [
        What::Overdue(&[late("documents", 61)]),
        What::Stuck { profile: "documents", run: RunId::new(now(), 1), started: now() - 2.hours() },
    ] {
        let headers = thread(what);
        assert!(headers.contains("\nReferences: <documents.2026-11.thread@7k3m9q2x5v.postkeep.invalid>\n"));
        assert!(headers.contains("\nList-Id: documents on nas1 <documents.nas1.postkeep.invalid>\n"));
    }
}

#[test]
fn a_thousand_of_each_fit() {
    let house = House::new("nas1");
    let nasty = "\"&'<>/\u{10ffff}".repeat(60);
    let all = vec![Late { why: Some(&nasty), ..late(&nasty, 61) }; 1000];
    let overdue = rendered(&house, What::Overdue(&all));
    let named = overdue.text.matches("It was due").count();
    assert!(named > 0 && overdue.text.contains(&format!("and {} more: postkeep status", 1000 - named)));
    assert!(overdue.subject.starts_with("[OVERDUE 1,000 profiles] postkeep on nas1"));
    let listed = overdue.json["profiles"].as_array().unwrap().len() as u64;
    assert_eq!(overdue.json["profiles-omitted"], 1000 - listed);

    let problems = vec![format!("{nasty}\n").repeat(100); 1000];
    let config = rendered(&house, What::Config { problems: &problems, kept: &problems, stopped: &problems });
    assert!(config.text.contains(" more: postkeep config check"));
    for key in ["problems", "kept", "stopped"] {
        let listed = config.json[key].as_array().unwrap().len() as u64;
        assert_eq!(config.json[format!("{key}-omitted")], 1000 - listed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_from_outside_changes_the_shape_of_a_notice(
        name in any_text(), host in any_text(), words in any_text(), kind in 0..4,
    ) {
        let build = |clean: &dyn Fn(&str) -> String| {
            let house = House::new(&clean(&host));
            let (name, words) = (clean(&name), clean(&words));
            let late = [Late { why: Some(&words), ..late(&name, 99) }; 2];
            let (names, problems) = ([name.clone(), words.clone()], [words.clone()]);
            let config = What::Config { problems: &problems, kept: &names, stopped: &names };
            rendered(&house, match kind {
                0 => What::Overdue(&late[..1]),
                1 => What::Overdue(&late),
                2 => What::Stuck { profile: &name, run: RunId::new(now(), 1), started: now() },
                _ => config,
            })
        };
        let hostile = build(&str::to_owned);
        let harmless = build(&|text| text.replace(['<', '>', '"', '\''], "\u{e000}"));
        for sign in ['<', '>', '"', '\''] {
            prop_assert_eq!(hostile.html.matches(sign).count(), harmless.html.matches(sign).count());
        }
        prop_assert!(!hostile.text.contains(|c: char| c.is_control() && c != '\n'));
    }
}

//! Whole digests: as they were last looked at, and under hostile or endless input.

use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::cases::{self, Case, One, now};
use super::class::Class;
use super::{Pause, Skipped};
use crate::report::tests::{any_text, dump, header_block, headers_without, well_formed};
use crate::report::{Rendered, golden, json};
use crate::run::Status;

fn rendered(case: &Case) -> Rendered {
    let standings = case.standings();
    let digest = case.digest(&standings).render().unwrap_or_else(|e| panic!("{}: {e:?}", case.name));
    well_formed(&digest, &headers_without(&["X-Postkeep-Profile", "X-Postkeep-Run"]));
    for line in digest.text.lines() {
        assert!(line.chars().count() <= 76, "{}: {line}", case.name);
    }
    digest
}

#[test]
fn every_digest_looks_as_it_did() {
    for case in cases::all() {
        let digest = rendered(&case);
        assert_eq!(digest, rendered(&case));
        golden::compare(&format!("{}.txt", case.name), &digest.text);
        golden::compare(&format!("{}.html", case.name), &digest.html);
        golden::compare(&format!("{}.head", case.name), &header_block(&digest.mail));
        golden::compare(&format!("{}.json", case.name), &json::print(&digest.json));
        dump(case.name, &digest);
    }
}

#[test]
fn a_thousand_profiles_fit_and_none_that_needs_a_look_is_left_out_for_one_that_does_not() {
    let day = [Status::Ok, Status::Warning, Status::Failed, Status::Unchanged].repeat(10);
    for (name, failed) in [("profile", 60), ("\"&'<>/\u{10ffff}", 60), ("profile", 1000), ("profile", 0)] {
        let profiles = (0..1000).map(|n| {
            let mut statuses = day.clone();
            statuses.push(if n >= 1000 - failed { Status::Failed } else { Status::Ok });
            One::nightly(
                &format!("{}{n}", name.repeat(if name.len() > 9 { 15 } else { 1 })),
                1 << 20,
                &statuses,
            )
            .wrong("cannot open the source: \"&<>\"")
        });
        let mut case = Case::new("digest-thousand", profiles.collect());
        case.since = Some(now() - (24 * 50).hours());
        let digest = rendered(&case);
        dump(&format!("digest-thousand-{failed}"), &digest);
        let bad =
            digest.text.lines().filter(|line| line.starts_with("  * ") && line.contains("failed")).count();
        let least = if name.len() > 9 { 5 } else { 20 };
        assert!(bad >= failed.min(least), "{bad}: {}", digest.text);
        let named = digest.html.matches("valign=\"top\" style=\"color:#1c2126\"").count();
        assert!(named >= 10, "{named}");
        let left = 1000 - named;
        let expected = match failed {
            0 => format!("and {left} more profiles, all OK"),
            1000 => format!("and {left} more profiles: {left} failed"),
            failed if named < failed => {
                format!("and {left} more profiles: 940 OK, {} failed", failed - named)
            }
            _ => format!("and {left} more profiles, all OK"),
        };
        assert!(digest.text.contains(&expected) && digest.html.contains(&expected), "{}", digest.text);
        let listed = digest.json["profiles"].as_array().unwrap();
        assert_eq!(listed.len() as u64 + digest.json["profiles-omitted"].as_u64().unwrap(), 1000);
        assert!(listed.iter().take(failed).all(|profile| profile["state"] == "failed"));
    }
}

#[test]
fn a_profile_without_a_failure_is_paused_before_it_is_late_and_late_before_it_is_skipped() {
    let time = Timestamp::UNIX_EPOCH;
    let pause = Some(Pause { since: time, until: None });
    let skip = Some(Skipped { since: time, times: 1, reason: "no disk" });
    for (status, broken, overdue, paused, skipped, class) in [
        (Some(Status::Ok), false, None, None, None, Class::Ok),
        (Some(Status::Unchanged), false, None, None, skip, Class::Skipped),
        (Some(Status::Ok), false, Some(time), None, skip, Class::Overdue),
        (Some(Status::Warning), false, Some(time), pause, skip, Class::Paused),
        (Some(Status::Warning), false, None, None, skip, Class::Warning),
        (Some(Status::Stopped), false, Some(time), pause, skip, Class::Failed),
        (Some(Status::Interrupted), false, Some(time), None, None, Class::Overdue),
        (Some(Status::Cancelled), false, None, None, skip, Class::Failed),
        (Some(Status::Failed), true, Some(time), pause, skip, Class::Broken),
        (None, false, None, None, None, Class::Never),
        (None, false, None, None, skip, Class::Skipped),
    ] {
        let statuses: Vec<Status> = status.into_iter().collect();
        let one = One::nightly("one", 1, &statuses);
        let standing = super::Standing { broken, overdue, paused, skipped, ..one.standing.clone() };
        assert_eq!(Class::of(&standing), class, "{standing:?}");
    }
}

#[test]
fn without_profiles_it_still_comes() {
    let digest = rendered(&Case::new("none", Vec::new()));
    assert_eq!(digest.subject, "[no profiles] backup digest of nas1");
    assert!(digest.text.starts_with("OK: There are no profiles.\n"));
}

#[test]
fn clocks_that_went_back_do_no_harm() {
    let mut case = Case::new("clock", vec![One::nightly("one", 1, &[Status::Ok; 3])]);
    case.since = Some(now() + 900.hours());
    for run in &mut case.profiles[0].runs {
        run.started = now() + 5_000.hours();
    }
    assert!(rendered(&case).text.contains("\nMon 23 Nov, and what was copied\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_text_from_outside_changes_the_shape_of_a_digest(
        name in any_text(), host in any_text(), target in any_text(), error in any_text(),
    ) {
        let build = |clean: &dyn Fn(&str) -> String| {
            let mut case = cases::hostile();
            let target: &'static str = Box::leak(clean(&target).into_boxed_str());
            case.host = clean(&host);
            for one in &mut case.profiles {
                (one.name, one.error, one.standing.target) = (clean(&name), clean(&error), target);
                one.standing.skipped = Some(Skipped { since: now(), times: 2, reason: target });
            }
            rendered(&case)
        };
        let hostile = build(&str::to_owned);
        let harmless = build(&|text| text.replace(['<', '>', '"', '\''], "\u{e000}"));
        for sign in ['<', '>', '"', '\''] {
            prop_assert_eq!(hostile.html.matches(sign).count(), harmless.html.matches(sign).count());
        }
        prop_assert!(!hostile.text.contains(|c: char| c.is_control() && c != '\n'));
    }
}

//! A notice in plain text.

use super::view::View;
use crate::report::clean;
use crate::report::lines::{WIDTH, bullet, heading, line, pairs, wrap};

/// Writes a view as text.
pub(super) fn text(view: &View) -> String {
    let mut out = String::new();
    wrap(&mut out, "", &view.sentence);
    view.more.iter().for_each(|sentence| wrap(&mut out, "", sentence));
    if !view.items.is_empty() {
        heading(&mut out, view.title);
    }
    for item in &view.items {
        bullet(&mut out, &item.name);
        item.sentences.iter().for_each(|sentence| wrap(&mut out, "    ", sentence));
        item.lines.iter().for_each(|text| line(&mut out, &["    ", &clean::line(text, WIDTH - 4)].concat()));
    }
    if let Some(more) = &view.more_items {
        wrap(&mut out, "  ", more);
    }
    heading(&mut out, "What to do");
    for step in &view.steps {
        bullet(&mut out, &step.text);
        if let Some(command) = &step.command {
            line(&mut out, &["      ", command].concat());
        }
    }
    if !view.state.is_empty() {
        heading(&mut out, "State");
        pairs(&mut out, &view.state);
    }
    line(&mut out, "");
    line(&mut out, "-- ");
    wrap(&mut out, "", &view.origin);
    line(&mut out, "How things stand now:  postkeep status");
    out
}

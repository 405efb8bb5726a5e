//! The digest in plain text.

use super::row::Row;
use super::view::View;
use crate::report::clean;
use crate::report::lines::{WIDTH, bullet, heading, line, pairs, width, wrap};

/// How wide a name may be in a table.
const NAME: usize = 20;
/// How wide a bar may be.
const BAR: usize = 16;
/// How wide a size is.
const SIZE: usize = 10;
/// How wide a time is.
const TIME: usize = 12;

/// Writes a view as text.
pub(super) fn text(view: &View) -> String {
    let mut out = String::new();
    if let Some(paused) = &view.paused {
        wrap(&mut out, "", paused);
    }
    wrap(&mut out, "", &[&view.word, ": ", &view.sentence].concat());
    if let Some(tally) = &view.tally {
        wrap(&mut out, "", &[tally, "."].concat());
    }
    looks(&mut out, view);
    if !view.notes.is_empty() {
        heading(&mut out, "Also");
        view.notes.iter().for_each(|note| bullet(&mut out, note));
    }
    table(&mut out, view);
    if let Some(more) = &view.more_rows {
        wrap(&mut out, "  ", more);
    }
    days(&mut out, view);
    heading(&mut out, "All together");
    pairs(&mut out, &view.state);
    line(&mut out, "");
    line(&mut out, "-- ");
    wrap(&mut out, "", &view.origin);
    line(&mut out, "How things stand now:  postkeep status");
    out
}

fn looks(out: &mut String, view: &View) {
    if view.looks.is_empty() && view.more_looks.is_none() {
        return;
    }
    heading(out, "What needs a look");
    for look in &view.looks {
        bullet(out, &format!("{}: {}", look.name, look.state));
        look.sentences.iter().for_each(|sentence| wrap(out, "    ", sentence));
        line(out, &["      ", &look.command].concat());
    }
    if let Some(more) = &view.more_looks {
        wrap(out, "  ", more);
    }
}

/// All profiles, in two lines each.
fn table(out: &mut String, view: &View) {
    if view.rows.is_empty() {
        return;
    }
    heading(out, "All profiles, those that need a look first");
    let (names, states) = (names(view), widest(view, |row| &row.state));
    let mut two = |[name, state, runs]: [&str; 3], [changed, copied, free, success, next]: [&str; 5]| {
        columns(out, &format!("  {name:names$}  {state:states$}  {runs}"));
        columns(out, &format!("    {changed:>7}  {copied:>SIZE$}  {free:>SIZE$}  {success:TIME$}  {next}"));
    };
    two(["profile", "state", "runs"], ["changed", "copied", "free", "last success", "next run"]);
    for Row { name, state, runs, changed, copied, free, last_success, next, .. } in &view.rows {
        two([&clean::path(name, NAME), state, runs], [changed, copied, free, last_success, next]);
    }
}

/// A line whose columns are kept, cut where it is too long.
fn columns(out: &mut String, row: &str) {
    line(out, clean::line(row, WIDTH).trim_end());
}

fn names(view: &View) -> usize {
    widest(view, |row| &row.name).clamp(7, NAME)
}

fn widest(view: &View, of: fn(&Row) -> &String) -> usize {
    view.rows.iter().map(|row| width(of(row))).max().unwrap_or(0)
}

fn days(out: &mut String, view: &View) {
    let Some(first) = view.rows.first() else { return };
    let (names, count) = (names(view), first.days.len());
    let title = match count {
        1 => format!("{}, and what was copied", view.span.1),
        _ => format!("Day by day, {} to {}, and what was copied", view.span.0, view.span.1),
    };
    heading(out, &title);
    let room = BAR.min(WIDTH.saturating_sub(2 + names + 2 + count + 2 + SIZE + 2));
    for row in &view.rows {
        let name = clean::path(&row.name, NAME);
        let glyphs: String = row.days.iter().map(|day| day.glyph).collect();
        let full = usize::try_from(row.share).unwrap_or(0) * room / 100;
        let bar = "#".repeat(full.max(usize::from(row.share > 0)));
        line(out, format!("  {name:names$}  {glyphs}  {:>SIZE$}  {bar}", row.copied).trim_end());
    }
    legend(out, view);
}

/// What the letters mean; each stays with its meaning.
fn legend(out: &mut String, view: &View) {
    let mut row = String::from(" ");
    for (at, (glyph, meaning, _)) in view.legend.iter().enumerate() {
        let comma = if at + 1 == view.legend.len() { "" } else { "," };
        let item = format!(" {glyph} {meaning}{comma}");
        if width(&row) + width(&item) > WIDTH {
            line(out, &std::mem::replace(&mut row, " ".into()));
        }
        row.push_str(&item);
    }
    line(out, &row);
}

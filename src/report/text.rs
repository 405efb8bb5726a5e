//! The report in plain text, for a terminal and for readers of mail without HTML: 76 columns, no colours.

use std::fmt::Write;

use super::clean;
use super::failures::{Group, Section};
use super::lines::{WIDTH, bullet, heading, line, pairs, width, wrap};
use super::numbers::Number;
use super::view::View;

/// Writes a view as text.
pub(super) fn text(view: &View) -> String {
    let mut out = String::new();
    let verdict = &view.verdict;
    let gap = if verdict.after.is_empty() { "" } else { " " };
    wrap(&mut out, "", &[verdict.word, gap, &verdict.after, ": ", &verdict.what].concat());
    for sentence in &verdict.more {
        wrap(&mut out, "", sentence);
    }
    if !view.steps.is_empty() {
        heading(&mut out, "What to do");
        for step in &view.steps {
            bullet(&mut out, &step.text);
            if let Some(command) = &step.command {
                line(&mut out, &["      ", command].concat());
            }
        }
    }
    numbers(&mut out, &view.numbers, view.compared.as_deref());
    heading(&mut out, "State");
    pairs(&mut out, &view.state);
    for section in &view.failures {
        failures(&mut out, section, &view.log_command);
    }
    if let Some(unnamed) = &view.unnamed {
        line(&mut out, "");
        wrap(&mut out, "  ", unnamed);
    }
    if !view.notes.is_empty() {
        heading(&mut out, "Notes");
        for note in &view.notes {
            bullet(&mut out, note);
        }
    }
    if !view.last_lines.is_empty() {
        heading(&mut out, "The last lines of the log");
        for last in &view.last_lines {
            line(&mut out, &["  ", &clean::line(last, WIDTH - 2)].concat());
        }
    }
    heading(&mut out, &view.about);
    pairs(&mut out, &view.job);
    history(&mut out, view);
    line(&mut out, "");
    line(&mut out, "-- ");
    wrap(&mut out, "", &view.origin);
    line(&mut out, &["The whole log:  ", &view.log_command].concat());
    line(&mut out, &["This report:    ", &view.report_command].concat());
    out
}

fn numbers(out: &mut String, numbers: &[Number], compared: Option<&str>) {
    let Some(first) = numbers.first() else { return };
    let labels = numbers.iter().map(|number| number.label.len()).fold(first.label.len(), usize::max);
    let value = |number: &Number| match &number.exact {
        Some(exact) => format!("{} {exact}", number.value),
        None => number.value.clone(),
    };
    let values = numbers.iter().map(|number| width(&value(number))).max().unwrap_or(0);
    line(out, "");
    let _ = match compared {
        Some(what) => writeln!(out, "{:1$}{what}", "Numbers", labels + values + 6),
        None => writeln!(out, "Numbers"),
    };
    for number in numbers {
        let row = match &number.usual {
            Some(usual) => format!("  {:labels$}  {:values$}  {usual}", number.label, value(number)),
            None => format!("  {:labels$}  {}", number.label, value(number)),
        };
        line(out, &row);
        if let Some(detail) = &number.detail {
            let indent = " ".repeat(labels + 4);
            wrap(out, &indent, detail);
        }
    }
}

fn failures(out: &mut String, section: &Section, log_command: &str) {
    heading(out, &section.title);
    for Group { cause, warning, count, paths } in &section.groups {
        let weight = if *warning { "warning: " } else { "" };
        let many = if count == "1" { String::new() } else { format!(" ({count})") };
        bullet(out, &format!("{weight}{cause}{many}"));
        for path in paths {
            line(out, &["      ", &clean::path(path, WIDTH - 6)].concat());
        }
    }
    if section.more > 0 {
        line(out, &format!("  and {} more: {log_command}", section.more_text));
    }
}

fn history(out: &mut String, view: &View) {
    let runs = view.bars.bars.len();
    if runs < 2 {
        return;
    }
    heading(out, &format!("The last {runs} runs, this one at the end"));
    line(out, &["  ", &view.bars.line()].concat());
    let legend: Vec<String> =
        view.bars.legend.iter().map(|(glyph, meaning, _)| format!("{glyph} {meaning}")).collect();
    wrap(out, "  ", &legend.join(", "));
}

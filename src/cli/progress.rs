//! A run's progress: a bar on a terminal, a quiet line a minute elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Context, out};
use crate::figures::{count, duration_ms, of, size};
use crate::mutex::lock;
use crate::progress::{Event, Listener, Phase, Snapshot};

/// How often a run that has no terminal says that it is alive.
const LINE: Duration = Duration::from_secs(60);
/// How often a spinner turns while nothing else happens.
const TURN: Duration = Duration::from_millis(100);
/// What a file weighs in the bar besides its bytes: small files cost their number, not their size.
const FILE_WEIGHT: u64 = 16 << 10;
/// How long the bar is, in columns without its brackets, and from how many columns on there is room for it.
const BAR: usize = 20;
const FOR_BAR: usize = 60;
/// What a terminal is taken for that does not tell how wide it is.
const COLUMNS: usize = 80;

/// Shows the events of a run.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    quiet: bool,
    state: Mutex<State>,
}

struct State {
    profile: String,
    phase: Phase,
    said: Instant,
}

impl Shown {
    pub fn new(ctx: &Context) -> Self {
        let terminal =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        let quiet = ctx.quiet || ctx.json;
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style(WAITING));
            bar
        });
        let state = State { profile: String::new(), phase: Phase::Comparing, said: Instant::now() };
        Self { bar, quiet, state: Mutex::new(state) }
    }

    /// Takes the bar away, before the result is printed in its place.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // A template that does not parse would show as the plain default: the test below keeps them in order.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Without an end in sight.
const WAITING: &str = "{spinner} {msg}";
/// The message is the whole line: indicatif would let a long one wrap.
const WORKING: &str = "{msg}";

impl Listener for Shown {
    fn event(&self, event: &Event) {
        let mut state = lock(&self.state);
        match event {
            Event::Started { profile } => state.profile.clone_from(profile),
            Event::Phase(phase) => {
                state.phase = *phase;
                if let Some(bar) = &self.bar {
                    bar.set_style(style(if *phase == Phase::Working { WORKING } else { WAITING }));
                    bar.reset();
                    // While the disk is written to, nobody counts.
                    match phase {
                        Phase::Flushing => bar.enable_steady_tick(TURN),
                        Phase::Comparing | Phase::Working => bar.disable_steady_tick(),
                    }
                    show(bar, &state, &Snapshot::default());
                }
            }
            Event::Tick(now) => self.tick(&mut state, now),
            Event::Finished => {}
        }
    }
}

impl Shown {
    fn tick(&self, state: &mut State, now: &Snapshot) {
        if let Some(bar) = &self.bar {
            show(bar, state, now);
        } else if !self.quiet && state.said.elapsed() >= LINE {
            out::warn(&format!("{}: {}", state.profile, message(state.phase, now)));
            state.said = Instant::now();
        }
    }
}

/// Draws how far it is.
fn show(bar: &ProgressBar, state: &State, now: &Snapshot) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    // The last column stays free: a terminal may go to the next line when it is taken.
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { COLUMNS } else { columns } - 1;
    let line = if state.phase == Phase::Working && !is_planned(now) {
        cut(&format!("{}: {}", cut(&state.profile, columns / 3), message(state.phase, now)), columns)
    } else if state.phase == Phase::Working {
        let all = weigh(now.files_planned, now.bytes_planned).max(1);
        let done = weigh(now.files_done, now.bytes_done).min(all);
        bar.set_length(all);
        bar.set_position(done);
        let left = u64::try_from(bar.eta().as_millis()).unwrap_or(u64::MAX);
        working(columns, &state.profile, now, done as f64 / all as f64, left)
    } else {
        // The spinner and a space are before it.
        let text = message(state.phase, now);
        let name = columns.saturating_sub(2 + ": ".len() + text.len());
        cut(&format!("{}: {text}", cut(&state.profile, name)), columns.saturating_sub(2))
    };
    bar.set_message(line);
    bar.tick();
}

/// Whether somebody counted what there is to do. A backup learns it only as it goes.
pub(super) fn is_planned(now: &Snapshot) -> bool {
    now.files_planned > 0 || now.bytes_planned > 0
}

/// How much work there is in files and their bytes.
pub(super) fn weigh(files: u64, bytes: u64) -> u64 {
    bytes.saturating_add(files.saturating_mul(FILE_WEIGHT))
}

/// The line of a run at work in at most `columns` columns: what does not fit is left out, the least telling first.
pub(super) fn working(columns: usize, profile: &str, now: &Snapshot, share: f64, left_ms: u64) -> String {
    let mut line = format!("{}:", cut(profile, columns / 3));
    if columns >= FOR_BAR {
        let full = (share * BAR as f64) as usize;
        let head = if full < BAR { ">" } else { "" };
        line.push_str(&format!(" [{:BAR$}]", "=".repeat(full) + head));
    }
    line.push_str(&format!(" {:>3.0} %", (share * 100.0).floor()));
    // Nothing is left, or nobody can tell yet.
    if left_ms > 0 {
        // Nobody wants the tenths of a second.
        let left = duration_ms(left_ms.div_ceil(1000).saturating_mul(1000)).replace(".0 s", " s");
        line.push_str(&format!(", {left} left"));
    }
    // What fits now must fit to the end, or it would come and go.
    let mut widest = line.width();
    let end = Snapshot { files_done: now.files_planned, bytes_done: now.bytes_planned, ..*now };
    let (parts, at_end) = (message(Phase::Working, now), message(Phase::Working, &end));
    for (part, at_end) in parts.split(", ").zip(at_end.split(", ")) {
        widest += ", ".len() + at_end.width().max(part.width());
        if widest <= columns {
            line = format!("{line}, {part}");
        }
    }
    cut(&line, columns)
}

/// The text in at most `columns` columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    if columns == 0 { kept } else { kept + "…" }
}

/// What a run does, in words.
pub(super) fn message(phase: Phase, now: &Snapshot) -> String {
    let (one, many) = if now.messages { ("message", "messages") } else { ("file", "files") };
    match phase {
        Phase::Comparing => format!("comparing, {} entries", count(now.entries)),
        Phase::Working if !is_planned(now) => {
            format!("{}, {}", of(now.files_done, one, many), size(now.bytes_done))
        }
        // Files are separated from bytes by a comma and a space, which no figure has in it.
        Phase::Working => format!(
            "{} of {}, {} of {}",
            count(now.files_done),
            of(now.files_planned, one, many),
            size(now.bytes_done),
            size(now.bytes_planned)
        ),
        Phase::Flushing => "writing to disk".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Snapshot = Snapshot {
        entries: 1204,
        files_planned: 20_000,
        bytes_planned: 681_000_000,
        files_done: 18_832,
        bytes_done: 640_000_000,
        messages: false,
    };

    #[test]
    fn the_templates_parse_and_the_lines_read_well() {
        for template in [WAITING, WORKING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
        assert_eq!(message(Phase::Comparing, &NOW), "comparing, 1,204 entries");
        let unplanned = Snapshot { files_planned: 0, bytes_planned: 0, ..NOW };
        let mail = Snapshot { messages: true, ..unplanned };
        assert_eq!(message(Phase::Working, &mail), "18,832 messages, 610.4 MiB");
        assert_eq!(message(Phase::Working, &unplanned), "18,832 files, 610.4 MiB");
        for (columns, share, left, expected) in [
            (40, 0.5, 1_400, "docs:  50 %, 2 s left"),
            (
                79,
                0.945,
                372_000,
                "docs: [==================> ]  94 %, 6 min 12 s left, 18,832 of 20,000 files",
            ),
            (
                120,
                0.0,
                0,
                "docs: [>                   ]   0 %, 18,832 of 20,000 files, 610.4 MiB of 649.5 MiB",
            ),
        ] {
            assert_eq!(working(columns, "docs", &NOW, share, left), expected);
        }
    }

    #[test]
    fn a_line_is_never_wider_than_the_terminal() {
        for columns in 0..200 {
            for profile in ["docs", &"x".repeat(64), "写真写真写真写真"] {
                for share in [0.0, 0.999, 1.0] {
                    let line = working(columns, profile, &NOW, share, u64::MAX);
                    assert!(line.width() <= columns, "{columns}: {line}");
                }
            }
        }
        assert_eq!(working(40, &"x".repeat(64), &NOW, 0.5, 1), "xxxxxxxxxxxx…:  50 %, 1 s left");
    }
}

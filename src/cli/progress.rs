//! A run's progress: a bar on a terminal, a quiet line a minute elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Context, out};
use crate::figures::{count, size};
use crate::progress::{Event, Listener, Phase, Snapshot};

/// How often a run that has no terminal says that it is alive.
const LINE: Duration = Duration::from_secs(60);
/// What a file weighs in the bar besides its bytes: small files cost their number, not their size.
const FILE_WEIGHT: u64 = 16 << 10;

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
            bar.set_style(style("{spinner} {msg}"));
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
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

const COMPARING: &str = "{spinner} {msg}";
const WORKING: &str = "{msg} [{bar:30}] {percent:>3}% {eta} left";

impl Listener for Shown {
    fn event(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { profile } => state.profile.clone_from(profile),
            Event::Phase(phase) => {
                state.phase = *phase;
                if let Some(bar) = &self.bar {
                    bar.set_style(style(if *phase == Phase::Working { WORKING } else { COMPARING }));
                    bar.reset();
                }
            }
            Event::Tick(now) => self.tick(&mut state, now),
            Event::Finished => {}
        }
    }
}

impl Shown {
    fn tick(&self, state: &mut State, now: &Snapshot) {
        let text = message(&state.profile, state.phase, now);
        if let Some(bar) = &self.bar {
            let weigh = |files: u64, bytes: u64| bytes.saturating_add(files.saturating_mul(FILE_WEIGHT));
            if state.phase == Phase::Working {
                bar.set_length(weigh(now.files_planned, now.bytes_planned).max(1));
                bar.set_position(weigh(now.files_done, now.bytes_done));
            }
            bar.set_message(text);
            bar.tick();
        } else if !self.quiet && state.said.elapsed() >= LINE {
            out::warn(&text);
            state.said = Instant::now();
        }
    }
}

fn message(profile: &str, phase: Phase, now: &Snapshot) -> String {
    match phase {
        Phase::Comparing => format!("{profile}: comparing, {} entries", count(now.entries)),
        Phase::Working => format!(
            "{profile}: {} of {} files, {} of {}",
            count(now.files_done),
            count(now.files_planned),
            size(now.bytes_done),
            size(now.bytes_planned)
        ),
        Phase::Flushing => format!("{profile}: writing to disk"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parse_and_the_lines_read_well() {
        for template in [COMPARING, WORKING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
        let now = Snapshot {
            entries: 1204,
            files_planned: 10,
            bytes_planned: 2048,
            files_done: 3,
            bytes_done: 1024,
        };
        assert_eq!(message("docs", Phase::Comparing, &now), "docs: comparing, 1,204 entries");
        assert_eq!(message("docs", Phase::Working, &now), "docs: 3 of 10 files, 1.0 KiB of 2.0 KiB");
    }
}

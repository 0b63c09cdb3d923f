//! Openings that are not as they were planned: somebody made one longer or ended it early, or one began with the first thing
//! that fired in it.
//!
//! The plan stays as it is; what was changed is known by the window and by when the opening was planned to begin.

use serde::{Deserialize, Serialize};

use super::{Opening, Window};
use crate::{Span, Timestamp, config::length_text};

/// The longest that an opening may be made, from its beginning. Source: as for `lasts` in the configuration.
const LASTS_AT_MOST: Span = Span::days(30);

/// One opening that is not as it was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The name of the window.
    pub window: String,
    /// When the opening was planned to begin, by which it is known.
    pub planned: Timestamp,
    /// When it began.
    pub from: Timestamp,
    /// The first second after it.
    pub until: Timestamp,
    /// Who changed it.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub note: String,
}

impl Change {
    /// The opening as it is now.
    pub fn opening(&self) -> Opening {
        Opening { from: self.from, until: self.until }
    }

    /// What was done, as a sentence part.
    pub fn words(&self) -> String {
        let note = if self.note.is_empty() { String::new() } else { format!(": {}", self.note) };
        match self.until <= self.at {
            true => format!("{} ended early{note}", self.window),
            false => format!("{} is open until {}{note}", self.window, self.until),
        }
    }
}

/// What somebody wants of the opening of a window that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeWish {
    /// The name of the window.
    pub window: String,
    /// What.
    pub wanted: Wanted,
    /// Who wants it.
    pub who: String,
    /// Why.
    pub note: String,
}

/// What is wanted of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// So much longer.
    Longer(Span),
    /// It ends now.
    End,
}

impl ChangeWish {
    /// The change that does it. Errors: there is nothing to change, or not so far; what can be done.
    pub fn change(&self, windows: &[Window], now: Timestamp) -> Result<Change, String> {
        let name = &self.window;
        if self.who.trim().is_empty() {
            return Err("who wants it? Say a name".to_owned());
        }
        let all: Vec<&Window> = windows.iter().filter(|window| window.name == *name).collect();
        if all.is_empty() {
            return Err(format!("there is no window `{name}`: `alignwatch window list` shows all"));
        }
        let on = all.iter().filter_map(|window| window.on_now(now)).max_by_key(|(_, opening)| opening.until);
        let (planned, opening) =
            on.ok_or_else(|| format!("the window `{name}` is not open: only one that is can be changed"))?;
        let until = match self.wanted {
            Wanted::End => now,
            Wanted::Longer(by) => Timestamp(opening.until.0.saturating_add(by.0.max(0))),
        };
        if LASTS_AT_MOST < until.since(opening.from) {
            let most = length_text(LASTS_AT_MOST);
            return Err(format!("it would be open for more than {most} since {}", opening.from));
        }
        let (who, note) = (self.who.clone(), self.note.clone());
        Ok(Change { window: name.clone(), planned, from: opening.from, until, who, at: now, note })
    }
}

impl Window {
    /// How a window that waits for alerts opens: from `now` on, at an alert that began in its time. `None` = it is not its time, or
    /// it was opened already.
    pub fn opened_by(&self, what: &str, now: Timestamp) -> Option<Change> {
        let lasts = self.waits_for_alerts()?;
        let planned = self.planned_at(now).filter(|planned| self.change_of(planned.from).is_none())?;
        Some(Change {
            window: self.name.clone(),
            planned: planned.from,
            from: now,
            until: Timestamp(now.0.saturating_add(lasts.0)),
            who: "alignwatch".to_owned(),
            at: now,
            note: format!("it waited for {what}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Purpose;

    const HOUR: i64 = 3_600;

    /// Open from 1 to 4 hours.
    fn window() -> Window {
        let opening = Opening { from: Timestamp(HOUR), until: Timestamp(4 * HOUR) };
        Window::once("night", Purpose::Maintenance, "", opening).unwrap()
    }

    fn wish(wanted: Wanted) -> ChangeWish {
        ChangeWish { window: "night".into(), wanted, who: "mia".into(), note: "release".into() }
    }

    #[test]
    fn an_opening_that_was_made_longer_is_open_longer_and_can_be_made_longer_again() {
        let now = Timestamp(3 * HOUR);
        let change = wish(Wanted::Longer(Span::hours(2))).change(&[window()], now).unwrap();
        let longer = window().changed([&change]);
        assert_eq!(longer.open_at(Timestamp(5 * HOUR)).map(|opening| opening.until), Some(Timestamp(6 * HOUR)));
        assert_eq!(longer.openings(Timestamp(0), Timestamp(9 * HOUR)), [change.opening()]);
        let again =
            wish(Wanted::Longer(Span::hours(1))).change(std::slice::from_ref(&longer), Timestamp(5 * HOUR)).unwrap();
        assert_eq!((again.planned, again.until), (Timestamp(HOUR), Timestamp(7 * HOUR)));
        assert_eq!(longer.changed([&again]).open_at(Timestamp(7 * HOUR)), None);
    }

    #[test]
    fn an_opening_that_was_ended_is_over_and_the_next_one_is_not() {
        let change = wish(Wanted::End).change(&[window()], Timestamp(2 * HOUR)).unwrap();
        let ended = window().changed([&change]);
        let open: Vec<bool> =
            [2 * HOUR - 1, 2 * HOUR, 3 * HOUR].map(|at| ended.open_at(Timestamp(at)).is_some()).to_vec();
        assert_eq!(open, [true, false, false]);
        assert!(wish(Wanted::End).change(&[ended], Timestamp(3 * HOUR)).unwrap_err().contains("is not open"));
        assert_eq!(change.words(), "night ended early: release");
    }

    #[test]
    fn what_cannot_be_changed_is_told() {
        let told = |wish: ChangeWish, at: i64| wish.change(&[window()], Timestamp(at)).unwrap_err();
        assert!(told(wish(Wanted::End), 0).contains("is not open"));
        assert!(told(wish(Wanted::Longer(Span::days(31))), 2 * HOUR).contains("more than 30d"));
        assert!(
            told(ChangeWish { window: "day".into(), ..wish(Wanted::End) }, 2 * HOUR).contains("there is no window")
        );
        assert!(told(ChangeWish { who: " ".into(), ..wish(Wanted::End) }, 2 * HOUR).contains("who wants it"));
    }

    #[test]
    fn a_window_that_waits_is_open_from_the_first_alert_in_it_on() {
        let waits = window().flexible(Some(Span::hours(2)));
        assert_eq!(waits.open_at(Timestamp(2 * HOUR)), None);
        assert_eq!(waits.opened_by("conflict", Timestamp(HOUR - 1)), None);
        let change = waits.opened_by("conflict", Timestamp(3 * HOUR)).unwrap();
        let opened = waits.clone().changed([&change]);
        // It lasts its length, also past the time in which it could begin.
        assert_eq!(opened.open_at(Timestamp(5 * HOUR - 1)), Some(change.opening()));
        assert_eq!(opened.open_at(Timestamp(5 * HOUR)), None);
        assert_eq!(opened.opened_by("conflict", Timestamp(3 * HOUR + 1)), None, "it opens once");
        assert_eq!(waits.next_after(Timestamp(0)).map(|first| first.until), Some(Timestamp(3 * HOUR)));
    }
}

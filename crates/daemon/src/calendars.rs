//! Calendars that others keep: reads them again and again, and keeps each as it was read last.
//!
//! A calendar that cannot be read is never an empty one: the last that could stays in force, over restarts too, and why the newer one
//! could not is told as a broken promise. What was read lies in the data directory, so that commands know it without a network.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_model::{
    Known, Timestamp,
    agenda::{self, Agenda},
    config::{Agendas, CalendarEntry, Config},
    schedule::zone_named,
    turn::Event,
    window::{Change, ChangeWish, Window},
};
use alignwatch_notify::Egress;
use alignwatch_records::Openings;
use alignwatch_web::Unchanged;

use crate::serve::{Live, now};

/// How often it is looked whether a window was changed.
const PACE: Duration = Duration::from_secs(1);

/// How long the loop sleeps at a time, so that an end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// A calendar that could not be read is tried again after this time, or its own if that is shorter.
const AGAIN: Duration = Duration::from_secs(120);

/// The same configuration with what calendars said when they were read last, and what was changed of windows. No network is used.
///
/// What cannot be read is unknown, and says so where it is asked for.
pub fn with_outside(config: Config, data_dir: Option<&Path>, now: Timestamp) -> Config {
    let agendas = config.calendars.iter().map(|entry| (entry.name.clone(), at_hand(entry, data_dir, now))).collect();
    let changes = data_dir.map_or_else(|| Ok(Vec::new()), |data_dir| Openings::of(data_dir).changes());
    let changes = Known::from_result(changes.map(Arc::from).map_err(|error| error.to_string()));
    config.with_outside(&agendas, &changes)
}

/// Changes openings of windows that are on, as they stand on the disk.
pub(crate) fn changing(config: Config, data_dir: PathBuf) -> Box<alignwatch_web::Windows> {
    Box::new(move |wish: ChangeWish| {
        let config = with_outside(config.clone(), Some(&data_dir), now());
        let windows: Vec<Window> = config.windows.iter().filter_map(|rule| rule.window().ok()).collect();
        let change = wish.change(&windows, now()).map_err(Unchanged::Refused)?;
        let noted = Openings::of(&data_dir).note(&change, now());
        noted.map_err(|error| Unchanged::NotKept(error.to_string()))?;
        Ok(change)
    })
}

/// A calendar as it can be had without a network: its file, else what was read last.
fn at_hand(entry: &CalendarEntry, data_dir: Option<&Path>, now: Timestamp) -> Known<Arc<Agenda>> {
    let own = match is_file(entry) {
        true => {
            read_file(Path::new(&entry.at)).map_err(|error| error.to_string()).and_then(|text| read(entry, &text, now))
        }
        false => Err("it was not read yet: the daemon does that".to_owned()),
    };
    own.or_else(|reason| kept(entry, data_dir, now).ok_or(reason)).map_or_else(Known::Unknown, Known::Seen)
}

fn is_file(entry: &CalendarEntry) -> bool {
    entry.at.starts_with('/')
}

fn read(entry: &CalendarEntry, text: &str, now: Timestamp) -> Result<Arc<Agenda>, String> {
    let zone = zone_named(entry.zone.as_deref().unwrap_or("UTC")).map_err(|error| error.to_string())?;
    // A bug in the reading of one calendar is a calendar that cannot be read.
    let read = std::panic::catch_unwind(|| Agenda::read(text, &zone, now));
    let read = read.unwrap_or_else(|_| Err(agenda::BadAgenda("a bug ended the reading of it".to_owned())));
    read.map(Arc::new).map_err(|error| error.to_string())
}

/// Plain files only: a pipe or a device could block for ever.
fn read_file(path: &Path) -> io::Result<String> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(flags as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    file.take(agenda::BYTES_AT_MOST as u64 + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// Where a calendar lies as it was read last: another address is another calendar.
fn place(entry: &CalendarEntry, data_dir: &Path) -> PathBuf {
    let hash = entry
        .at
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    data_dir.join("calendars").join(format!("{}-{hash:016x}.ics", entry.name))
}

fn kept(entry: &CalendarEntry, data_dir: Option<&Path>, now: Timestamp) -> Option<Arc<Agenda>> {
    read(entry, &read_file(&place(entry, data_dir?)).ok()?, now).ok()
}

/// Another file takes the place of the one that is there, so that a crash leaves one of the two.
fn keep(entry: &CalendarEntry, data_dir: &Path, text: &str) -> io::Result<()> {
    let path = place(entry, data_dir);
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir.join("calendars"))?;
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, &path)?;
    File::open(data_dir.join("calendars"))?.sync_all()
}

/// Starts the thread that reads calendars and sees changed windows. It ends when `stop` becomes true.
pub(crate) fn start(live: Arc<Live>, inbox: SyncSender<Event>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        let settings = live.settings();
        let mut reader = Reader::of(&settings.config, &settings.data_dir);
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            if due <= Instant::now() {
                if reader.look() {
                    let news = reader.news(&live);
                    // When the loop is gone, the next start reads all of it again.
                    let _ = inbox.send(news);
                }
                due = Instant::now() + PACE;
            }
            thread::sleep(NAP);
        }
    })
}

/// What is known of calendars and windows.
struct Reader {
    data_dir: PathBuf,
    config: Config,
    egress: Egress,
    calendars: Vec<Calendar>,
    changes: Vec<Change>,
    /// Why the changes can't be read.
    changes_trouble: Option<String>,
    is_first: bool,
}

struct Calendar {
    entry: CalendarEntry,
    agenda: Known<Arc<Agenda>>,
    /// Why the newest one can't be read.
    trouble: Option<String>,
    due: Instant,
}

impl Reader {
    fn of(config: &Config, data_dir: &Path) -> Reader {
        let calendar = |entry: &CalendarEntry| Calendar {
            entry: entry.clone(),
            agenda: at_hand(entry, Some(data_dir), now()),
            trouble: None,
            due: Instant::now(),
        };
        Reader {
            data_dir: data_dir.to_owned(),
            config: config.clone(),
            egress: Egress::of(&config.egress),
            calendars: config.calendars.iter().map(calendar).collect(),
            changes: Vec::new(),
            changes_trouble: None,
            is_first: true,
        }
    }

    /// Reads what is due. Is there anything new?
    fn look(&mut self) -> bool {
        let mut is_new = std::mem::take(&mut self.is_first);
        let changes = Openings::of(&self.data_dir).changes().map_err(|error| error.to_string());
        let (changes, trouble) = match changes {
            Ok(changes) => (changes, None),
            // What was known stays in force.
            Err(error) => (self.changes.clone(), Some(error)),
        };
        is_new |= self.changes != changes || self.changes_trouble != trouble;
        (self.changes, self.changes_trouble) = (changes, trouble);
        for calendar in self.calendars.iter_mut().filter(|calendar| calendar.due <= Instant::now()) {
            is_new |= calendar.look(&self.egress, &self.data_dir);
        }
        is_new
    }

    /// Puts what is known in force.
    fn news(&self, live: &Live) -> Event {
        let agendas: Agendas =
            self.calendars.iter().map(|calendar| (calendar.entry.name.clone(), calendar.agenda.clone())).collect();
        live.configure(self.config.clone().with_outside(&agendas, &Known::Seen(self.changes.clone().into())));
        let of_calendars = self.calendars.iter().filter_map(Calendar::told);
        let troubles = of_calendars.chain(self.changes_trouble.clone()).collect();
        Event::OutsideRead { troubles, changes: self.changes.clone() }
    }
}

impl Calendar {
    fn look(&mut self, egress: &Egress, data_dir: &Path) -> bool {
        let every = Duration::from_secs(u64::try_from(self.entry.every.0).unwrap_or(0));
        let text = match is_file(&self.entry) {
            true => read_file(Path::new(&self.entry.at)).map_err(|error| error.to_string()),
            false => {
                alignwatch_notify::calendar::fetch(&self.entry.at, egress, now()).map_err(|failure| failure.detail)
            }
        };
        let read = text.and_then(|text| Ok((read(&self.entry, &text, now())?, text)));
        let before = (self.agenda.clone(), self.trouble.clone());
        match read {
            Ok((agenda, text)) => {
                self.due = Instant::now() + every;
                // One that cannot be kept is in force all the same, until the daemon ends.
                self.trouble = keep(&self.entry, data_dir, &text)
                    .err()
                    .map(|error| format!("it was read, and cannot be kept over a restart: {error}"));
                self.agenda = Known::Seen(agenda);
            }
            Err(reason) => {
                self.due = Instant::now() + every.min(AGAIN);
                self.trouble = Some(format!("it cannot be read: {reason}"));
                if self.agenda.seen().is_none() {
                    self.agenda = Known::Unknown(reason);
                }
            }
        }
        before != (self.agenda.clone(), self.trouble.clone())
    }

    /// What people should know of it.
    fn told(&self) -> Option<String> {
        let name = &self.entry.name;
        match (&self.trouble, self.agenda.seen()) {
            (Some(why), Some(_)) => Some(format!("the calendar {name}: {why}; what was read last is in force")),
            (Some(why), None) => Some(format!("the calendar {name}: {why}; nothing is known of it")),
            (None, Some(agenda)) if 0 < agenda.n_left_out => {
                let (n, why) = (agenda.n_left_out, agenda.left_out.join("; "));
                Some(format!("the calendar {name} has {n} that cannot be understood: {why}"))
            }
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const DUTY: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260504T090000Z\r\nDTEND:20260505T090000Z\r\n\
                        SUMMARY:mia\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    /// 2026-05-04T12:00:00Z
    const NOON: Timestamp = Timestamp(1_777_896_000);

    fn config(at: &Path) -> Config {
        let text = format!(
            "calendars: [{{name: duty, at: {}}}]\nwindows: [{{name: cut, kind: freeze, open: calendar duty}}]\n",
            at.display()
        );
        Config::from_yaml(&text, "f").unwrap().0
    }

    fn freeze(config: &Config) -> String {
        let window = config.windows[0].window().unwrap();
        match (window.doubt(), window.open_at(NOON)) {
            (Some(why), _) => format!("unknown: {why}"),
            (None, Some(opening)) => format!("open until {}", opening.until),
            (None, None) => "closed".to_owned(),
        }
    }

    #[test]
    fn the_calendar_that_was_read_last_stays_in_force_and_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("duty.ics");
        let config = config(&path);
        assert!(freeze(&with_outside(config.clone(), Some(dir.path()), NOON)).starts_with("unknown"));
        fs::write(&path, DUTY).unwrap();
        let mut reader = Reader::of(&config, dir.path());
        assert!(reader.look());
        assert_eq!(reader.calendars[0].told(), None);
        for damage in ["", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT", "<html>sign in</html>"] {
            fs::write(&path, damage).unwrap();
            reader.calendars[0].due = Instant::now();
            reader.look();
            assert!(reader.calendars[0].told().unwrap().ends_with("what was read last is in force"), "{damage}");
        }
        // After a restart, too; and without the file.
        fs::remove_file(&path).unwrap();
        assert!(Reader::of(&config, dir.path()).calendars[0].agenda.seen().is_some());
        let seen = read(&config.calendars[0], DUTY, NOON).unwrap();
        let agendas = [("duty".to_owned(), Known::Seen(seen))].into();
        assert_eq!(
            freeze(&config.clone().with_outside(&agendas, &Known::Seen(Arc::default()))),
            "open until 2026-05-05T09:00:00Z"
        );
        // What was changed of it is damaged: then nobody knows whether it is on.
        DirBuilder::new().create(dir.path().join("windows")).unwrap();
        fs::write(dir.path().join("windows/changes.json"), "{").unwrap();
        let told = freeze(&with_outside(config, Some(dir.path()), NOON));
        assert!(told.starts_with("unknown: what was changed of windows is not known"), "{told}");
    }
}

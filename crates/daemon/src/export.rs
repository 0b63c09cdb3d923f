//! Sends metrics away, on a thread of its own: what the pages show is taken at each interval, waits in a short queue, and
//! is sent in order. Whoever receives can be slow, away or gone; nothing else ever waits for that.
//!
//! What is too old to wait any longer is dropped and counted. How it went stands on the metrics page, and in a file for
//! `doctor`, which runs in another process.

use std::{
    collections::VecDeque,
    fs, io, panic,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_model::{
    Known, Timestamp,
    config::{Config, Otlp},
    metrics::Distribution,
    record::Reading,
};
use alignwatch_notify::{Egress, otlp};
use alignwatch_web::Shared;
use serde::{Deserialize, Serialize};

use crate::serve::now;

/// Batches that wait. Source: ours; ten minutes of a receiver that is being restarted, at the usual interval.
const WAITING_AT_MOST: usize = 10;

/// The first wait after a failure; it doubles. Source: the OTLP specification asks for exponential backoff.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait after a failure. Source: ours; who comes back is found within minutes.
const WAIT_AT_MOST: Duration = Duration::from_secs(300);

/// How often the thread looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long the end of the daemon waits for an attempt. Source: ours; one may take 30 seconds, and so long has all that ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How it goes, for those who ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// When a batch was last taken as a whole; `None` = none yet.
    pub arrived_at_seconds: Option<i64>,
    /// Attempts that failed since the daemon began, or of which a part was refused.
    pub n_failed: u64,
    /// Batches that were given up since then.
    pub n_dropped: u64,
    /// Why the last attempt failed, or a part of it was refused; `None` = all arrived.
    pub failure: Option<String>,
}

/// How the sending of metrics goes, as the daemon with this data directory wrote it down; `None` = nothing was sent yet.
pub fn sent(data_dir: &Path) -> Known<Option<Sent>> {
    match fs::read(file(data_dir)) {
        Ok(text) => Known::from_result(serde_json::from_slice(&text).map(Some).map_err(|error| error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Known::Seen(None),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("otlp.json")
}

/// The thread that sends, where that is configured.
pub(crate) struct Exporter {
    sent: Arc<Mutex<Sent>>,
    /// Something changed since it was last asked.
    has_news: Arc<AtomicBool>,
}

impl Exporter {
    /// Begins to send what `shared` shows; `None` = no endpoint is configured.
    pub(crate) fn start(
        config: &Config,
        data_dir: &Path,
        shared: Arc<Shared>,
        stop: Arc<AtomicBool>,
    ) -> Option<(Exporter, JoinHandle<()>)> {
        config.otlp.endpoint.as_ref()?;
        let sent = Arc::new(Mutex::new(Sent::default()));
        let has_news = Arc::new(AtomicBool::new(true));
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut queue = Queue {
            otlp: config.otlp.clone(),
            egress: Egress::of(&config.egress),
            sender: otlp::Sender { host, began_at: now() },
            file: file(data_dir),
            sent: Arc::clone(&sent),
            has_news: Arc::clone(&has_news),
            waiting: VecDeque::new(),
            n_failed_in_a_row: 0,
        };
        let every = Duration::from_secs(config.otlp.every.0.unsigned_abs());
        let thread = thread::spawn(move || {
            let mut pace = Pace::beginning(Instant::now(), every);
            while !stop.load(Ordering::Relaxed) {
                let at = Instant::now();
                if pace.takes(at) {
                    queue.add(Batch::shown_by(&shared));
                }
                if pace.sends(at) && !queue.waiting.is_empty() {
                    let wait = queue.send();
                    pace.wait(Instant::now(), wait);
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Some((Exporter { sent, has_news }, thread))
    }

    /// Has anything changed since this was asked?
    pub(crate) fn has_news(&self) -> bool {
        self.has_news.swap(false, Ordering::Relaxed)
    }

    /// How it goes, as numbers for the metrics page.
    pub(crate) fn readings(&self, now: Timestamp) -> Vec<Reading> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reading =
            |metric, value| Reading { repository: String::new(), metric, labels: "{}".to_owned(), at: now, value };
        let arrived = sent.arrived_at_seconds.map(|at| reading("alignwatch_otlp_arrived_timestamp_seconds", at as f64));
        arrived
            .into_iter()
            .chain([
                reading("alignwatch_otlp_failed_exports_total", sent.n_failed as f64),
                reading("alignwatch_otlp_dropped_exports_total", sent.n_dropped as f64),
            ])
            .collect()
    }
}

/// Waits for the end of the thread, but not for a receiver that is slow to answer: what waits ends with the process.
pub(crate) fn join(thread: &JoinHandle<()>, patience: Duration) {
    let until = Instant::now() + patience;
    while !thread.is_finished() && Instant::now() < until {
        thread::sleep(LOOK_EVERY / 10);
    }
}

/// When batches are taken, and when they may be sent: a receiver that asks for a wait gets it, up to [`WAIT_AT_MOST`].
struct Pace {
    every: Duration,
    take_at: Instant,
    send_at: Instant,
}

impl Pace {
    fn beginning(at: Instant, every: Duration) -> Pace {
        Pace { every, take_at: at + every, send_at: at }
    }

    /// Is a batch due? Then the next is, an interval later.
    fn takes(&mut self, at: Instant) -> bool {
        let is_due = self.take_at <= at;
        if is_due {
            self.take_at = at + self.every;
        }
        is_due
    }

    fn sends(&self, at: Instant) -> bool {
        self.send_at <= at
    }

    fn wait(&mut self, at: Instant, wait: Duration) {
        self.send_at = at + wait;
    }
}

/// What is sent at once.
struct Batch {
    readings: Arc<Vec<Reading>>,
    distributions: Arc<Vec<Distribution>>,
}

impl Batch {
    fn shown_by(shared: &Shared) -> Batch {
        Batch {
            readings: Arc::clone(&shared.readings.read().unwrap_or_else(PoisonError::into_inner)),
            distributions: Arc::clone(&shared.distributions.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// What waits to be sent.
struct Queue {
    otlp: Otlp,
    egress: Egress,
    sender: otlp::Sender,
    file: PathBuf,
    sent: Arc<Mutex<Sent>>,
    has_news: Arc<AtomicBool>,
    waiting: VecDeque<Batch>,
    n_failed_in_a_row: u32,
}

impl Queue {
    /// Puts a batch at the end; the oldest makes room for it.
    fn add(&mut self, batch: Batch) {
        if batch.readings.is_empty() {
            return;
        }
        if WAITING_AT_MOST <= self.waiting.len() {
            self.waiting.pop_front();
            self.note(|sent| sent.n_dropped += 1);
        }
        self.waiting.push_back(batch);
    }

    /// Sends the oldest; how long to wait before the next.
    fn send(&mut self) -> Duration {
        let Some(batch) = self.waiting.front() else { return Duration::ZERO };
        let attempt =
            || otlp::export(&self.otlp, &batch.readings, &batch.distributions, &self.sender, &self.egress, now());
        let ended = panic::catch_unwind(panic::AssertUnwindSafe(attempt));
        match ended {
            Ok(Ok(exported)) => {
                self.waiting.pop_front();
                self.n_failed_in_a_row = 0;
                self.note(|sent| {
                    match exported.refused {
                        None => sent.arrived_at_seconds = Some(now().0),
                        Some(_) => sent.n_failed += 1,
                    }
                    sent.failure = exported.refused;
                });
                Duration::ZERO
            }
            Ok(Err(failure)) => {
                // What is refused once is refused again; the next batch is another matter.
                if failure.is_permanent {
                    self.waiting.pop_front();
                }
                self.failed(failure.detail.clone(), failure.is_permanent);
                let asked = failure.retry_after.map(|wait| Duration::from_secs(wait.0.unsigned_abs()));
                asked.unwrap_or_else(|| self.backoff()).min(WAIT_AT_MOST)
            }
            Err(_) => {
                self.waiting.pop_front();
                self.failed("a bug in alignwatch ended the attempt".to_owned(), true);
                self.backoff()
            }
        }
    }

    fn failed(&mut self, why: String, is_dropped: bool) {
        self.n_failed_in_a_row = self.n_failed_in_a_row.saturating_add(1);
        self.note(|sent| {
            sent.n_failed += 1;
            sent.n_dropped += u64::from(is_dropped);
            sent.failure = Some(why);
        });
    }

    /// 1 s, 2 s, 4 s … up to five minutes.
    fn backoff(&self) -> Duration {
        let doubled = self.n_failed_in_a_row.saturating_sub(1).min(16);
        FIRST_WAIT.saturating_mul(1 << doubled).min(WAIT_AT_MOST)
    }

    /// Notes how it went, and writes it down for `doctor`. A full disk takes nothing from the sending.
    fn note(&self, change: impl FnOnce(&mut Sent)) {
        let sent = {
            // Whoever asks for it does not wait for the disk.
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut sent);
            sent.clone()
        };
        self.has_news.store(true, Ordering::Relaxed);
        let part = self.file.with_extension("part");
        let text = serde_json::to_vec(&sent).unwrap_or_default();
        let _ = fs::write(&part, text).and_then(|()| fs::rename(&part, &self.file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(folder: &Path, endpoint: &str) -> Queue {
        let text = format!("otlp: {{endpoint: \"{endpoint}\"}}\negress: {{allow: [127.0.0.1]}}\n");
        let config = Config::from_yaml(&text, "f").unwrap().0;
        Queue {
            otlp: config.otlp.clone(),
            egress: Egress::of(&config.egress),
            sender: otlp::Sender { host: "here".into(), began_at: Timestamp(0) },
            file: file(folder),
            sent: Arc::default(),
            has_news: Arc::default(),
            waiting: VecDeque::new(),
            n_failed_in_a_row: 0,
        }
    }

    fn batch() -> Batch {
        let reading = Reading {
            repository: String::new(),
            metric: "alignwatch_host_cpu_used_ratio",
            labels: "{}".into(),
            at: Timestamp(1),
            value: 0.5,
        };
        Batch { readings: Arc::new(vec![reading]), distributions: Arc::default() }
    }

    #[test]
    fn a_receiver_that_is_away_costs_waits_that_grow_and_a_queue_that_does_not() {
        let folder = tempfile::tempdir().unwrap();
        // Nobody listens on a port that was given back.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut queue = queue(folder.path(), &format!("http://127.0.0.1:{port}/v1/metrics"));
        queue.add(batch());
        let waits: Vec<u64> = (0..12).map(|_| queue.send().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        for _ in 0..2 * WAITING_AT_MOST {
            queue.add(batch());
        }
        assert_eq!(queue.waiting.len(), WAITING_AT_MOST);
        let sent = sent(folder.path()).seen().unwrap().clone().unwrap();
        assert_eq!((sent.n_failed, sent.n_dropped, sent.arrived_at_seconds), (12, 11, None));
        assert!(sent.failure.unwrap().contains("no connection"), "it says why");
    }

    #[test]
    fn what_is_refused_for_good_is_dropped_at_once() {
        let folder = tempfile::tempdir().unwrap();
        // This network is not allowed.
        let mut queue = queue(folder.path(), "http://10.255.255.1/v1/metrics");
        queue.add(batch());
        queue.send();
        assert!(queue.waiting.is_empty());
        assert_eq!(queue.sent.lock().unwrap().n_dropped, 1);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_kept_while_batches_go_on_being_taken() {
        let (begin, seconds) = (Instant::now(), Duration::from_secs);
        let mut pace = Pace::beginning(begin, seconds(10));
        assert!(!pace.takes(begin + seconds(9)) && pace.takes(begin + seconds(10)) && pace.sends(begin + seconds(10)));
        pace.wait(begin + seconds(10), seconds(120));
        for at in (20..130).step_by(10) {
            assert!(pace.takes(begin + seconds(at)) && !pace.sends(begin + seconds(at)), "{at}");
        }
        assert!(pace.sends(begin + seconds(130)));
    }

    #[test]
    fn the_end_does_not_wait_for_a_receiver_that_does_not_answer() {
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let attempt = thread::spawn(move || {
            let _ = answered.recv();
        });
        join(&attempt, Duration::ZERO);
        assert!(!attempt.is_finished());
        drop(answer);
        join(&attempt, Duration::from_secs(600));
        assert!(attempt.is_finished());
    }

    #[test]
    fn what_is_refused_in_part_is_told_and_not_sent_again() {
        // ExportMetricsServiceResponse { partial_success: { rejected_data_points: 2, error_message: "old" } }
        let body = b"\x0a\x07\x08\x02\x12\x03old";
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            // The body is short, and comes with or after its headers.
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut some = [0; 4096];
                let n_read = stream.read(&mut some).unwrap();
                asked.extend_from_slice(&some[..n_read]);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
            let _ = stream.read_to_end(&mut asked);
        });
        let folder = tempfile::tempdir().unwrap();
        let mut queue = queue(folder.path(), &format!("http://127.0.0.1:{port}/v1/metrics"));
        queue.add(batch());
        assert_eq!(queue.send(), Duration::ZERO, "the next batch need not wait");
        assert!(queue.waiting.is_empty());
        let sent = queue.sent.lock().unwrap().clone();
        assert_eq!((sent.n_failed, sent.n_dropped, sent.arrived_at_seconds), (1, 0, None));
        assert_eq!(sent.failure.unwrap(), "2 of the values were refused: old");
        receiver.join().unwrap();
    }

    #[test]
    fn how_it_went_is_unknown_where_the_file_is_damaged_and_nothing_where_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sent(folder.path()), Known::Seen(None));
        fs::write(file(folder.path()), "{").unwrap();
        assert!(sent(folder.path()).reason().is_some());
    }
}

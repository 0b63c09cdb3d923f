//! The terminal around the live view: taken over, and given back however it ends.

use std::{
    io::{self, Stdout},
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor, event,
        event::{Event, KeyEventKind},
        execute,
        terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use super::{
    screen,
    source::{Read, Source},
    view::{Asked, View},
};
use crate::{output::style::Screen, surroundings};

/// How often it is read anew.
const READ_EVERY: Duration = Duration::from_secs(2);

/// How long a key, a signal or news may have to wait.
const WAIT: Duration = Duration::from_millis(100);

/// Shows until somebody quits, or the system asks to end. Errors: the terminal can't be used.
pub(crate) fn run(source: Source, look: &Screen) -> io::Result<()> {
    let interrupted = surroundings::interruptions();
    let (wanted, wants) = sync_channel(1);
    let (news, fresh) = sync_channel(1);
    // It ends with the process: a read that hangs holds up nobody.
    thread::spawn(move || read_on(&source, &wants, &news));
    let mut taken = Taken::over()?;
    let mut view = View::default();
    // Drawn when something changed, and each second for what grows old: a slow line is not kept busy.
    let mut drawn_at = None;
    loop {
        let now = surroundings::now();
        if drawn_at != Some(now) {
            taken.terminal.draw(|frame| screen::draw(frame, &view, look, now))?;
            drawn_at = Some(now);
        }
        if interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let event = if event::poll(WAIT)? { Some(event::read()?) } else { None };
        if event.is_some() {
            drawn_at = None;
        }
        if let Some(Event::Key(key)) = event
            && key.kind != KeyEventKind::Release
        {
            let page = screen::page(taken.terminal.size()?.height);
            match view.key(key, page, now) {
                Asked::Quit => return Ok(()),
                // One that is wanted already is enough.
                Asked::Refresh => drop(wanted.try_send(())),
                Asked::Nothing => {}
            }
        }
        if let Ok(read) = fresh.try_recv() {
            take_in(&mut view, read);
            drawn_at = None;
        }
    }
}

/// What could not be read anew stays as it was, with the reason.
fn take_in(view: &mut View, Read { board, from }: Read) {
    match board {
        Ok(board) => {
            (view.board, view.trouble, view.from) = (Some(board), None, from);
            view.read_at = surroundings::now();
        }
        Err(reason) => view.trouble = Some(reason.lines().next().unwrap_or_default().to_owned()),
    }
}

fn read_on(source: &Source, wants: &Receiver<()>, news: &SyncSender<Read>) {
    loop {
        let began = Instant::now();
        match news.try_send(source.read(surroundings::now())) {
            // Nobody took the last one yet: this one comes again.
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
        // A slow answer is not asked for all the time.
        let pause = READ_EVERY.max(began.elapsed());
        if let Err(RecvTimeoutError::Disconnected) = wants.recv_timeout(pause) {
            return;
        }
    }
}

/// The terminal, taken over. Given back when this is dropped, also while a panic unwinds.
struct Taken {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Taken {
    fn over() -> io::Result<Taken> {
        // What a panic says must not stand on a screen that goes away.
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            say(panic);
        }));
        enable_raw_mode()?;
        // From here on, whatever fails, it is given back.
        let taken = Terminal::new(CrosstermBackend::new(io::stdout())).map(|terminal| Taken { terminal });
        let mut taken = taken.inspect_err(|_| give_back())?;
        // Nothing is asked of the terminal, such as where its cursor stands: some never answer.
        execute!(taken.terminal.backend_mut(), EnterAlternateScreen, Clear(ClearType::All), cursor::Hide)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// As the shell left it. There is nobody to tell when even that fails.
fn give_back() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

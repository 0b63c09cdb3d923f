//! Connections: as many as there is room for, and none for longer than somebody is answered on it.
//!
//! A client that sends its request byte by byte, reads no answer, or says nothing, holds a connection and what it has sent so
//! far. So one on which nothing could be written for a while is closed: each request is answered in less, and whoever wants more
//! connects again. What comes beyond the bound waits in the kernel.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep_until},
};

/// Connections at a time. Source: ours; half of the files that a process may usually open.
pub(crate) const AT_ONCE: usize = 512;

/// How long one stays on which nothing is written. Source: ours; three times as long as a request may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Takes connections.
pub(crate) struct Connections {
    listener: TcpListener,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Connections {
    /// As many as `at_once`, each for as long as `patience` after it last wrote.
    pub(crate) fn of(listener: TcpListener, at_once: usize, patience: Duration) -> Connections {
        Connections { listener, places: Arc::new(Semaphore::new(at_once)), patience }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // It is never closed, so that there is one at some time.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let timeout = Box::pin(sleep_until(Instant::now() + self.patience));
        (Connection { stream, timeout, patience: self.patience, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One of them.
pub(crate) struct Connection {
    stream: TcpStream,
    timeout: Pin<Box<Sleep>>,
    patience: Duration,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// What waits for the other side waits no longer than that.
    fn in_time<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.timeout.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    fn has_written(&mut self, polled: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.timeout.as_mut().reset(Instant::now() + self.patience);
        }
        self.in_time(polled, cx)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.in_time(polled, cx)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.has_written(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.has_written(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Ipv4Addr, TcpStream},
        thread,
    };

    use axum::{Router, routing::get};

    use super::*;

    /// Serves a page with as much patience; the port.
    fn serving(at_once: usize, patience: Duration) -> u16 {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let connections = Connections::of(TcpListener::from_std(listener).unwrap(), at_once, patience);
                // Larger than what both kernels hold for who does not read.
                let pages = Router::new().route("/", get(|| async { "here" }));
                let pages = pages.route("/large", get(|| async { vec![b'x'; 64 << 20] }));
                axum::serve(connections, pages).await.unwrap();
            });
        });
        port
    }

    fn connect(port: u16) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
    }

    fn ask(mut stream: &TcpStream) -> String {
        write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 1_000];
        let n = stream.read(&mut answer).unwrap_or_default();
        String::from_utf8_lossy(&answer[..n]).into_owned()
    }

    #[test]
    fn who_sends_half_a_request_or_says_nothing_is_let_go() {
        let port = serving(8, Duration::from_millis(200));
        for begun in ["", "GET / HTTP/1.1\r\nHos"] {
            let mut stream = connect(port);
            stream.write_all(begun.as_bytes()).unwrap();
            let mut rest = Vec::new();
            // It ends, with or without a word.
            let _ = stream.read_to_end(&mut rest);
        }
        assert!(ask(&connect(port)).ends_with("here"));
    }

    #[test]
    fn who_drips_a_request_byte_by_byte_is_let_go() {
        let port = serving(8, Duration::from_millis(200));
        let mut stream = connect(port);
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        while stream.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn who_does_not_read_what_was_asked_for_is_let_go() {
        let port = serving(1, Duration::from_millis(200));
        let mut stream = connect(port);
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(ask(&connect(port)).ends_with("here"), "there is one place, and it is free again");
    }

    #[test]
    fn what_is_too_much_waits_until_there_is_a_place() {
        let port = serving(2, Duration::from_secs(600));
        let held = [connect(port), connect(port)];
        assert!(held.iter().all(|stream| ask(stream).ends_with("here")));
        let third = connect(port);
        (&third).write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        third.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!((&third).read(&mut [0; 10]).is_err(), "nobody answers it yet");
        third.set_read_timeout(None).unwrap();
        drop(held);
        assert!(0 < (&third).read(&mut [0; 10]).unwrap());
    }
}

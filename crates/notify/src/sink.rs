//! A web server on this machine that answers what a test wants, and remembers what it was asked.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use alignwatch_model::config;

use crate::Egress;

/// It listens as long as it lives.
pub(crate) struct Sink {
    port: u16,
    asked: mpsc::Receiver<Asked>,
}

/// A request, as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Sink {
    /// Answers these, one a request, in their order; each is the whole answer. Then it closes.
    pub(crate) fn answering<'a>(answers: impl IntoIterator<Item = &'a str>) -> Sink {
        let answers: VecDeque<String> = answers.into_iter().map(str::to_owned).collect();
        Sink::serving(move |listener, asked| {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let Some(request) = read(&mut stream) else { return };
                let answer = with_length(&answer);
                let _ = asked.send(request);
                let _ = stream.write_all(answer.as_bytes());
            }
        })
    }

    /// Does with each connection what the test wants.
    pub(crate) fn serving(serve: impl FnOnce(TcpListener, mpsc::Sender<Asked>) + Send + 'static) -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (asked, requests) = mpsc::channel();
        thread::spawn(move || serve(listener, asked));
        Sink { port, asked: requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// This machine may be called.
    pub(crate) fn egress(&self) -> Egress {
        Egress::of(&config::Egress { allow: vec!["127.0.0.1".into()], ..config::Egress::default() })
    }

    /// The next request. Panics when there is none.
    pub(crate) fn request(&self) -> Asked {
        self.asked.recv_timeout(Duration::from_secs(60)).expect("it was asked")
    }

    /// A request that came already.
    pub(crate) fn next(&self) -> Option<Asked> {
        self.asked.try_recv().ok()
    }

    /// How many requests came besides.
    pub(crate) fn n_more(&self) -> usize {
        self.asked.try_iter().count()
    }
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// The answer with the length of its body and an end of the connection.
fn with_length(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Reads one request; `None` when the connection broke before.
pub(crate) fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { line: line.trim_end().to_owned(), headers, body })
}

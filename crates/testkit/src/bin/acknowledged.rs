//! Reports events to a daemon as quickly as it acknowledges them: `acknowledged PORT SECONDS CONNECTIONS EVENTS_A_REQUEST`.
//!
//! Each connection sends one request after the other and waits for each answer. Runs have ten events each. Prints one JSON
//! object; anything but 202 ends it. For `bench/answers`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a command of the workshop, not of the product")]

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alignwatch_model::run::{Moment, RunId, event::SCHEMA};

/// Events of one run.
const EVENTS_A_RUN: u64 = 10;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse().unwrap()).collect();
    let [port, seconds, connections, batch] = numbers[..] else { panic!("PORT SECONDS CONNECTIONS EVENTS_A_REQUEST") };
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let client = |number: u64| thread::spawn(move || reported(port as u16, Client { number, now }, batch, until));
    let clients: Vec<_> = (0..connections).map(client).collect();
    let mut took: Vec<f64> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let seconds = began.elapsed().as_secs_f64();
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    println!(
        "{{\"events\": {}, \"seconds\": {seconds:.3}, \"p50_seconds\": {:.6}, \"p99_seconds\": {:.6}}}",
        took.len() as u64 * batch,
        at(0.5),
        at(0.99)
    );
}

/// Who reports, since when (milliseconds since 1970).
#[derive(Clone, Copy)]
struct Client {
    number: u64,
    now: u64,
}

/// Seconds of each request of one connection.
fn reported(port: u16, client: Client, batch: u64, until: Instant) -> Vec<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut answer, mut n) = (Vec::new(), Vec::new(), 0);
    while Instant::now() < until {
        let events: Vec<String> = (n..n + batch).map(|number| event(client, number)).collect();
        n += batch;
        let body = if batch == 1 { events.concat() } else { format!("[{}]", events.join(",")) };
        let mut request = String::new();
        let head = "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        write!(request, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let began = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        accepted(&mut stream, &mut answer);
        took.push(began.elapsed().as_secs_f64());
    }
    took
}

/// One event as JSON, made by hand: what it costs is taken from the daemon, which has the same processors.
///
/// Ids of runs begin with the time at which they began: here, one a millisecond and client.
fn event(client: Client, number: u64) -> String {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&(client.number as u16).to_be_bytes());
    let at = client.now + number / EVENTS_A_RUN;
    let run = RunId::from_parts(at, random);
    let what = match number % EVENTS_A_RUN {
        0 => r#""type":"started","data":{"workflow":"measured"}"#,
        9 => r#""type":"finished","data":{"outcome":"aligned"}"#,
        _ => r#""type":"heartbeat","data":{}"#,
    };
    let (schema, at) = (SCHEMA, Moment(at as i64));
    format!(r#"{{"schema":"{schema}","id":"{}-{number}","run":"{run}","at":"{at}",{what}}}"#, client.number)
}

/// Reads one answer to its end: the bytes behind its head are as many as it says.
fn accepted(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    let mut room = [0; 4096];
    loop {
        let n = stream.read(&mut room).unwrap();
        assert!(0 < n, "the daemon hung up");
        answer.extend(&room[..n]);
        if let Some(at) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = str::from_utf8(&answer[..at]).unwrap();
            assert!(head.starts_with("HTTP/1.1 202"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if at + 4 + length.parse::<usize>().unwrap() <= answer.len() {
                return;
            }
        }
    }
}

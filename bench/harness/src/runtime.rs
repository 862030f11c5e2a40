//! The Lambda Runtime API (2018-06-01) for one function process, on loopback.
//!
//! One thread, one `poll` and prepared event bytes keep the costs of the emulator low in comparison
//! with those of the function.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Failure;

/// Maximum time until the next message of the function.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time limit of one invocation.
const DEADLINE: Duration = Duration::from_secs(15);

/// Message from the function.
pub struct Call {
    pub what: What,
    /// Time at which its last byte was read.
    pub at: Instant,
    connection: usize,
}

pub enum What {
    Next,
    Response { id: String, body: Vec<u8> },
}

/// Event as a complete HTTP response, with placeholders for the values of each invocation.
#[derive(Clone)]
pub struct Event {
    bytes: Vec<u8>,
    id_at: usize,
    deadline_at: usize,
}

impl Event {
    pub fn new(body: &str) -> Self {
        let head = "HTTP/1.1 200 OK\r\n\
            Content-Type: application/json\r\n\
            Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:bench\r\n\
            Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n\
            Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-";
        let id_at = head.len();
        let middle = "000000000000\r\nLambda-Runtime-Deadline-Ms: ";
        let deadline_at = id_at + middle.len();
        let tail = format!("0000000000000\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Self { bytes: [head, middle, &tail].concat().into_bytes(), id_at, deadline_at }
    }
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

pub struct Runtime {
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    invocation: u64,
}

impl Runtime {
    pub fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { listener, connections: Vec::new(), invocation: 0 })
    }

    pub fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers the waiting `/next` with `event` and returns the time of sending.
    pub fn invoke(&mut self, next: &Call, event: &mut Event) -> Result<Instant, Failure> {
        self.invocation += 1;
        let id = format!("{:012}", self.invocation);
        event.bytes[event.id_at..event.id_at + 12].copy_from_slice(id.as_bytes());
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH)? + DEADLINE;
        let deadline = format!("{:013}", deadline.as_millis());
        event.bytes[event.deadline_at..event.deadline_at + 13].copy_from_slice(deadline.as_bytes());
        let sent = Instant::now();
        self.write(next.connection, &event.bytes)?;
        Ok(sent)
    }

    /// Accepts a response, as Lambda does before the function requests the next event.
    pub fn accept(&mut self, response: &Call) -> Result<(), Failure> {
        self.write(
            response.connection,
            b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n",
        )
    }

    /// Returns the ID of the current invocation.
    pub fn current_id(&self) -> String {
        format!("8476a536-e9f4-11e8-9739-{:012}", self.invocation)
    }

    /// Waits for the next message of the function.
    pub fn wait(&mut self, child: &mut Child) -> Result<Call, Failure> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let ready = self.poll()?;
            if ready.is_empty() {
                if let Some(status) = child.try_wait()? {
                    return Err(format!("the function ended: {status}").into());
                }
                if Instant::now() > give_up {
                    return Err("the function said nothing for 10 s".into());
                }
            }
            for index in ready {
                let Some(index) = index else {
                    let (stream, _) = self.listener.accept()?;
                    stream.set_nodelay(true)?;
                    self.connections.push(Some(Connection { stream, read: Vec::new() }));
                    continue;
                };
                if let Some(call) = self.read(index)? {
                    return Ok(call);
                }
            }
        }
    }

    /// Returns the readable connections. `None` is the listener.
    fn poll(&self) -> Result<Vec<Option<usize>>, Failure> {
        let mut owners = vec![None];
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        for (index, connection) in self.connections.iter().enumerate() {
            if let Some(connection) = connection {
                owners.push(Some(index));
                fds.push(PollFd::new(connection.stream.as_fd(), PollFlags::POLLIN));
            }
        }
        poll(&mut fds, PollTimeout::from(100u8))?;
        let ready = fds.iter().zip(owners).filter(|(fd, _)| fd.any().unwrap_or(false));
        Ok(ready.map(|(_, owner)| owner).collect())
    }

    fn read(&mut self, index: usize) -> Result<Option<Call>, Failure> {
        let Some(connection) = self.connections[index].as_mut() else { return Ok(None) };
        let mut chunk = [0; 16 * 1024];
        let count = connection.stream.read(&mut chunk).unwrap_or(0);
        let at = Instant::now();
        if count == 0 {
            self.connections[index] = None;
            return Ok(None);
        }
        connection.read.extend_from_slice(&chunk[..count]);
        let Some((request, body)) = http_request(&connection.read)? else { return Ok(None) };
        let what = classify(&request, body)?;
        connection.read.clear();
        Ok(Some(Call { what, at, connection: index }))
    }

    fn write(&mut self, index: usize, bytes: &[u8]) -> Result<(), Failure> {
        let connection = self.connections.get_mut(index).and_then(Option::as_mut);
        connection.ok_or("the function hung up")?.stream.write_all(bytes)?;
        Ok(())
    }
}

fn classify(request: &str, body: Vec<u8>) -> Result<What, Failure> {
    const BASE: &str = "/2018-06-01/runtime/";
    let path = request.split(' ').nth(1).and_then(|path| path.strip_prefix(BASE));
    let path = path.ok_or_else(|| format!("not a Runtime API call: {request}"))?;
    if path == "invocation/next" {
        return Ok(What::Next);
    }
    let invocation = path.strip_prefix("invocation/");
    if let Some(id) = invocation.and_then(|rest| rest.strip_suffix("/response")) {
        return Ok(What::Response { id: id.to_owned(), body });
    }
    // `/error` and `/init/error` end the run, because a failed function is not measured.
    Err(format!("the function reported {path}: {}", String::from_utf8_lossy(&body)).into())
}

/// Returns the request line and body of one HTTP/1.1 request if it is complete.
pub fn http_request(bytes: &[u8]) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end])?;
    let rest = &bytes[end + 4..];
    let header = |wanted: &str| {
        head.lines().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let body = if header("transfer-encoding").is_some_and(|value| value == "chunked") {
        unchunk(rest)?
    } else {
        let length = header("content-length").map_or(Ok(0), str::parse::<usize>)?;
        rest.get(..length).map(<[u8]>::to_vec)
    };
    let request = head.lines().next().unwrap_or_default();
    Ok(body.map(|body| (request.to_owned(), body)))
}

fn unchunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end])?.trim(), 16)?;
        let Some(chunk) = rest.get(end + 2..end + 4 + size) else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&chunk[..size]);
        rest = &rest[end + 4 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::http_request;

    fn body(bytes: &[u8]) -> Option<Vec<u8>> {
        http_request(bytes).unwrap().map(|(_, body)| body)
    }

    #[test]
    fn request_body_is_returned_once_it_is_complete() {
        let whole = b"POST /x HTTP/1.1\r\ncontent-LENGTH: 3\r\n\r\nabc";
        assert_eq!(body(&whole[..whole.len() - 1]), None);
        assert_eq!(body(whole), Some(b"abc".to_vec()));
        assert_eq!(body(b"GET / HTTP/1.1\r\n\r\n"), Some(Vec::new()));
    }

    #[test]
    fn chunks_of_a_body_are_joined() {
        let whole =
            b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(body(&whole[..whole.len() - 1]), None);
        assert_eq!(body(whole), Some(b"abc".to_vec()));
    }

    #[test]
    fn event_has_placeholders_for_its_id_and_deadline() {
        let event = super::Event::new("{}");
        assert_eq!(&event.bytes[event.id_at..event.id_at + 14], b"000000000000\r\n");
        assert_eq!(&event.bytes[event.deadline_at..event.deadline_at + 15], b"0000000000000\r\n");
    }
}

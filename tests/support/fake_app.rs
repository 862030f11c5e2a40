//! An app that is asked about callers: raw HTTP/1.1 on a real socket, with every byte remembered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::lock;

/// A response, byte for byte or in one of the ways that a peer can fail.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes after this long.
    Late(Duration, Vec<u8>),
    /// These bytes, and then the end of the connection.
    Close(Vec<u8>),
    /// A reset in place of a response.
    Reset,
    /// Nothing, ever.
    Hang,
    /// These bytes one at a time, every 50 ms.
    Drip(Vec<u8>),
    /// These bytes, and then blanks without end.
    Endless(Vec<u8>),
}

impl Say {
    /// A response with this status and body, complete with its length.
    pub(crate) fn status(status: u16, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
        let rest = match status {
            204 | 304 => "\r\n".to_owned(),
            _ => format!("content-length: {length}\r\n\r\n{body}"),
        };
        Self::Bytes((head + &rest).into_bytes())
    }

    /// 200 with this body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::status(200, body)
    }
}

/// Serves until dropped.
pub(crate) struct FakeApp {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// The answer to requests for a target.
type SayTo = dyn Fn(&str) -> Say + Send;

struct Shared {
    say: Mutex<Box<SayTo>>,
    asked: Mutex<Vec<String>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

impl FakeApp {
    /// Says the same to every request.
    pub(crate) fn saying(say: Say) -> Self {
        Self::start(move |_| say.clone())
    }

    /// Says to each target (path with query) what `say` returns for it.
    pub(crate) fn start(say: impl Fn(&str) -> Say + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            say: Mutex::new(Box::new(say)),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serving.is_over.load(Ordering::Relaxed) {
                    return;
                }
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The host and port.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Says this from now on.
    pub(crate) fn say(&self, say: Say) {
        *lock(&self.shared.say) = Box::new(move |_| say.clone());
    }

    /// The heads of all requests so far, byte for byte.
    pub(crate) fn heads(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// The targets of all requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        let target = |head: &String| head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.heads().iter().map(target).collect()
    }

    /// The number of requests so far.
    pub(crate) fn count(&self) -> usize {
        lock(&self.shared.asked).len()
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for FakeApp {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        while let Some(head) = read_head(&mut stream) {
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            lock(&self.asked).push(head);
            let say = (lock(&self.say))(&target);
            // The last byte of the head, which resets the connection if it stays unread.
            if !matches!(say, Say::Reset) && stream.read_exact(&mut [0; 1]).is_err() {
                return;
            }
            let goes_on = match say {
                Say::Bytes(bytes) => stream.write_all(&bytes).is_ok(),
                Say::Late(wait, bytes) => {
                    std::thread::sleep(wait);
                    stream.write_all(&bytes).is_ok()
                }
                Say::Close(bytes) => {
                    let _ = stream.write_all(&bytes);
                    false
                }
                Say::Reset => false,
                Say::Hang => {
                    let _ = stream.read(&mut [0; 64]);
                    let _ = stream.read(&mut [0; 1]);
                    false
                }
                Say::Drip(bytes) => bytes.iter().all(|byte| {
                    std::thread::sleep(Duration::from_millis(50));
                    stream.write_all(&[*byte]).is_ok()
                }),
                Say::Endless(bytes) => {
                    let mut is_open = stream.write_all(&bytes).is_ok();
                    while is_open {
                        is_open = stream.write_all(&[b' '; 4096]).is_ok();
                    }
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }
}

/// Reads a head up to its last byte, which stays unread.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    loop {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r") {
            stream.peek(&mut byte).ok()?;
            head.push(b'\n');
            return String::from_utf8(head).ok();
        }
    }
}

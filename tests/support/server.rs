//! A real HTTP server on loopback that can stop and listen again on the same port.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};

/// Serves until dropped, on a thread of its own, so that a test may block.
pub(crate) struct Server {
    address: SocketAddr,
    router: Router,
    state: Mutex<Option<State>>,
}

enum State {
    Up(Runtime),
    /// The port stays bound without a listener, so that connections are refused and no other test
    /// gets the port.
    Down(TcpSocket),
}

impl Server {
    /// Starts to serve `handler` on a free port.
    pub(crate) fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().unwrap();
        let router = Router::new().fallback(handler);
        let state = Mutex::new(Some(serve(socket, router.clone())));
        Self { address, router, state }
    }

    /// The address of the listener.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes every connection and refuses new ones.
    pub(crate) fn down(&self) {
        let mut state = lock(&self.state);
        match state.take() {
            Some(State::Up(runtime)) => {
                runtime.shutdown_background();
                *state = Some(State::Down(self.park()));
            }
            other => *state = other,
        }
    }

    /// Listens again.
    pub(crate) fn up(&self) {
        let mut state = lock(&self.state);
        match state.take() {
            Some(State::Down(socket)) => *state = Some(serve(socket, self.router.clone())),
            other => *state = other,
        }
    }

    /// Binds the port, which is possible after the old listener is closed.
    fn park(&self) -> TcpSocket {
        for _ in 0..500 {
            if let Ok(socket) = bind(self.address) {
                return socket;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{} is still in use", self.address);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(Some(State::Up(runtime))) = self.state.get_mut().map(Option::take) {
            runtime.shutdown_background();
        }
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn serve(socket: TcpSocket, router: Router) -> State {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let entered = runtime.enter();
    let listener = socket.listen(1024).expect("the port is ours");
    runtime.spawn(async move { axum::serve(listener, router).await });
    drop(entered);
    State::Up(runtime)
}

/// Locks `state`, even if a test failed while it was locked.
pub(crate) fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Connections on which nothing is asked for are closed: also those that stop in the middle of a request, or do
//! not take the answer to one, which the server's own timers let pass.

use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use actix_service::{IntoServiceFactory, Service, ServiceFactory, apply_fn_factory};
use actix_web::rt::net::TcpStream;
use tokio::time::{Instant, sleep_until};

/// Longer than a connection is kept alive for another request: its proper end comes first.
const IDLE_MAX: Duration = Duration::from_secs(90);

tokio::task_local! {
    static CONNECTION: Connection;
}

/// What is known of the connection that a task serves.
#[derive(Clone)]
struct Connection(Rc<State>);

struct State {
    requests: Cell<usize>,
    since: Cell<Instant>,
}

/// While it is held, a request is being handled.
pub struct Busy(Option<Connection>);

/// A request has come in on the connection this task serves.
pub fn busy() -> Busy {
    let connection = CONNECTION.try_with(Clone::clone).ok();
    if let Some(Connection(state)) = &connection {
        state.requests.set(state.requests.get() + 1);
    }
    Busy(connection)
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(Connection(state)) = &self.0 {
            state.requests.set(state.requests.get() - 1);
            state.since.set(Instant::now());
        }
    }
}

impl Connection {
    fn new() -> Self {
        Self(Rc::new(State { requests: Cell::new(0), since: Cell::new(Instant::now()) }))
    }

    /// Returns when there has been no request for too long.
    async fn idle(self) {
        loop {
            let now = Instant::now();
            let end = if self.0.requests.get() > 0 { now } else { self.0.since.get() } + IDLE_MAX;
            if end <= now {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// Serves a connection until it has been idle for too long.
async fn until_idle<T>(serving: impl Future<Output = T>) -> Option<T> {
    let connection = Connection::new();
    let served = CONNECTION.scope(connection.clone(), serving);
    tokio::select! {
        served = served => Some(served),
        () = connection.idle() => {
            tracing::debug!("a connection on which nothing was asked for is closed");
            None
        }
    }
}

/// A service for connections, with an end to idle ones.
pub fn closed<F>(
    connections: F,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = F::Error, InitError = F::InitError>
where
    F: ServiceFactory<TcpStream, Config = (), Response = ()>,
{
    apply_fn_factory(connections.into_factory(), |stream: TcpStream, serving: &F::Service| {
        let served = until_idle(serving.call(stream));
        async move { served.await.unwrap_or(Ok(())) }
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_for_is_closed_in_time() {
        let began = Instant::now();
        assert_eq!(until_idle(pending::<()>()).await, None);
        assert_eq!(began.elapsed(), IDLE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_long_is_not_cut_off_and_the_time_counts_from_its_end() {
        let began = Instant::now();
        let serving = async {
            let request = busy();
            sleep(IDLE_MAX * 5).await;
            drop(request);
            pending::<()>().await;
        };
        assert_eq!(until_idle(serving).await, None);
        assert_eq!(began.elapsed(), IDLE_MAX * 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_been_served_is_served() {
        let serving = async {
            sleep(IDLE_MAX / 2).await;
            drop(busy());
            sleep(IDLE_MAX / 2).await;
            7
        };
        assert_eq!(until_idle(serving).await, Some(7));
    }
}

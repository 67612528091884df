//! How a page calls what it also calls by itself, when something changed.

use futures::{Sink, Stream};
use leptos::server_fn::{
    Bytes,
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    request::browser::BrowserRequest,
    response::browser::BrowserResponse,
};

use super::wire::{Answer, Caller};
use crate::ui::host;

/// The header of a request that a page made while nobody had touched it for a while.
pub const UNATTENDED: &str = "x-unattended";

/// The client of such server functions: it says where nobody seems to be there, so that a page that is left open does
/// not keep its session alive.
pub struct LiveClient;

fn note(request: &BrowserRequest) {
    if !host::is_attended() {
        request.headers().set(UNATTENDED, "1");
    }
}

impl Caller for LiveClient {
    fn call(request: BrowserRequest) -> Answer {
        note(&request);
        BrowserClient::call(request)
    }
}

type Sent<E> = Result<BrowserResponse, E>;

impl<E, I, O> Client<E, I, O> for LiveClient
where
    E: FromServerFnError,
    I: FromServerFnError,
    O: FromServerFnError,
{
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    fn send(request: BrowserRequest) -> impl Future<Output = Sent<E>> + Send {
        note(&request);
        <BrowserClient as Client<E, I, O>>::send(request)
    }

    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<
            (impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static, impl Sink<Bytes> + Send + 'static),
            E,
        >,
    > + Send {
        <BrowserClient as Client<E, I, O>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E, I, O>>::spawn(future);
    }
}

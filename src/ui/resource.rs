//! What pages load.

use std::{future::Future, pin::Pin};

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

/// JSON, read from bytes as the answers of server functions are: one reader for both halves what each type weighs in
/// the browser.
pub struct Json;

impl<T: Serialize> Encoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, serde_json::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for Json {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, serde_json::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}

/// What a page loads.
pub type Loaded<T> = Resource<T, Json>;

type Loading<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Loads with `fetcher`, and again whenever `source` gives another value. On the server the page waits for it, and its
/// value comes with the page.
///
/// Boxed, so that what loads the same from several pages is compiled once.
pub fn load<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetcher: impl Fn(S) -> F + Send + Sync + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let source: Box<dyn Fn() -> S + Send + Sync> = Box::new(source);
    let fetcher: Box<dyn Fn(S) -> Loading<T> + Send + Sync> =
        Box::new(move |asked| Box::pin(fetcher(asked)) as Loading<T>);
    Resource::new_with_options(source, fetcher, false)
}

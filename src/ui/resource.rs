//! What pages load.

use std::{
    any::Any,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use super::stale::Stale;
use crate::shared::{Problem, wire};

/// What a page loads, or why it could not be had.
///
/// A `Resource` that does not know what it holds: Leptos' machinery is some 6 KB of WASM for each type, and of one type it
/// is compiled, fetched and prepared by the browser once for all of them.
pub struct Loaded<T> {
    kept: Resource<Kept, Json>,
    place: Place,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

type Loading<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Loads with `fetcher`, and again whenever `source` gives another value. On the server the page waits for it, and its
/// value comes with the page.
pub fn load<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetcher: impl Fn(S) -> F + Send + Sync + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    load_again(source, || (), fetcher)
}

/// The same, and anew whenever `again` gives another value. That is the same thing: where it cannot be had for the moment,
/// what stood there stays, and the page says so (`Stale`).
pub fn load_again<S, V, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    again: impl Fn() -> V + Send + Sync + 'static,
    fetcher: impl Fn(S) -> F + Send + Sync + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    V: PartialEq + Send + Sync + 'static,
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let place = Place::new();
    let source: Box<dyn Fn() -> Wanted + Send + Sync> = Box::new(move || {
        let (what, again) = (Asked(Arc::new(source())), Asked(Arc::new(again())));
        Wanted { what, again, tries: place.tries.try_get().unwrap_or_default() }
    });
    let fetcher: Box<dyn Fn(Asked) -> Loading<Kept> + Send + Sync> = Box::new(move |Asked(asked)| {
        let loading = asked.as_any().downcast_ref::<S>().map(|asked| fetcher(asked.clone()));
        Box::pin(async move {
            Kept::new(match loading {
                Some(loading) => loading.await,
                None => Err(unreadable()),
            })
        })
    });
    Loaded { kept: place.resource(source, fetcher), place, of: PhantomData }
}

/// Where an answer stands on the page.
#[derive(Clone, Copy)]
struct Place {
    /// Whether what stands there stays where the next answer is a refusal, whatever that says.
    stays: StoredValue<bool>,
    /// Whether what stands there is from before: the last answer was a refusal.
    is_old: StoredValue<bool>,
    /// How many answers are on their way.
    under_way: StoredValue<u32>,
    /// The last that could be had, and what it is of: what comes with the page is of what is asked for first.
    last: StoredValue<Option<Kept>>,
    last_of: StoredValue<Option<Asked>>,
    /// Rises each time somebody tries again.
    tries: RwSignal<u32>,
    stale: Option<Stale>,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            stays: StoredValue::new(false),
            is_old: StoredValue::new(false),
            under_way: StoredValue::new(0),
            last: StoredValue::new(None),
            last_of: StoredValue::new(None),
            tries: RwSignal::new(0),
            stale: use_context(),
        };
        on_cleanup(move || place.stale.into_iter().for_each(|stale| stale.forget(place.tries)));
        place
    }

    /// The resource, of one type for all that is loaded.
    fn resource(
        self,
        source: Box<dyn Fn() -> Wanted + Send + Sync>,
        fetcher: Box<dyn Fn(Asked) -> Loading<Kept> + Send + Sync>,
    ) -> Resource<Kept, Json> {
        let source = move || {
            let wanted = source();
            if self.last_of.try_with_value(Option::is_none) == Some(true) {
                self.last_of.set_value(Some(wanted.what.clone()));
            }
            wanted
        };
        let fetcher = move |Wanted { what, .. }: Wanted| {
            let stays = self.stays.try_update_value(std::mem::take).unwrap_or_default();
            let is_same = self.last_of.try_with_value(|of| of.as_ref() == Some(&what)) == Some(true);
            let before = self.last.try_get_value().flatten().filter(|_| is_same);
            let loading = fetcher(what.clone());
            async move {
                // What came with the page is not waited for, and some answers are not any more.
                let on_its_way = OnItsWay::begin(self.under_way);
                let answer = loading.await;
                drop(on_its_way);
                let Some(problem) = answer.problem().cloned() else {
                    let _ = self.last_of.try_set_value(Some(what));
                    self.note(&answer);
                    self.mend();
                    return answer;
                };
                match before {
                    Some(before) if stays || (may_pass(&problem) && self.hold(&problem)) => {
                        let _ = self.is_old.try_set_value(true);
                        before
                    }
                    _ => {
                        self.mend();
                        answer
                    }
                }
            }
        };
        Resource::new_with_options(source, fetcher, false)
    }

    /// This stands there.
    fn note(self, kept: &Kept) {
        if kept.is_good() {
            let _ = self.last.try_set_value(Some(kept.clone()));
        }
    }

    /// Tells that what stands there could not be read anew. `false` where the page has been left, or tells of nothing.
    fn hold(self, problem: &Problem) -> bool {
        let is_there = self.last.try_with_value(|_| ()).is_some();
        let stale = self.stale.filter(|_| is_there);
        stale.into_iter().for_each(|stale| stale.hold(self.tries, problem));
        stale.is_some()
    }

    /// What stands there is so now.
    fn mend(self) {
        let _ = self.is_old.try_set_value(false);
        self.stale.into_iter().for_each(|stale| stale.mended(self.tries));
    }
}

/// Counts one that is waited for.
struct OnItsWay(StoredValue<u32>);

impl OnItsWay {
    fn begin(count: StoredValue<u32>) -> Self {
        let _ = count.try_update_value(|count| *count += 1);
        Self(count)
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let _ = self.0.try_update_value(|count| *count = count.saturating_sub(1));
    }
}

/// Whether what could not be had may be had later, or once one has signed in again.
fn may_pass(problem: &Problem) -> bool {
    matches!(problem.status, 401 | 408 | 429 | 500..=599)
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Loaded<T> {
    /// What is there; none while the first answer is awaited. Tracked.
    pub fn get(self) -> Option<Result<T, Problem>> {
        self.kept.get().map(|kept| kept.read().clone())
    }

    pub fn get_untracked(self) -> Option<Result<T, Problem>> {
        self.kept.get_untracked().map(|kept| kept.read().clone())
    }

    /// The same, looked at in its place. Tracked.
    pub fn with<R>(self, look: impl FnOnce(Option<&Result<T, Problem>>) -> R) -> R {
        look(self.kept.get().as_ref().map(Kept::read))
    }

    pub fn with_untracked<R>(self, look: impl FnOnce(Option<&Result<T, Problem>>) -> R) -> R {
        look(self.kept.get_untracked().as_ref().map(Kept::read))
    }

    /// Puts an answer that came by another way in its place. While one is on its way, which that would throw away, another is
    /// asked for after it.
    pub fn put(self, answer: Result<T, Problem>) {
        if self.place.under_way.get_value() > 0 {
            return self.refresh();
        }
        let kept = Kept::new(answer);
        self.place.note(&kept);
        self.place.mend();
        self.kept.set(Some(kept));
    }

    /// Whether what stands there is from before: it could not be read anew since.
    pub fn is_old(self) -> bool {
        self.place.is_old.try_get_value() == Some(true)
    }

    /// What stands there was found to be so still, by another way.
    pub fn is_still_so(self) {
        self.place.mend();
    }

    /// Loads it again. What stood there stays until then.
    pub fn refetch(self) {
        self.kept.refetch();
    }

    /// The same, unasked: what stands there stays where it is refused, too. A busy moment of the server takes no page away.
    pub fn refresh(self) {
        if let Some(stands) = self.kept.get_untracked().filter(Kept::is_good) {
            self.place.note(&stands);
            self.place.stays.set_value(true);
        }
        self.kept.refetch();
    }
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> IntoFuture for Loaded<T> {
    type Output = Result<T, Problem>;
    type IntoFuture = Loading<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let kept = self.kept.into_future();
        Box::pin(async move {
            let kept = kept.await;
            self.place.note(&kept);
            kept.read::<T>().clone()
        })
    }
}

/// How the text of a refusal begins.
const REFUSED: &str = "{\"Err\"";

/// An answer whose type only its reader knows.
#[derive(Clone)]
struct Kept(Arc<Answer>);

struct Answer {
    /// As JSON: what a page brings with it.
    text: String,
    /// Why it could not be had. Of one that came with a page, its text says so.
    problem: Option<Problem>,
    /// The value. Of one that came with a page, from when it is first read.
    value: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Kept {
    fn new<T: Serialize + Send + Sync + 'static>(answer: Result<T, Problem>) -> Self {
        // Only servers write pages.
        let text = if cfg!(feature = "ssr") { serde_json::to_string(&answer) } else { Ok(String::new()) };
        let problem = answer.as_ref().err().cloned();
        let value: Box<dyn Any + Send + Sync> = Box::new(answer);
        // What cannot be written is read as what it is not, and says so.
        Self(Arc::new(Answer { text: text.unwrap_or_default(), problem, value: OnceLock::from(value) }))
    }

    fn problem(&self) -> Option<&Problem> {
        self.0.problem.as_ref()
    }

    /// Whether it could be had.
    fn is_good(&self) -> bool {
        self.0.problem.is_none() && !self.0.text.starts_with(REFUSED)
    }

    fn read<T: DeserializeOwned + Send + Sync + 'static>(&self) -> &Result<T, Problem> {
        let value = self.0.value.get_or_init(|| {
            let answer: Result<Result<T, Problem>, Problem> = wire::read(&self.0.text);
            Box::new(answer.unwrap_or_else(|_| Err(unreadable())))
        });
        value.downcast_ref().unwrap_or_else(|| unreachable!("a page loads one type in one place"))
    }
}

fn unreadable() -> Problem {
    Problem::new(500, "What the server sent cannot be read. Reload the page.")
}

/// JSON, as the answers of server functions are.
struct Json;

impl Encoder<Kept> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(kept: &Kept) -> Result<String, serde_json::Error> {
        Ok(kept.0.text.clone())
    }
}

impl Decoder<Kept> for Json {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<Kept, serde_json::Error> {
        Ok(Kept(Arc::new(Answer { text: text.to_owned(), problem: None, value: OnceLock::new() })))
    }
}

/// What is asked for: it is loaded again where this is another.
#[derive(Clone, PartialEq)]
struct Wanted {
    /// Where this is another, what stood there is of something else.
    what: Asked,
    again: Asked,
    tries: u32,
}

/// A value whose type only its reader knows, too.
#[derive(Clone)]
struct Asked(Arc<dyn Ask>);

trait Ask: Send + Sync {
    fn is(&self, other: &dyn Ask) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<S: PartialEq + Send + Sync + 'static> Ask for S {
    fn is(&self, other: &dyn Ask) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&*other.0)
    }
}

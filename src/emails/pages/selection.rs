//! Which messages of the list are chosen, and what is done to them together.

use std::collections::HashMap;

use leptos::{prelude::*, task::spawn_local};

use super::{
    kept::{KeptChoice, use_kept_choice},
    notes::{Notes, use_notes},
    query::ListQuery,
    table::subject_of,
};
use crate::{
    emails::{
        api::{correct_many, decide_many, reprocess_many, send_again_many, take_back},
        dto::{Decision, Email, EmailFilter, WordsDone},
    },
    shared::{EmailId, IntentId, Problem, TenantId, WordId},
    ui::{
        react::effect,
        toast::{Toasts, use_toasts},
    },
};

/// What a person says of messages.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// With a note, which may be empty.
    Decide(Decision, String),
    RunAgain,
    /// They have this intent, by id and name, or none.
    Correct(Option<(IntentId, String)>),
    /// What was given up of them.
    SendAgain,
}

impl Word {
    /// A decision of which nothing more is to be said.
    pub fn decide(decision: Decision) -> Self {
        Self::Decide(decision, String::new())
    }

    /// What was done to so many, as a notice says it.
    fn done(&self, count: usize) -> String {
        let messages = messages(count);
        match self {
            Self::Decide(Decision::Accepted, _) => format!("{messages} accepted."),
            Self::Decide(Decision::Rejected, _) => format!("{messages} rejected."),
            Self::Decide(Decision::Review, _) => format!("{messages} put up for review."),
            Self::RunAgain => format!("{messages} run again."),
            Self::Correct(Some((_, name))) => format!("{messages} moved to {name}."),
            Self::Correct(None) => format!("{messages} without an intent now."),
            Self::SendAgain => format!("What was given up of {messages} is on its way again."),
        }
    }

    /// What is being done to so many, as it is told while that takes its time.
    fn doing(&self, count: usize) -> String {
        let messages = messages(count);
        match self {
            Self::Decide(Decision::Accepted, _) => format!("Accepting {messages}"),
            Self::Decide(Decision::Rejected, _) => format!("Rejecting {messages}"),
            Self::Decide(Decision::Review, _) => format!("Putting {messages} up for review"),
            Self::RunAgain => format!("Running {messages} again"),
            Self::Correct(_) => format!("Setting the intent of {messages}"),
            Self::SendAgain => format!("Sending again what was given up of {messages}"),
        }
    }

    /// What is said of it once it was taken back. Not what was done: that is so no more.
    fn taken_back(&self, count: usize) -> String {
        let mut words = self.doing(count);
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        format!("Taken back: {words}.")
    }

    /// Empty where there is none.
    fn note(&self) -> String {
        match self {
            Self::Decide(_, note) => note.clone(),
            Self::RunAgain | Self::Correct(_) | Self::SendAgain => String::new(),
        }
    }

    async fn say(
        &self,
        tenant: TenantId,
        ids: Vec<EmailId>,
        fitting: Option<EmailFilter>,
    ) -> Result<WordsDone, Problem> {
        match self {
            Self::Decide(decision, note) => decide_many(tenant, ids, fitting, *decision, note.clone()).await,
            Self::RunAgain => reprocess_many(tenant, ids, fitting).await,
            Self::Correct(intent) => {
                correct_many(tenant, ids, fitting, intent.as_ref().map(|(id, _)| *id)).await
            }
            Self::SendAgain => send_again_many(tenant, ids, fitting).await,
        }
    }
}

pub fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// What is being said of a message, and the last of what was said of it meanwhile: that is said once the first is answered.
struct Turn {
    number: u32,
    word: Word,
    next: Option<Asked>,
}

/// A word whose turn is to come. Its number is drawn when it is asked for: it may be unwanted before its turn.
struct Asked {
    number: u32,
    tenant: TenantId,
    word: Word,
    ended: Box<dyn FnOnce(Vec<EmailId>, bool) + Send + Sync>,
}

/// By message, in this tab: who leaves a message and comes back to it speaks after what they said before.
#[derive(Clone, Default)]
pub struct Turns(ArcRwSignal<HashMap<EmailId, Turn>>);

impl Turns {
    /// With them, what is on its way, and what is chosen.
    pub fn provide() {
        provide_context(Self::default());
        provide_context(Progress::new());
        KeptChoice::provide();
    }

    fn begin(&self, email: EmailId, number: u32, word: Word) {
        self.0.update(|turns| {
            turns.insert(email, Turn { number, word, next: None });
        });
    }

    /// Gives what waits behind it.
    fn end(&self, email: EmailId) -> Option<Asked> {
        self.0.try_update(|turns| turns.remove(&email)).flatten()?.next
    }

    /// The word that is being said, and its number.
    fn word(&self, email: EmailId) -> Option<(u32, Word)> {
        self.0.with_untracked(|turns| turns.get(&email).map(|turn| (turn.number, turn.word.clone())))
    }

    /// Puts another behind it, or none. Gives the one that was there.
    fn put_next(&self, email: EmailId, next: Option<Asked>) -> Option<Asked> {
        self.0.try_update(|turns| std::mem::replace(&mut turns.get_mut(&email)?.next, next)).flatten()
    }
}

/// Says words of messages, tells what came of it, and offers to take it back. What is on its way outlives the page, and
/// holds nothing of it: the keys of a page that was left must not be heard.
#[derive(Clone, Copy)]
pub struct Words {
    news: News,
    turns: StoredValue<Turns>,
}

impl Words {
    pub fn new() -> Self {
        let (toasts, notes) = (use_toasts(), use_notes());
        let turns: Option<Turns> = use_context();
        let Progress { ended, under_way, have_run, offered } = use_context().unwrap_or_else(Progress::new);
        Self {
            news: News { toasts, notes, kept: use_kept_choice(), ended, under_way, have_run, offered },
            turns: StoredValue::new(turns.unwrap_or_default()),
        }
    }

    /// Rises with each word that was said or taken back in this tenant. Tracked.
    pub fn version(self, tenant: &TenantId) -> u32 {
        self.news
            .ended
            .read()
            .iter()
            .find(|(of, _)| of == tenant)
            .map(|(_, ended)| *ended)
            .unwrap_or_default()
    }

    /// Whether a word is on its way in this tenant: what one hears of meanwhile may be one's own.
    pub fn is_under_way(self, tenant: &TenantId) -> bool {
        self.news.under_way.read_untracked().iter().any(|under_way| under_way.tenant == *tenant)
    }

    /// What is on its way in this tenant, the last of it; empty where nothing is. Tracked.
    pub fn under_way(self, tenant: &TenantId) -> String {
        let under_way = self.news.under_way.read();
        let last = under_way.iter().rfind(|under_way| under_way.tenant == *tenant);
        last.map(|under_way| under_way.words.clone()).unwrap_or_default()
    }

    /// Whether something is on its way of this message. Tracked.
    pub fn is_awaited(self, email: EmailId) -> bool {
        self.news.under_way.read().iter().any(|under_way| under_way.ids.contains(&email))
    }

    /// Whether the last word on a message, of those said in this tab, had it decided anew: what it came to, no answer told.
    pub fn has_run(self, email: EmailId) -> bool {
        self.news.have_run.with_value(|have_run| have_run.contains(&email))
    }

    /// Says it of these messages; nothing happens where there are none. With `fitting`, of those of them that fit it still.
    /// Once it is answered, `ended` is given those to which it could not be done, but for such as are gone: of them it can be
    /// said again. `about` is what its notice adds: which message it is, where it is one.
    pub fn say(
        self,
        tenant: Result<TenantId, Problem>,
        ids: Vec<EmailId>,
        about: String,
        fitting: Option<EmailFilter>,
        word: Word,
        ended: impl FnOnce(Vec<EmailId>) + 'static,
    ) {
        match tenant {
            Ok(tenant) if !ids.is_empty() => {
                let number = self.news.toasts.await_undo();
                self.news.begin(number, &tenant, &ids, word.doing(ids.len()));
                spawn_local(async move {
                    let (left, _) = self.news.tell(number, tenant, ids, about, fitting, word).await;
                    ended(left);
                    self.news.end(number);
                });
            }
            Ok(_) => ended(ids),
            Err(problem) => {
                self.news.toasts.refused(&problem);
                ended(ids);
            }
        }
    }

    /// The same of one message. While a word of it is on its way, another waits until that is answered, the last of several;
    /// who says the same twice means it once, unless they wanted the first undone. Gives whether it is said. `ended` is told,
    /// too, whether it was done and stands: that nobody wanted it undone, or said something else, by then.
    pub fn say_in_turn(
        self,
        tenant: TenantId,
        email: EmailId,
        word: Word,
        ended: impl FnOnce(Vec<EmailId>, bool) + Send + Sync + 'static,
    ) -> bool {
        let Some(turns) = self.turns.try_get_value() else { return false };
        let toasts = self.news.toasts;
        let under_way = turns.word(email);
        let is_other =
            under_way.as_ref().is_none_or(|(number, said)| *said != word || toasts.is_unwanted(*number));
        let asked =
            is_other.then(|| Asked { number: toasts.await_undo(), tenant, word, ended: Box::new(ended) });
        match (under_way, asked) {
            (None, Some(asked)) => self.news.take_turn(turns, email, asked),
            (_, next) => {
                if let Some(Asked { number, .. }) = turns.put_next(email, next) {
                    toasts.end_undo(number);
                }
            }
        }
        is_other
    }

    /// Takes back what was said of one message by this word, which may be from before the page was loaded. Where a notice
    /// offers that still, it does no more.
    pub fn take_back(self, tenant: TenantId, email: EmailId, word: Word, id: WordId) {
        let News { toasts, offered, .. } = self.news;
        // A notice of several messages offers the others still.
        let known = offered.with_value(|offered| {
            let known = offered.iter().find(|said| said.word == id && said.ids.len() == 1);
            known.map(|said| said.number)
        });
        let number = match known {
            Some(number) => number,
            None => {
                let number = toasts.await_undo();
                toasts.end_undo(number);
                number
            }
        };
        toasts.close(number);
        Said { news: self.news, number, tenant, ids: vec![email], word, id }.take_back();
    }

    /// Whether such a word is being said of a message. Tracked.
    pub fn is_saying(self, email: EmailId, is_such: impl Fn(&Word) -> bool) -> bool {
        let Some(Turns(turns)) = self.turns.try_get_value() else { return false };
        turns.with(|turns| turns.get(&email).is_some_and(|turn| is_such(&turn.word)))
    }
}

/// What is said in this tab, from whichever page: another may show the same messages by the time it is answered.
#[derive(Clone, Copy)]
struct Progress {
    /// How many words were said or taken back, of each tenant in which any was.
    ended: RwSignal<Vec<(TenantId, u32)>>,
    /// What is on its way, in its order.
    under_way: RwSignal<Vec<UnderWay>>,
    /// The messages on which the last word had them decided anew.
    have_run: StoredValue<Vec<EmailId>>,
    /// The words that notices offer to take back.
    offered: StoredValue<Vec<Offered>>,
}

impl Progress {
    fn new() -> Self {
        Self {
            ended: RwSignal::new(Vec::new()),
            under_way: RwSignal::new(Vec::new()),
            have_run: StoredValue::new(Vec::new()),
            offered: StoredValue::new(Vec::new()),
        }
    }
}

/// A word that was said of these messages, and the number under which it was awaited.
struct Offered {
    word: WordId,
    number: u32,
    ids: Vec<EmailId>,
}

/// No more than so many notices that offer it stand at once (`ui/toast.rs`): of what was said before, none does any more.
const MOST_OFFERED: usize = 8;

/// Adds the last that was said.
fn add(offered: &mut Vec<Offered>, said: Offered) {
    offered.push(said);
    offered.drain(..offered.len().saturating_sub(MOST_OFFERED));
}

/// Takes those out that were said of none but these messages: another word, said since, stands before them.
fn take_outdated(offered: &mut Vec<Offered>, ids: &[EmailId]) -> Vec<u32> {
    let (outdated, left): (Vec<_>, Vec<_>) =
        std::mem::take(offered).into_iter().partition(|said| said.ids.iter().all(|id| ids.contains(id)));
    *offered = left;
    outdated.into_iter().map(|said| said.number).collect()
}

/// Who is told of a word.
#[derive(Clone, Copy)]
struct News {
    toasts: Toasts,
    notes: Notes,
    kept: KeptChoice,
    /// As `Progress` has them.
    ended: RwSignal<Vec<(TenantId, u32)>>,
    under_way: RwSignal<Vec<UnderWay>>,
    have_run: StoredValue<Vec<EmailId>>,
    offered: StoredValue<Vec<Offered>>,
}

/// A word that is on its way, or is being taken back.
struct UnderWay {
    /// Under which it is awaited.
    number: u32,
    tenant: TenantId,
    ids: Vec<EmailId>,
    /// What is being done.
    words: String,
}

impl News {
    fn begin(self, number: u32, tenant: &TenantId, ids: &[EmailId], words: String) {
        let begun = UnderWay { number, tenant: tenant.clone(), ids: ids.to_vec(), words };
        self.under_way.update(|under_way| under_way.push(begun));
    }

    /// Says a word of a message, and after it what is said meanwhile, though the page is left: but not what is unwanted by
    /// then.
    fn take_turn(self, turns: Turns, email: EmailId, asked: Asked) {
        let Asked { number, tenant, word, ended } = asked;
        turns.begin(email, number, word.clone());
        self.begin(number, &tenant, &[email], word.doing(1));
        self.kept.leave_out(email);
        // That is now the last word, which may be refused.
        self.have_run.update_value(|have_run| have_run.retain(|id| *id != email));
        spawn_local(async move {
            let (left, is_done) = self.tell(number, tenant, vec![email], String::new(), None, word).await;
            let next = turns.end(email);
            // What takes it back is under way by now, too.
            let stands = is_done && next.is_none() && self.is_alone(email);
            match next {
                Some(next) if self.toasts.is_unwanted(next.number) => self.toasts.end_undo(next.number),
                Some(next) => self.take_turn(turns, email, next),
                None => {}
            }
            ended(left, stands);
            self.end(number);
        });
    }

    /// Whether one thing alone is on its way of a message.
    fn is_alone(self, email: EmailId) -> bool {
        let count = self.under_way.try_with_untracked(|under_way| {
            under_way.iter().filter(|under_way| under_way.ids.contains(&email)).count()
        });
        count == Some(1)
    }

    /// Says a word that is awaited under this number, and what came of it. Gives those that were left as they are, and are
    /// still there, and whether it was done of any.
    async fn tell(
        self,
        number: u32,
        tenant: TenantId,
        ids: Vec<EmailId>,
        about: String,
        fitting: Option<EmailFilter>,
        word: Word,
    ) -> (Vec<EmailId>, bool) {
        let toasts = self.toasts;
        let has_to_fit = fitting.is_some();
        let answer = word.say(tenant.clone(), ids.clone(), fitting).await;
        let outcome = match answer {
            Ok(WordsDone { done, left, word: said, problem, .. }) => {
                let is_done = !done.is_empty();
                self.have_run.update_value(|have_run| {
                    have_run.retain(|id| !done.contains(id));
                    if matches!(word, Word::RunAgain | Word::Correct(_)) {
                        have_run.extend(&done);
                    }
                });
                let left_words = match (&problem, left.len()) {
                    (_, 0) => String::new(),
                    (Some(_), left) => format!(" {left} were left as they are."),
                    // What is gone does not either.
                    (None, left) if has_to_fit => format!(" {left} did not belong to the list any more."),
                    (None, left) => format!(" {left} could not be found any more."),
                };
                let text = word.done(done.len()) + &about + &left_words;
                match said {
                    _ if done.is_empty() && problem.is_some() => {}
                    _ if done.is_empty() => toasts.refused(&Problem::business_rule(left_words.trim())),
                    None => toasts.done(text),
                    Some(said) => {
                        // What is taken back at once stands before nothing.
                        let is_wanted = !toasts.is_unwanted(number);
                        let outdated = self.offered.try_update_value(|offered| {
                            let outdated = if is_wanted { take_outdated(offered, &done) } else { Vec::new() };
                            add(offered, Offered { word: said, number, ids: done.clone() });
                            outdated
                        });
                        outdated.into_iter().flatten().for_each(|number| toasts.withdraw(number));
                        let said = Said { news: self, number, tenant, ids: done, word, id: said };
                        toasts.done_as_awaited(number, text, move || said.clone().take_back());
                    }
                }
                match &problem {
                    Some(problem) => {
                        toasts.refused(problem);
                        (left, is_done)
                    }
                    None => (Vec::new(), is_done),
                }
            }
            Err(problem) => {
                toasts.refused(&problem);
                (ids, false)
            }
        };
        toasts.end_undo(number);
        outcome
    }

    fn end(self, number: u32) {
        // The first: what is unwanted by its answer is taken back under its number before it ends.
        let ended = self.under_way.try_update(|under_way| {
            let at = under_way.iter().position(|under_way| under_way.number == number)?;
            Some(under_way.remove(at).tenant)
        });
        let Some(tenant) = ended.flatten() else { return };
        self.ended.update(|ended| match ended.iter_mut().find(|(of, _)| *of == tenant) {
            Some((_, number)) => *number = number.wrapping_add(1),
            None => ended.push((tenant, 1)),
        });
    }
}

/// A word that was said, and can be taken back. The page on which it was said may have been left.
#[derive(Clone)]
struct Said {
    news: News,
    /// Under which it was awaited.
    number: u32,
    tenant: TenantId,
    ids: Vec<EmailId>,
    word: Word,
    id: WordId,
}

impl Said {
    /// Takes it back and tells what came of it; its note, where it has one, can be sent again. Where that could not be asked
    /// for, or broke off, what is left is offered again.
    fn take_back(self) {
        let (news, number) = (self.news, self.number);
        news.begin(
            number,
            &self.tenant,
            &self.ids,
            format!("Taking it back for {}", messages(self.ids.len())),
        );
        spawn_local(async move {
            match take_back(self.tenant.clone(), self.ids.clone(), self.id).await {
                Ok(done) => self.taken_back(done),
                Err(problem) => self.refused(&problem),
            }
            news.end(number);
        });
    }

    fn taken_back(self, outcome: WordsDone) {
        let News { toasts, notes, have_run, .. } = self.news;
        let WordsDone { done, left, sent, problem, .. } = outcome;
        have_run.update_value(|have_run| have_run.retain(|id| !done.contains(id)));
        let note = self.word.note();
        if !note.is_empty() {
            done.iter().for_each(|email| notes.give_back(*email, note.clone()));
        }
        if left.is_empty() || problem.is_some() {
            toasts.done(self.word.taken_back(done.len()) + &had_left(sent));
        } else if done.is_empty() {
            toasts.refused(&Problem::business_rule(
                "It could not be taken back: it was too long ago, or somebody else came first.",
            ));
        } else {
            toasts.done(format!(
                "{} taken back. {} could not be: it was too long ago, or somebody else came first.{}",
                done.len(),
                left.len(),
                had_left(sent)
            ));
        }
        if let Some(problem) = problem {
            Self { ids: left, ..self }.refused(&problem);
        }
    }

    fn refused(self, problem: &Problem) {
        let (toasts, text) = (self.news.toasts, self.word.done(self.ids.len()));
        toasts.refused(problem);
        toasts.offer_again(self.number, text, move || self.clone().take_back());
    }
}

/// The chosen messages of a list.
#[derive(Clone, Copy)]
pub struct Selection {
    chosen: RwSignal<Vec<EmailId>>,
    /// The one that was chosen or left out last: from it a range goes on.
    anchor: StoredValue<Option<EmailId>>,
    /// Rises with each change: what was asked for before it comes too late.
    version: StoredValue<u32>,
    /// The version that came of a message being chosen only for a word to be said of it.
    passing: StoredValue<Option<u32>>,
    /// The version that came of a word, with which what was chosen went.
    spoken: StoredValue<Option<u32>>,
    /// Whether it is all that fits, as far as that could be had.
    is_gathered: RwSignal<bool>,
}

impl Selection {
    /// Of which these are chosen already.
    pub fn new(chosen: Vec<EmailId>) -> Self {
        Self {
            chosen: RwSignal::new(chosen),
            anchor: StoredValue::new(None),
            version: StoredValue::new(0),
            passing: StoredValue::new(None),
            spoken: StoredValue::new(None),
            is_gathered: RwSignal::new(false),
        }
    }

    /// Has it kept for whoever comes back to this list.
    pub fn keep(self, kept: KeptChoice, list: StoredValue<(TenantId, ListQuery)>) {
        effect(move || {
            // None where the page has been left.
            if let (Some(ids), Some((tenant, query))) = (self.chosen.try_get(), list.try_get_value()) {
                kept.put(tenant, query, ids);
            }
        });
    }

    pub fn has(self, id: EmailId) -> bool {
        self.chosen.read().contains(&id)
    }

    pub fn set(self, id: EmailId, is_chosen: bool) {
        self.anchor.set_value(Some(id));
        self.set_each(&[id], is_chosen);
    }

    /// Chooses it until a word is said of it, or `let_pass`.
    pub fn set_passing(self, id: EmailId) {
        self.set(id, true);
        self.passing.set_value(self.version());
    }

    /// Nothing was said: what was chosen only for that is so no more, unless something was chosen or left out since.
    pub fn let_pass(self) {
        if self.passing.get_value().is_some_and(|passing| Some(passing) == self.version()) {
            self.clear();
        }
    }

    /// Whether nothing is chosen because a word was said of it: nobody unchose it.
    pub fn went_with_word(self) -> bool {
        self.spoken.get_value().is_some_and(|spoken| Some(spoken) == self.version())
    }

    pub fn toggle(self, id: EmailId) {
        let is_chosen = untrack(|| self.has(id));
        self.set(id, !is_chosen);
    }

    /// Chooses, or leaves out, all from the last that was chosen or left out to this one.
    pub fn set_through(self, id: EmailId, listed: &[EmailId], is_chosen: bool) {
        let range = range(listed, self.anchor.get_value(), id);
        self.anchor.set_value(Some(id));
        self.set_each(range, is_chosen);
    }

    fn changes(self) {
        self.version.update_value(|version| *version += 1);
        self.is_gathered.set(false);
    }

    fn set_each(self, ids: &[EmailId], is_chosen: bool) {
        self.changes();
        self.chosen.update(|chosen| {
            chosen.retain(|other| !ids.contains(other));
            if is_chosen {
                chosen.extend(ids);
            }
        });
    }

    /// Leaves out those of them that are chosen.
    pub fn leave_out(self, ids: &[EmailId]) {
        if untrack(|| ids.iter().any(|id| self.has(*id))) {
            self.set_each(ids, false);
        }
    }

    pub fn all(self, ids: Vec<EmailId>) {
        self.changes();
        self.chosen.set(ids);
    }

    /// The same, unless something was chosen or left out since this version: then `false`.
    pub fn all_since(self, version: u32, ids: Vec<EmailId>) -> bool {
        let is_now = self.version() == Some(version);
        if is_now {
            self.all(ids);
        }
        is_now
    }

    /// The same of all that fits.
    pub fn gathered_since(self, version: u32, ids: Vec<EmailId>) -> bool {
        let is_now = self.all_since(version, ids);
        if is_now {
            self.is_gathered.set(true);
        }
        is_now
    }

    /// None where the page has been left.
    pub fn version(self) -> Option<u32> {
        self.version.try_get_value()
    }

    /// Whether the list is still there: what stands on the page outlives it until another is there.
    pub fn is_there(self) -> bool {
        self.version().is_some()
    }

    pub fn clear(self) {
        self.all(Vec::new());
        self.anchor.set_value(None);
    }

    pub fn ids(self) -> Vec<EmailId> {
        self.chosen.get()
    }

    /// Whether all of these are chosen.
    pub fn has_all(self, ids: &[EmailId]) -> bool {
        let chosen = self.chosen.read();
        ids.iter().all(|id| chosen.contains(id))
    }
}

/// Choosing among what a list shows.
#[derive(Clone, Copy)]
pub struct Choice {
    pub selection: Selection,
    /// What the list shows.
    pub rows: RwSignal<Vec<Email>>,
    /// What it shows and still holds.
    pub listed: Signal<Vec<EmailId>>,
    /// What it is narrowed to.
    pub filter: StoredValue<EmailFilter>,
    /// Whether more fit than it shows.
    pub has_more: Signal<bool>,
    /// Chooses all that fit.
    pub on_all: Callback<()>,
}

impl Choice {
    /// Whether all that the list shows is chosen, and more than that fits and was not chosen.
    pub fn goes_on(self) -> bool {
        let Self { selection, listed, has_more, .. } = self;
        !selection.is_gathered.get() && selection.has_all(&listed.read()) && has_more.get()
    }

    /// Chooses all that the list shows; where it is chosen, all that fit.
    pub fn all(self) {
        if self.goes_on() {
            self.on_all.run(());
        } else {
            self.selection.all(self.listed.get());
        }
    }

    /// Says it of these messages, after which nothing is chosen: but what was chosen and was left as it is, is chosen again,
    /// so that one can try once more. Of those that the list does not show nobody sees whether they left it: then it is said
    /// of what fits the list still. So it is where something is to be sent again: others may have done so.
    pub fn say(self, words: Words, tenant: Result<TenantId, Problem>, ids: Vec<EmailId>, word: Word) {
        let Self { selection, rows, filter, .. } = self;
        let is_shown = |id: &EmailId| rows.read_untracked().iter().any(|row| row.email_id == *id);
        let has_to_fit = matches!(word, Word::SendAgain) || !ids.iter().all(is_shown);
        let fitting = has_to_fit.then(|| filter.get_value());
        let about = match ids.as_slice() {
            [id] => {
                rows.read_untracked().iter().find(|row| row.email_id == *id).map(named).unwrap_or_default()
            }
            _ => String::new(),
        };
        let chosen = selection.chosen.get_untracked();
        selection.clear();
        let version = selection.version.get_value();
        selection.spoken.set_value(Some(version));
        words.say(tenant, ids, about, fitting, word, move |left| {
            let again: Vec<EmailId> = chosen.into_iter().filter(|id| left.contains(id)).collect();
            if !again.is_empty() {
                selection.all_since(version, again);
            }
        });
    }

    /// The last of the list that is chosen.
    pub fn last_chosen(self) -> Option<EmailId> {
        let listed = self.listed.read();
        listed.iter().rfind(|id| self.selection.has(**id)).copied()
    }

    /// Where one goes on in the list when these may leave it: from this one, or else from the last of them.
    pub fn next_to(self, from: Option<EmailId>, leaving: &[EmailId]) -> Option<EmailId> {
        next_to(&self.listed.read(), from, leaving)
    }
}

/// What stays and follows; at the list's end, what stays and stands before.
fn next_to(listed: &[EmailId], from: Option<EmailId>, leaving: &[EmailId]) -> Option<EmailId> {
    let at = listed.iter().rposition(|id| match from {
        Some(from) => *id == from,
        None => leaving.contains(id),
    })?;
    let (before, after) = listed.split_at(at);
    let stays = |id: &&EmailId| !leaving.contains(*id);
    after.iter().find(stays).or_else(|| before.iter().rfind(stays)).copied()
}

/// What the list shows from one to another, both included, whichever stands first; from nowhere, the other alone.
fn range(listed: &[EmailId], from: Option<EmailId>, to: EmailId) -> &[EmailId] {
    let place = |id: EmailId| listed.iter().position(|listed| *listed == id);
    let Some(to) = place(to) else { return &[] };
    let from = from.and_then(place).unwrap_or(to);
    &listed[from.min(to)..=from.max(to)]
}

/// So many letters of a subject tell which message it is.
const ENOUGH: usize = 60;

/// Which message it is, as a notice says it.
fn named(email: &Email) -> String {
    let subject = subject_of(email);
    match subject.char_indices().nth(ENOUGH) {
        Some((at, _)) => format!(" “{}…”", &subject[..at]),
        None => format!(" “{subject}”"),
    }
}

/// What cannot be taken back any more: nothing, mostly.
fn had_left(deliveries: usize) -> String {
    match deliveries {
        0 => String::new(),
        1 => " One delivery had left by then.".to_owned(),
        many => format!(" {many} deliveries had left by then."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_either_way_and_from_nowhere_holds_one() {
        let ids: Vec<EmailId> = (0..5).map(|n| EmailId(uuid::Uuid::from_u128(n))).collect();
        assert_eq!(range(&ids, Some(ids[1]), ids[3]), &ids[1..=3]);
        assert_eq!(range(&ids, Some(ids[3]), ids[1]), &ids[1..=3]);
        assert_eq!(range(&ids, None, ids[2]), &ids[2..=2]);
        let gone = EmailId(uuid::Uuid::from_u128(9));
        assert_eq!(range(&ids, Some(gone), ids[2]), &ids[2..=2]);
        assert!(range(&ids, Some(ids[2]), gone).is_empty());
    }

    #[test]
    fn one_goes_on_after_what_is_chosen_or_before_it() {
        let ids: Vec<EmailId> = (0..4).map(|n| EmailId(uuid::Uuid::from_u128(n))).collect();
        let next = |from: Option<usize>, leaving: &[usize]| {
            let leaving: Vec<EmailId> = leaving.iter().map(|at| ids[*at]).collect();
            next_to(&ids, from.map(|at| ids[at]), &leaving)
        };
        assert_eq!(next(None, &[0, 2]), Some(ids[3]));
        assert_eq!(next(None, &[2, 3]), Some(ids[1]));
        assert_eq!(next(None, &[0, 1, 2, 3]), None);
        assert_eq!(next(None, &[]), None);
        assert_eq!(next(Some(1), &[1]), Some(ids[2]));
        assert_eq!(next(Some(3), &[3]), Some(ids[2]), "at the list's end");
        assert_eq!(next(Some(0), &[0, 1, 3]), Some(ids[2]), "from where one is");
        assert_eq!(next(Some(1), &[2, 3]), Some(ids[1]), "what stays is where one stays");
        assert_eq!(next(Some(0), &[0, 1, 2, 3]), None);
    }

    #[test]
    fn a_later_word_stands_before_what_was_said_of_the_same_messages() {
        let ids: Vec<EmailId> = (0..3).map(|n| EmailId(uuid::Uuid::from_u128(n))).collect();
        let said = |number: u32, ids: &[EmailId]| Offered {
            word: WordId(uuid::Uuid::from_u128(u128::from(number))),
            number,
            ids: ids.to_vec(),
        };
        let mut offered = vec![said(1, &ids[..1]), said(2, &ids[..2]), said(3, &ids[2..])];
        assert_eq!(take_outdated(&mut offered, &ids[..1]), [1], "the other of the second can be taken back");
        assert!(take_outdated(&mut offered, &ids[..1]).is_empty());
        assert_eq!(take_outdated(&mut offered, &ids), [2, 3]);
        assert!(offered.is_empty());
    }

    #[test]
    fn what_no_notice_offers_any_more_is_forgotten() {
        let mut offered = Vec::new();
        for number in 0..20 {
            add(&mut offered, Offered { word: WordId(uuid::Uuid::nil()), number, ids: Vec::new() });
        }
        let numbers: Vec<u32> = offered.iter().map(|said| said.number).collect();
        assert_eq!(numbers, [12, 13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn a_notice_names_a_message_by_what_begins_its_subject() {
        let of = |subject: &str| {
            named(&Email { subject: subject.into(), ..Email::sample(EmailId(uuid::Uuid::nil()), "") })
        };
        assert_eq!(of("Re: order 1042"), " “Re: order 1042”");
        assert_eq!(of(&"ü".repeat(61)), format!(" “{}…”", "ü".repeat(60)));
        assert_eq!(of(""), " “(no subject)”");
    }

    #[test]
    fn a_notice_counts() {
        assert_eq!(Word::decide(Decision::Accepted).done(1), "1 message accepted.");
        assert_eq!(Word::RunAgain.doing(3), "Running 3 messages again");
        assert_eq!(Word::SendAgain.done(2), "What was given up of 2 messages is on its way again.");
        assert_eq!(
            Word::Correct(Some((IntentId(1), "Orders".into()))).done(3),
            "3 messages moved to Orders."
        );
        assert_eq!(Word::decide(Decision::Accepted).taken_back(3), "Taken back: accepting 3 messages.");
        assert_eq!(Word::Correct(None).taken_back(1), "Taken back: setting the intent of 1 message.");
    }
}

//! What an expression may take. The crate bounds neither steps nor memory, so `tree::fence` puts calls of these
//! functions into it: each turn of a loop is charged, and each text or list that it makes.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cel::{
    ExecutionError, FunctionContext,
    common::{
        types::{CelBool, CelBytes, CelInt, CelList, CelMap, CelOptional, CelString},
        value::{CowVal, Val},
    },
};

use crate::{intents::server::matching, server::text::shorten};

/// Parts of loops that are worked out, and members of what the loops run over: about a second's work.
pub const MAX_STEPS: u64 = 2_000_000;
/// What all texts and lists that it makes may take together, in bytes.
const MAX_MADE: u64 = 64 << 20;
/// What a list or a map takes for each member, beside the member's text. Unit: bytes.
const SLOT: u64 = 48;
/// A pattern is held against no longer text than this, in bytes, since nothing stops it halfway: any two fields of a
/// message together.
const MAX_MATCHED: usize = 2 << 20;
/// Copying so many bytes takes about a step.
const STEP: u64 = 1_024;

/// Charges a turn of a loop: takes its item and the size of its body, gives `true`. No source can name it.
pub const TURN: &str = "@turn";
/// Charges what was made, and gives it back.
pub const MADE: &str = "@made";
/// `matches`, with the bounds that the patterns of rules have: the crate's own compiles up to 10 MiB at each call.
pub const MATCHES: &str = "@matches";

/// A function that expressions can call.
pub type Function = Box<
    dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> + Send + Sync,
>;

/// What one run of an expression took so far.
pub struct Meter {
    steps: AtomicU64,
    made: AtomicU64,
    end: Instant,
    fault: OnceLock<String>,
}

/// That it takes too many steps, in a sentence that goes on after its name.
pub fn too_many_steps() -> String {
    format!("takes more than {MAX_STEPS} steps: its loops, or what they run over, are too long")
}

impl Meter {
    pub fn new(patience: Duration) -> Self {
        Self {
            steps: AtomicU64::new(0),
            made: AtomicU64::new(0),
            end: Instant::now() + patience,
            fault: OnceLock::new(),
        }
    }

    /// Why it was stopped. `||` and the like pass over an error, so this and not the result says it.
    pub fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    fn stop(&self, why: impl FnOnce() -> String) -> ExecutionError {
        ExecutionError::function_error("limit", self.fault.get_or_init(why))
    }

    /// An error, once it was stopped: what is left of its loops must not go on.
    fn check(&self) -> Result<(), ExecutionError> {
        if self.fault.get().is_some() || Instant::now() > self.end {
            return Err(self.stop(|| "takes too long".to_owned()));
        }
        Ok(())
    }

    fn charge_steps(&self, steps: u64) -> Result<(), ExecutionError> {
        let before = self.steps.fetch_add(steps, Ordering::Relaxed);
        if before.saturating_add(steps) > MAX_STEPS {
            return Err(self.stop(too_many_steps));
        }
        self.check()
    }

    fn charge_made(&self, bytes: u64) -> Result<(), ExecutionError> {
        let before = self.made.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_MADE {
            return Err(self.stop(|| format!("makes texts and lists of more than {} MiB", MAX_MADE >> 20)));
        }
        self.check()
    }
}

/// The functions, by name, that charge this meter.
pub fn functions(meter: &Arc<Meter>) -> [(&'static str, Function); 3] {
    let (turns, makes, patterns) = (Arc::clone(meter), Arc::clone(meter), Arc::clone(meter));
    let on_turn: Function = Box::new(move |call| turn(&turns, call));
    let on_made: Function = Box::new(move |call| made(&makes, call));
    let on_matches: Function = Box::new(move |call| matches(&patterns, call));
    [(TURN, on_turn), (MADE, on_made), (MATCHES, on_matches)]
}

fn turn<'c, 'v>(meter: &Meter, call: &mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let (Some(size), Some(item)) = (call.args.pop(), call.args.pop()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let size = size.downcast_ref::<CelInt>().map_or(0, |size| *size.inner());
    // Each turn copies its item.
    let item = Weight::of(item.as_ref());
    meter.charge_steps(size.unsigned_abs() + item.members + item.bytes / STEP)?;
    Ok(CowVal::owned(CelBool::from(true)))
}

fn made<'c, 'v>(meter: &Meter, call: &mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let value = call.args.pop().ok_or_else(ExecutionError::missing_argument_or_target)?;
    meter.charge_made(Weight::of(value.as_ref()).bytes)?;
    Ok(value)
}

fn matches<'c, 'v>(
    meter: &Meter,
    call: &mut FunctionContext<'c, 'v>,
) -> Result<CowVal<'c, 'v>, ExecutionError> {
    let (Some(pattern), Some(text)) = (call.args.pop(), call.args.pop()) else {
        return Err(ExecutionError::missing_argument_or_target());
    };
    let (Some(seen), Some(wanted)) = (text.downcast_ref::<CelString>(), pattern.downcast_ref::<CelString>())
    else {
        let types = vec![text.get_type().name().to_owned(), pattern.get_type().name().to_owned()];
        return Err(ExecutionError::no_such_member_overload("matches", types));
    };
    meter.check()?;
    if seen.inner().len() > MAX_MATCHED {
        let words = || format!("holds a pattern against a text of more than {} MiB", MAX_MATCHED >> 20);
        return Err(meter.stop(words));
    }
    let regex = matching::compile(wanted.inner(), false).map_err(|fault| {
        ExecutionError::function_error("matches", format!("'{}' {fault}", shorten(wanted.inner(), 80)))
    })?;
    let is_match = regex.is_match(seen.inner());
    Ok(CowVal::owned(CelBool::from(is_match)))
}

/// How much a value holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Weight {
    /// Itself, its members and theirs.
    members: u64,
    bytes: u64,
}

impl Weight {
    fn of(value: &(dyn Val + '_)) -> Self {
        let mut weight = Self { members: 1, bytes: 0 };
        if let Some(text) = value.downcast_ref::<CelString>() {
            weight.bytes = text.inner().len() as u64;
        } else if let Some(bytes) = value.downcast_ref::<CelBytes>() {
            weight.bytes = bytes.inner().len() as u64;
        } else if let Some(list) = value.downcast_ref::<CelList>() {
            for item in list.inner() {
                weight.add(Self::of(&**item));
            }
        } else if let Some(map) = value.downcast_ref::<CelMap>() {
            for (key, item) in map.inner() {
                weight.bytes += Self::of(key.inner()).bytes + SLOT;
                weight.add(Self::of(&**item));
            }
        } else if let Some(item) = value.downcast_ref::<CelOptional>().and_then(|one| one.option()) {
            weight.add(Self::of(item));
        }
        weight
    }

    fn add(&mut self, member: Self) {
        self.members += member.members;
        self.bytes += member.bytes + SLOT;
    }
}

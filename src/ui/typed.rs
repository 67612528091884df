//! What is typed.

/// What is typed, to be compared with what was.
#[derive(Clone)]
pub struct Typed<T>(pub T);

impl<T: serde::Serialize> PartialEq for Typed<T> {
    fn eq(&self, other: &Self) -> bool {
        let text = |typed: &Self| serde_json::to_string(&typed.0).unwrap_or_default();
        text(self) == text(other)
    }
}

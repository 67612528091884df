//! Parts that the browser takes over one after the other.

use leptos::prelude::*;

use super::host;

/// What the server writes where a step ends, as a comment.
pub const END_OF_STEP: &str = "step";

/// A part of a page that the browser takes over in a step of its own, so that it can answer in between. It is the first in
/// its element, and does not begin with another step.
///
/// What is loaded with the page is found by the order in which it is asked for (`Load`): within a step, resources are made
/// only where none are made after it, outside.
#[component]
pub fn Step(children: Children) -> impl IntoView {
    host::in_a_step(children)
}

/// Whether what is made now is taken over by the browser: it stands on the page already, as the server wrote it and as
/// somebody may have changed it since.
pub fn is_taking_over() -> bool {
    Owner::current_shared_context().is_some_and(|context| context.during_hydration())
}

#[cfg(not(feature = "hydrate"))]
pub use server::in_a_step;

#[cfg(not(feature = "hydrate"))]
mod server {
    use leptos::{
        children::Children,
        prelude::*,
        tachys::{
            html::attribute::any_attribute::AnyAttribute,
            hydration::Cursor,
            no_attrs,
            view::{Position, PositionState, Render, RenderHtml},
        },
    };

    use super::END_OF_STEP;

    /// On the server: all of it, and where it ends.
    pub fn in_a_step(children: Children) -> impl IntoView {
        (children(), End)
    }

    struct End;

    impl Render for End {
        type State = ();

        fn build(self) {}

        fn rebuild(self, (): &mut ()) {}
    }

    no_attrs!(End);

    impl RenderHtml for End {
        type AsyncOutput = Self;
        type Owned = Self;

        const MIN_LENGTH: usize = 0;

        fn dry_resolve(&mut self) {}

        async fn resolve(self) -> Self {
            self
        }

        fn to_html_with_buf(
            self,
            buf: &mut String,
            position: &mut Position,
            _: bool,
            _: bool,
            _: Vec<AnyAttribute>,
        ) {
            buf.push_str(&format!("<!--{END_OF_STEP}-->"));
            *position = Position::NextChild;
        }

        fn hydrate<const FROM_SERVER: bool>(self, _: &Cursor, _: &PositionState) {}

        fn into_owned(self) -> Self {
            self
        }
    }
}

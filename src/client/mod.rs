//! What only a browser can do. `ui::host` is this module there, and stubs of the same names on the server.

mod dom;
mod session;

pub use dom::*;
pub use session::*;

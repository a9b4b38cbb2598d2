//! What an interruption must not leave behind: temporary files and folders, and child processes. This is the only code
//! that makes named temporaries or starts programs; whoever needs one gets an owner that removes or ends it when
//! dropped, and INT, TERM or HUP do so for all of them (`registry`).
//!
//! What results consist of, and where they go, is left to the callers.

mod child;
mod registry;
mod system;
mod temporary;

pub use child::{Child, output, spawn};
pub use registry::settle;
pub use temporary::{Temporary, folder_of, put_all};

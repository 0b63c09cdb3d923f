//! What was seen of a repository besides its branches, one file a family.
//!
//! Facts only: numbers and names as they are. What is too much or wrong is for
//! the checks to say. What can fail on its own is [`Known`] on its own.

pub mod collisions;
pub mod pool;
pub mod shape;
pub mod speed;
pub mod storage;

use crate::Known;

pub use collisions::Collisions;
pub use pool::Pool;
pub use shape::Shape;
pub use speed::Speed;
pub use storage::Storage;

/// All families.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The files below `objects/` and what else takes up space.
    pub storage: Known<Storage>,
    /// What makes Git fast.
    pub speed: Known<Speed>,
    /// Paths that are the same on some file systems.
    pub collisions: Known<Collisions>,
    /// Who borrows objects from here.
    pub pool: Known<Pool>,
    /// The shape of all history.
    pub shape: Known<Shape>,
}

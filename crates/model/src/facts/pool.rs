//! Whether other repositories borrow objects from this one.

/// What is known of its borrowers.
///
/// Git writes nothing down where it lends: only the borrower's
/// `objects/info/alternates` tells. So this is what other repositories said
/// that were looked at together with this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Repositories that borrow from this one, as they were named.
    pub borrowers: Vec<String>,
    /// Other repositories that were asked.
    pub n_asked: usize,
    /// Git refuses to remove objects here (`extensions.preciousObjects`).
    pub is_precious: bool,
}

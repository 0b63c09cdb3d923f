//! What somebody wants done about maintenance, from a page or the API.

/// Something that is wanted. It is done in its turn, by whoever tends repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskWish {
    /// To hear what a task would do now. Nothing is changed.
    Plan {
        /// Under which number that is told.
        ticket: u64,
        /// The task.
        task: String,
        /// Path of the repository.
        repository: String,
    },
    /// To run a task: it plans first, and acts when its numbers say so and nothing is in the way.
    Run {
        /// The task.
        task: String,
        /// Path of the repository.
        repository: String,
        /// Who wants that.
        who: String,
    },
    /// To take a run back.
    Undo {
        /// Its number.
        id: u64,
        /// Path of the repository.
        repository: String,
        /// Who wants that.
        who: String,
    },
}

/// The longest name of a person, in characters. Source: ours.
const WHO_AT_MOST: usize = 300;

impl TaskWish {
    /// Path of the repository that it is about.
    pub fn repository(&self) -> &str {
        match self {
            TaskWish::Plan { repository, .. }
            | TaskWish::Run { repository, .. }
            | TaskWish::Undo { repository, .. } => repository,
        }
    }

    /// Who did what, and to what: for the audit log. `None` = it changes nothing. Errors: nobody said who.
    pub fn note(&self) -> Result<Option<(&str, &'static str, String)>, String> {
        let (who, what, of) = match self {
            TaskWish::Plan { .. } => return Ok(None),
            TaskWish::Run { task, repository, who } => (who, "ran a task", format!("{task} in {repository}")),
            TaskWish::Undo { id, repository, who } => (who, "took a run back", format!("run {id} in {repository}")),
        };
        match who.trim().is_empty() || WHO_AT_MOST < who.chars().count() {
            true => Err(format!("who wants it? Say a name of at most {WHO_AT_MOST} characters")),
            false => Ok(Some((who, what, of))),
        }
    }
}

//! What is measured.

/// One thing that is measured.
pub(crate) struct Work {
    /// What it is called in tables and figures.
    pub(crate) name: String,
    /// Messages, values, packets or frames of one run.
    pub(crate) each: usize,
    /// The run.
    pub(crate) run: Box<dyn FnMut() -> u64>,
}

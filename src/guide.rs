//! A guide for each task, in the order in which a new user reads them. There is no code here.
//!
//! 1. [`quick_start`]: from a clone to scripts and a report
//! 2. [`cluster`]: check, run, follow, resume
//! 3. [`settings`]: what a site needs, in one file
//! 4. [`recipe`]: other models, servers and sweeps
//! 5. [`measuring`]: how a point is measured, and what each figure means; [`resume`]: what a resume counts;
//!    [`search`]: how much load within limits
//! 6. [`results`]: read, judge and compare results
//! 7. [`render`]: render and submit scripts from Rust
//! 8. [`golden_files`]: tests of your own scripts
//! 9. [`troubleshooting`]: symptom, cause, and what to type
//! 10. [`figures`]: how fast the crate is, and how true its figures are
//! 11. [`glossary`]: the words of guides, messages and reports
//!
//! Every block of Rust in them is a test. The commands are those of the program
//! `nim-slurm`, which is in this crate behind the feature `cli`: `cargo install --locked --path . --features cli`.
//!
//! ```
//! use nim_slurm::{Plan, Recipe, Settings};
//!
//! // nim-slurm render --settings FILE --check
//! let settings = Settings::read("examples/settings/exclusive-nodes.toml")?;
//! let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
//! assert_eq!(plan.points().len(), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Each page is also plain Markdown, with links between files at its end. Of two definitions of a link the first counts: here, that of
// links.md.
#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/quick_start.md")]
pub mod quick_start {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/cluster.md")]
pub mod cluster {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/settings.md")]
pub mod settings {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/recipe.md")]
pub mod recipe {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/measuring.md")]
pub mod measuring {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/resume.md")]
pub mod resume {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/search.md")]
pub mod search {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/results.md")]
pub mod results {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/render.md")]
pub mod render {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/golden_files.md")]
pub mod golden_files {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/figures.md")]
pub mod figures {}

#[doc = include_str!("guide/links.md")]
#[doc = ""]
#[doc = include_str!("guide/glossary.md")]
pub mod glossary {}

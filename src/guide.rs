//! A guide for each task. There is no code here.
//!
//! | to | read |
//! |---|---|
//! | render scripts from a program, and submit them | [`render`] |
//! | write down what a site needs | [`settings`] |
//! | benchmark another model, server or sweep | [`recipe`] |
//! | run it: images, model, launch, following, resuming | [`cluster`] |
//! | know how a point is measured, and what each figure means | [`measuring`] |
//! | know what a resume counts, and what ran under which name | [`resume`] |
//! | read, judge and compare results | [`results`] |
//! | test one's own scripts | [`golden_files`] |
//!
//! Every block of Rust in them is a test. The commands are those of the program
//! `nim-slurm`, which is in this crate behind the feature `cli`: `cargo install nim-slurm --features cli`.
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

#[doc = include_str!("guide/cluster.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod cluster {}

#[doc = include_str!("guide/golden_files.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod golden_files {}

#[doc = include_str!("guide/measuring.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod measuring {}

#[doc = include_str!("guide/recipe.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod recipe {}

#[doc = include_str!("guide/render.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod render {}

#[doc = include_str!("guide/results.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod results {}

#[doc = include_str!("guide/resume.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod resume {}

#[doc = include_str!("guide/settings.md")]
#[doc = ""]
#[doc = include_str!("guide/links.md")]
pub mod settings {}

//! Container images, mounts and variables, as pyxis and enroot take them, and the
//! runtimes that may stand in their place.
//!
//! ```
//! use nim_slurm::container::{Image, Mount};
//!
//! let image = Image::parse("nvcr.io/nim/meta/llama3-70b-instruct:1.0.3")?;
//! assert_eq!(image.enroot_uri(), "docker://nvcr.io#nim/meta/llama3-70b-instruct:1.0.3");
//! assert!(Mount::parse("/lustre/my data:/data").is_err()); // pyxis would read another mount
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod env_name;
mod image;
pub(crate) mod mount;
pub(crate) mod release;
mod runtime;

pub use self::env_name::EnvName;
pub(crate) use self::env_name::{SECRETS, may_be_secret};
pub use self::image::{Image, Registry, SquashFile};
pub use self::mount::Mount;
pub use self::release::PyxisRelease;
pub use self::runtime::Runtime;

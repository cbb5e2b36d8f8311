//! Container images, mounts and variables, as pyxis and enroot take them, and the
//! runtimes that may stand in their place.

mod env_name;
mod image;
pub(crate) mod mount;
pub(crate) mod release;
mod runtime;

pub use self::env_name::EnvName;
pub use self::image::{Image, Registry, SquashFile};
pub use self::mount::Mount;
pub use self::release::PyxisRelease;
pub use self::runtime::Runtime;

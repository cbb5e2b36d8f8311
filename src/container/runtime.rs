//! What runs the containers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Mount, Registry, SquashFile};

/// What runs the containers of a job: `runtime` in the settings' table `[container]`.
///
/// The same recipe, mounts, variables and secrets are rendered for each. What one of
/// them cannot do is refused by the [`Plan`](crate::Plan), with the reason.
///
/// | | `pyxis` | `apptainer` | `podman` |
/// |---|---|---|---|
/// | on the compute nodes | Slurm's plugin pyxis 0.15 or later, enroot 3.0 or later | apptainer 1.0 or later, 1.2 for images of another processor | podman 4.1 or later, crun, catatonit |
/// | GPUs | enroot's hook | `--nv` | CDI: `nvidia-ctk cdi generate` has been run, in a version that this podman reads |
/// | an image's file | `NAME.sqsh` | `NAME.sif` | `NAME.tar` |
/// | mount flags | all | `ro`, `rw`, `rbind` | all but `noatime` |
/// | `tmpfs` mounts | yes | no | yes, with `ro`, `rw`, `nosuid`, `nodev`, `noexec` |
/// | srun's MPI | yes | no | no |
/// | a variable that image and job both set | the image's | the job's | the job's |
///
/// Variables that the recipe names are the recipe's under each. An image's file has the
/// name that the recipe gives it, with the runtime's ending instead of `.sqsh`.
///
/// ```
/// use nim_slurm::container::Runtime;
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// assert_eq!(Runtime::default(), Runtime::Pyxis);
/// assert_eq!(Runtime::Podman.as_str(), "podman");
///
/// let settings = "container = { runtime = 'apptainer', mounts = ['/data:/data:ro+nosuid'] }";
/// let settings = Settings::from_toml(settings)?;
/// let problems = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// assert_eq!(
///     problems.to_string(),
///     "apptainer cannot mount \"/data:/data:ro+nosuid\": it has no flag \"nosuid\"; ro, rw and rbind are allowed"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Runtime {
    /// The pyxis plugin of Slurm with enroot: `srun --container-image`.
    #[default]
    Pyxis,
    /// Apptainer, once Singularity: `srun apptainer exec`.
    Apptainer,
    /// Podman, as the user or as root: `srun podman run`.
    Podman,
}

impl Runtime {
    /// The name in the settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pyxis => "pyxis",
            Self::Apptainer => "apptainer",
            Self::Podman => "podman",
        }
    }

    /// The file that an image becomes below the stage path.
    pub(crate) fn image_file(self, file: &SquashFile) -> String {
        let ending = match self {
            Self::Pyxis => return file.to_string(),
            Self::Apptainer => "sif",
            Self::Podman => "tar",
        };
        let name = file.as_str();
        let stem = name.strip_suffix("sqsh").unwrap_or(name);
        format!("{stem}{ending}")
    }

    /// The space that an image's file takes where a squashfs file takes `space`. Podman
    /// saves layers as they are unpacked, about twice as large.
    pub(crate) const fn space(self, space: u64) -> u64 {
        match self {
            Self::Pyxis | Self::Apptainer => space,
            Self::Podman => space.saturating_mul(2),
        }
    }

    /// How its file of logins names a registry.
    pub(crate) fn login(self, registry: &Registry) -> &str {
        match self {
            Self::Pyxis => registry.host(),
            Self::Apptainer | Self::Podman => registry.as_str(),
        }
    }

    /// Why it cannot make this mount, and what is allowed; nothing if it can.
    pub(crate) fn mount_problem(self, mount: &Mount) -> Option<String> {
        let is_tmpfs = mount.source() == "tmpfs";
        let (known, allowed): (&[&str], _) = match self {
            Self::Pyxis => return None,
            Self::Apptainer if is_tmpfs => {
                return Some(
                    "it makes no new file system of a useful size in memory; a folder of the node is allowed, as in \
                     /tmp:/scratch"
                        .to_owned(),
                );
            }
            Self::Apptainer => (&["ro", "rw", "rbind"], "ro, rw and rbind are allowed"),
            Self::Podman if is_tmpfs => (
                &["ro", "rw", "nosuid", "nodev", "noexec"],
                "ro, rw, nosuid, nodev and noexec are allowed for a tmpfs",
            ),
            Self::Podman => (
                &[
                    "ro", "rw", "nosuid", "nodev", "noexec", "bind", "rbind", "private",
                    "rprivate", "slave", "rslave",
                ],
                "all others are allowed",
            ),
        };
        let unknown = mount.flags().find(|flag| !known.contains(flag))?;
        Some(format!("it has no flag {unknown:?}; {allowed}"))
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(runtime: Runtime, mount: &str) -> String {
        let mount = Mount::parse(mount).unwrap();
        runtime.mount_problem(&mount).unwrap_or_default()
    }

    #[test]
    fn files() {
        let file = SquashFile::parse("nim+sqsh+1.sqsh").unwrap();
        let names = [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman];
        assert_eq!(
            names.map(|runtime| runtime.image_file(&file)),
            ["nim+sqsh+1.sqsh", "nim+sqsh+1.sif", "nim+sqsh+1.tar"]
        );
    }

    #[test]
    fn mounts() {
        for mount in [
            "/a",
            "/a:/b:ro",
            "/a:/b:rw",
            "/a:/b:rbind",
            "/a:/b:ro+rbind",
        ] {
            assert_eq!(problem(Runtime::Apptainer, mount), "", "{mount}");
            assert_eq!(problem(Runtime::Podman, mount), "", "{mount}");
        }
        assert_eq!(
            problem(Runtime::Apptainer, "tmpfs:/scratch"),
            "it makes no new file system of a useful size in memory; a folder of the node is allowed, as in /tmp:/scratch"
        );
        assert_eq!(problem(Runtime::Podman, "tmpfs:/s:noexec+nodev"), "");
        assert_eq!(
            problem(Runtime::Podman, "tmpfs:/s:rslave"),
            "it has no flag \"rslave\"; ro, rw, nosuid, nodev and noexec are allowed for a tmpfs"
        );
        assert_eq!(problem(Runtime::Podman, "/a:/b:ro+rslave+nosuid"), "");
        assert_eq!(
            problem(Runtime::Podman, "/a:/b:ro+noatime"),
            "it has no flag \"noatime\"; all others are allowed"
        );
        assert_eq!(problem(Runtime::Pyxis, "tmpfs:/s:noatime"), "");
    }
}

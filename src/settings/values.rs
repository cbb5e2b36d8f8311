//! The values of the settings that have a form of their own.

use crate::container::mount::mountable_folder;
use crate::value::{Fault, only, positive_number, text_value};

/// The folder for images, model, logs and results, on a file system that login
/// and compute nodes share.
///
/// # Syntax
///
/// An absolute path without white space or any of `` , : $ ` " \ { } % * ? [ ] ``, since
/// it is mounted in containers and names log files. A slash at the end is dropped.
///
/// # Errors
///
/// * `nim`, `~/nim`: relative; `/`: everything
/// * `/lustre/my project`: white space
///
/// ```
/// use nim_slurm::StagePath;
///
/// assert_eq!(StagePath::parse("/lustre/project/nim/")?.as_str(), "/lustre/project/nim");
/// assert!(StagePath::parse("nim").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StagePath(String);

impl StagePath {
    fn check(text: &str) -> Result<Self, Fault> {
        let allowed = "an absolute path is allowed, as in /lustre/project/nim";
        let root = "the root of all files is no place for a benchmark";
        let path = mountable_folder(text, allowed, root)?;
        if let Some(c) = text.chars().find(|&c| "%*?[]".contains(c)) {
            return Err(Fault::Character(
                c,
                "a script would read a pattern in any of % * ? [ ]",
            ));
        }
        Ok(Self(path))
    }
}

text_value!(StagePath, "stage path");

/// A folder on compute nodes.
///
/// # Syntax
///
/// An absolute path without white space or any of `` , : $ ` " \ { } ``. A slash at the end
/// is dropped.
///
/// ```
/// use nim_slurm::FolderPath;
///
/// assert_eq!(FolderPath::parse("/scratch/enroot/")?.as_str(), "/scratch/enroot");
/// assert!(FolderPath::parse("$TMPDIR").is_err()); // nothing in a value is expanded
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderPath(String);

impl FolderPath {
    fn check(text: &str) -> Result<Self, Fault> {
        let allowed = "an absolute path is allowed, as in /scratch/enroot";
        let root = "the root of all files is no place for temporary ones";
        mountable_folder(text, allowed, root).map(Self)
    }
}

text_value!(FolderPath, "folder");

/// A module of the site's, as `module load` takes it.
///
/// # Syntax
///
/// Letters, digits, `.`, `_`, `-`, `+` and `/`; not `-` first, which would be an option.
///
/// ```
/// use nim_slurm::ModuleName;
///
/// assert_eq!(ModuleName::parse("enroot/3.5.0")?.as_str(), "enroot/3.5.0");
/// assert!(ModuleName::parse("-t avail").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModuleName(String);

impl ModuleName {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/'),
            "letters, digits, '.', '_', '-', '+' and '/' are allowed, as in enroot/3.5.0",
        )?;
        if text.starts_with('-') {
            return Err(Fault::rule("it must not begin with '-'"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(ModuleName, "module");

/// A proxy's address.
///
/// # Syntax
///
/// `http://HOST[:PORT][/]`, or the same with `https`.
///
/// # Errors
///
/// * `proxy.site:3128`: no scheme
/// * `http://user:password@proxy.site`: a script is no place for a password; export
///   `https_proxy` in the shell that submits
///
/// ```
/// use nim_slurm::ProxyUrl;
///
/// assert_eq!(ProxyUrl::parse("http://proxy.site:3128")?.as_str(), "http://proxy.site:3128");
/// assert!(ProxyUrl::parse("http://user:password@proxy.site").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl(String);

impl ProxyUrl {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "http://HOST:PORT is allowed";
        if text.contains('@') {
            return Err(Fault::secret(
                "a script is no place for a password: export https_proxy in the shell that submits",
            ));
        }
        let address = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .ok_or_else(|| Fault::rule(ALLOWED))?;
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address.split_once(':').unwrap_or((address, "1"));
        only(
            host,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'),
            ALLOWED,
        )?;
        if positive_number(port)? > u32::from(u16::MAX) {
            return Err(Fault::rule("a port is at most 65535"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(ProxyUrl, "proxy");

/// Hosts that are reached without a proxy.
///
/// # Syntax
///
/// Names, addresses and domains with commas between them: letters, digits, `.`, `-`,
/// `_`, `:`, `/`, `*`.
///
/// ```
/// use nim_slurm::NoProxy;
///
/// assert_eq!(NoProxy::parse("localhost,.site,10.0.0.0/8")?.as_str(), "localhost,.site,10.0.0.0/8");
/// assert!(NoProxy::parse("localhost .site").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoProxy(String);

impl NoProxy {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '*' | ','),
            "names, addresses and domains are allowed, with commas between them",
        )?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(NoProxy, "list of hosts");

/// The MPI plugin of the server's step: srun's `--mpi`.
///
/// # Syntax
///
/// Small letters, digits and `_`: `pmix` (the default), `pmix_v4`, `pmi2`, `none`.
///
/// ```
/// use nim_slurm::Mpi;
///
/// assert_eq!(Mpi::default().as_str(), "pmix");
/// assert!(Mpi::parse("list").is_err()); // srun would print a list and run nothing
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mpi(String);

impl Mpi {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_',
            "a plugin's name is allowed, such as pmix or none",
        )?;
        if text == "list" {
            return Err(Fault::rule("srun would print a list and run nothing"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Mpi {
    /// No plugin at all.
    pub(super) fn none() -> Self {
        Self("none".to_owned())
    }
}

impl Default for Mpi {
    fn default() -> Self {
        Self("pmix".to_owned())
    }
}

text_value!(Mpi, "MPI plugin");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn stage_paths() {
        accepts::<StagePath>("/lustre/nim", "/lustre/nim");
        accepts::<StagePath>("/a/b//", "/a/b");
        refuses::<StagePath>(
            "nim",
            "cannot take \"nim\" as stage path: \"nim\" is no absolute path, which begins with '/'",
        );
        refuses::<StagePath>(
            "/",
            "cannot take \"/\" as stage path: the root of all files is no place for a benchmark",
        );
        for text in [
            "", "/a b", "/a,b", "/a:b", "/a$b", "/a`b", "/a\"b", "/a\nb", "/a{b", "/a%u", "/a[1]",
            "/a*", "/a/../b",
        ] {
            assert!(StagePath::parse(text).is_err(), "{text}");
        }
    }
}

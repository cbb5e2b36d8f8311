//! The images of a plan: where each comes from, and the file it becomes.

use crate::container::{Image, Runtime, SquashFile};
use crate::recipe::{Architecture, ByteSize, Recipe};
use crate::settings::Settings;

/// The images of a recipe, each file once.
pub(crate) fn image_sources(recipe: &Recipe, settings: &Settings) -> Vec<ImageSource> {
    let Recipe { server, client, .. } = recipe;
    let mut sources = vec![
        ImageSource::new(
            &client.image,
            &client.squash_file(),
            &client.disk,
            client.architecture,
            settings,
        ),
        ImageSource::new(
            &server.image,
            &server.squash_file(),
            &server.disk,
            server.architecture,
            settings,
        ),
    ];
    // Server and client may share one image.
    sources.dedup_by(|a, b| a.file == b.file);
    sources
}

/// Where an image comes from, and the file it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageSource {
    pub(crate) file: String,
    /// The image as it is pulled: from the mirror, if its registry has one.
    pub(crate) image: Image,
    pub(crate) uri: String,
    /// The image as the recipe names it.
    pub(crate) reference: String,
    /// As the runtime names it. Empty: that of the importing node.
    pub(crate) architecture: &'static str,
    /// The same, as setup.sh writes it down.
    pub(crate) processor: &'static str,
    /// Free space that the import asks for, in MiB.
    pub(crate) space: u64,
    /// The host that asks for an NGC key; empty: none does.
    pub(crate) login: String,
}

impl ImageSource {
    fn new(
        image: &Image,
        file: &SquashFile,
        disk: &ByteSize,
        architecture: Option<Architecture>,
        settings: &Settings,
    ) -> Self {
        let mirror = settings.mirror_of(image);
        let source =
            mirror.map_or_else(|| image.clone(), |mirror| image.in_registry(mirror.clone()));
        // A mirror lets its own users in.
        let login = image
            .registry()
            .filter(|registry| mirror.is_none() && registry.needs_ngc_key());
        let runtime = settings.runtime();
        Self {
            file: runtime.image_file(file),
            uri: if runtime == Runtime::Pyxis {
                source.enroot_uri()
            } else {
                source.docker_uri()
            },
            image: source,
            reference: image.to_string(),
            architecture: architecture.map_or("", |architecture| architecture.name_for(runtime)),
            processor: architecture.map_or("", Architecture::as_str),
            space: runtime.space(disk.mebibytes()),
            login: login
                .map(|registry| runtime.login(registry).to_owned())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_gets_its_own_word_for_an_architecture() {
        let words = |runtime: &str, architecture| {
            let mut recipe = Recipe::llama3_70b_h100x4_fp8();
            recipe.server.architecture = Some(architecture);
            recipe.client.architecture = None;
            let settings = format!("container = {{ runtime = '{runtime}' }}");
            let settings = Settings::from_toml(&settings).unwrap();
            let sources = image_sources(&recipe, &settings);
            sources
                .iter()
                .map(|image| image.architecture)
                .collect::<Vec<_>>()
        };
        assert_eq!(words("pyxis", Architecture::Amd64), ["", "x86_64"]);
        assert_eq!(words("pyxis", Architecture::Arm64), ["", "aarch64"]);
        for runtime in ["apptainer", "podman"] {
            assert_eq!(words(runtime, Architecture::Amd64), ["", "amd64"]);
            assert_eq!(words(runtime, Architecture::Arm64), ["", "arm64"]);
        }
    }
}

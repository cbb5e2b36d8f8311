//! The server's prefix cache: what is meant of it, and what its counters say.

use nim_slurm::recipe::{ArrayBy, PrefixCache, Variant};
use nim_slurm::results::Run;

use crate::arrays::{printed, submit, wait_for_end};
use crate::lab::{Lab, Site, recipe};

/// A job array of servers whose cache is to be emptied: one that does, one whose prompts all begin alike, as
/// with a chat's template, and one that refuses.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_point_that_measures_the_cache_is_none() {
    let lab = Lab::enter();
    let mut recipe = recipe()
        .with_use_cases(["chat:32/16".parse().unwrap()])
        .with_concurrency([2]);
    recipe.server.prefix_cache = PrefixCache::Flush;
    recipe.sweep.array = Some(ArrayBy::Server);
    // The nodes share the server's port.
    recipe.sweep.array_limit = Some(1);
    let variant = |name: &str, arguments: &str| {
        Variant::new(name.parse().unwrap())
            .with_variable("LAB_NIM_ARGS".parse().unwrap(), arguments.parse().unwrap())
            .with_variable(
                "VLLM_SERVER_DEV_MODE".parse().unwrap(),
                "1".parse().unwrap(),
            )
    };
    let mut refuses = variant("refuses", "--prefix-cache on");
    refuses
        .environment
        .retain(|name, _| name.as_str() == "LAB_NIM_ARGS");
    recipe.server.variants = vec![
        variant("empties", "--prefix-cache on"),
        variant("template", "--prefix-cache on --template-words 32"),
        refuses,
    ];
    let site = Site::ready(&lab, "prefix_cache", recipe);
    let array = submit(&lab, &site);
    wait_for_end(&lab, &array);
    for (task, reason) in [
        (0, None),
        (
            1,
            Some(
                "prompt tokens came out of the prefix cache, with prefix_cache = \"flush\" in the recipe",
            ),
        ),
        (
            2,
            Some(
                "the server did not empty its prefix cache, POST /reset_prefix_cache: HTTP 404, POST /flush_cache: HTTP 404",
            ),
        ),
    ] {
        let said = printed(&site, &array, task);
        let manifest = site.manifest(&format!("{array}-{task}"));
        assert_eq!(manifest["prefix_cache"], "flush");
        let point = &manifest["points"][0];
        assert_eq!(point["warmup_requests"], 2, "{point}\n{said}");
        let [looked_up, found] =
            ["prefix_cache_queries", "prefix_cache_hits"].map(|name| point[name].as_u64());
        let Some(reason) = reason else {
            assert_eq!(point["status"], "finished", "{point}\n{said}");
            assert_eq!(found, Some(0), "{point}");
            // Eight prompts of about 32 words, none of which was there before.
            assert!((150..400).contains(&looked_up.unwrap()), "{point}");
            continue;
        };
        assert_eq!(point["status"], "failed", "{point}\n{said}");
        assert!(
            point["detail"].as_str().unwrap().contains(reason),
            "{point}\n{said}"
        );
        assert!(
            task == 2 || found.unwrap() * 4 > looked_up.unwrap(),
            "{point}"
        );
        assert!(task == 1 || (looked_up, found) == (None, None), "{point}");
    }
    let run = Run::read(camino::Utf8Path::from_path(&site.results()).unwrap()).unwrap();
    assert_eq!(run.points().len(), 1);
    assert_eq!(run.points()[0].cached_share(), Some(0.0));
}

//! The same launch script, rendered by this crate, by minijinja and by tera, and copied
//! as finished bytes: `cargo bench --manifest-path benches/render/Cargo.toml`.
//!
//! After divan's own table it prints the factors, and fails where a promise is broken.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use minijinja::{AutoEscape, Environment};
use nim_slurm::Plan;
use nim_slurm_render::{Jinja, Value, plan, write_word};

fn ours(plan: &Plan) -> String {
    plan.launch().text().to_owned()
}

struct Minijinja {
    environment: Environment<'static>,
    values: minijinja::Value,
}

impl Minijinja {
    fn new(jinja: &Jinja) -> Self {
        let mut environment = Environment::new();
        environment.set_keep_trailing_newline(true);
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("sh"));
        environment.set_formatter(|out, _, value| {
            let text = value.as_str().expect("all values are texts");
            write_word(out, text).map_err(minijinja::Error::from)
        });
        environment
            .add_template_owned("launch.sh", jinja.text.clone())
            .expect("the template is right");
        let values = jinja.values.iter().map(|(name, value)| {
            let value = match value {
                Value::One(text) => minijinja::Value::from(text.clone()),
                Value::List(words) => minijinja::Value::from(words.clone()),
            };
            (name.clone(), value)
        });
        Self {
            environment,
            values: values.collect(),
        }
    }

    fn render(&self) -> String {
        let template = self
            .environment
            .get_template("launch.sh")
            .expect("it was added");
        template.render(&self.values).expect("all values are there")
    }
}

struct Tera {
    tera: tera::Tera,
    values: tera::Context,
}

impl Tera {
    fn new(jinja: &Jinja) -> Self {
        let mut tera = tera::Tera::default();
        tera.autoescape_on(vec![".sh"]);
        tera.set_escape_fn(|text| {
            let mut word = String::with_capacity(text.len() + 2);
            write_word(&mut word, text).expect("memory takes all");
            word
        });
        tera.add_raw_template("launch.sh", &jinja.text)
            .expect("the template is right");
        let mut values = tera::Context::new();
        for (name, value) in &jinja.values {
            match value {
                Value::One(text) => values.insert(name, text),
                Value::List(words) => values.insert(name, words),
            }
        }
        Self { tera, values }
    }

    fn render(&self) -> String {
        self.tera
            .render("launch.sh", &self.values)
            .expect("all values are there")
    }
}

#[divan::bench]
fn nim_slurm(bencher: divan::Bencher) {
    let plan = plan();
    bencher.bench(|| plan.launch());
}

#[divan::bench]
fn minijinja(bencher: divan::Bencher) {
    let engine = Minijinja::new(&Jinja::of(&plan().launch()));
    bencher.bench(|| engine.render());
}

#[divan::bench]
fn tera(bencher: divan::Bencher) {
    let engine = Tera::new(&Jinja::of(&plan().launch()));
    bencher.bench(|| engine.render());
}

#[divan::bench]
fn copy(bencher: divan::Bencher) {
    let text = ours(&plan());
    bencher.bench(|| black_box(&text).clone());
}

/// The shortest of many runs, in nanoseconds: what other load cannot lengthen.
fn shortest<T>(work: impl Fn() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..3000 {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9
}

fn main() -> ExitCode {
    divan::main();
    let plan = plan();
    let text = ours(&plan);
    let jinja = Jinja::of(&plan.launch());
    let (minijinja, tera) = (Minijinja::new(&jinja), Tera::new(&jinja));
    assert_eq!(minijinja.render(), text, "minijinja renders other bytes");
    assert_eq!(tera.render(), text, "tera renders other bytes");

    let own = shortest(|| plan.launch());
    let minijinja = shortest(|| minijinja.render());
    let tera = shortest(|| tera.render());
    let copy = shortest(|| black_box(&text).clone());
    println!(
        "\n{} bytes, {} values: nim-slurm {own:.0} ns; minijinja {minijinja:.0} ns, {:.1} times as long; \
         tera {tera:.0} ns, {:.1} times as long; copy {copy:.0} ns, {:.1} of them in ours",
        text.len(),
        jinja.values.len(),
        minijinja / own,
        tera / own,
        own / copy
    );
    if minijinja.min(tera) < 5.0 * own || own > 15.0 * copy {
        println!("promised: 5 times as fast as the faster engine, within 15 copies");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

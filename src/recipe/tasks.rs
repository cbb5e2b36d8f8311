//! What each task of a job array has of a recipe's work.

use super::{ArrayBy, Recipe, SweepPoint, UseCase};

/// What one job measures: the launch job, or a task of it.
pub(crate) struct Task {
    result_name: String,
    points: Vec<SweepPoint>,
}

impl Recipe {
    /// The work of each task; without an array, there is one.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let (sweep, name) = (&self.sweep, self.result_name());
        let task = |points| Task {
            result_name: name.to_string(),
            points,
        };
        match sweep.array {
            None => vec![task(sweep.points())],
            Some(ArrayBy::Point) => {
                let points = sweep.points().into_iter();
                points.map(|point| task(vec![point])).collect()
            }
            Some(ArrayBy::UseCase) => {
                let of = |use_case: &UseCase| {
                    let mut points = sweep.points();
                    points.retain(|point| point.use_case == *use_case);
                    task(points)
                };
                sweep.use_cases.iter().map(of).collect()
            }
            Some(ArrayBy::Server) => {
                let variants = self.server.variants.iter();
                variants
                    .map(|variant| Task {
                        result_name: format!("{name}-{}", variant.name),
                        points: sweep.points(),
                    })
                    .collect()
            }
        }
    }

    /// How many tasks the launch job has, if it is an array.
    pub(crate) fn task_count(&self) -> Option<usize> {
        let sweep = &self.sweep;
        Some(match sweep.array? {
            ArrayBy::Point => sweep.use_cases.len() * sweep.concurrency.len(),
            ArrayBy::UseCase => sweep.use_cases.len(),
            ArrayBy::Server => self.server.variants.len(),
        })
    }

    /// The sweep's rows in launch.sh: use case, input and output tokens, concurrency and
    /// requests each; in an array, behind the number of the task.
    pub(crate) fn point_rows(&self) -> Vec<String> {
        let tasks = self.tasks();
        let rows = tasks.iter().enumerate().flat_map(|(number, task)| {
            let rows = task.points.iter().map(row);
            rows.map(move |row| match self.sweep.array {
                None => row,
                Some(_) => format!("{number} {row}"),
            })
        });
        rows.collect()
    }
}

impl Task {
    /// The points' folders, by a job of this name.
    pub(crate) fn folders(&self, gpus: u32, job: &str) -> Vec<String> {
        let name = &self.result_name;
        let folder = |point: &SweepPoint| {
            let (use_case, concurrency) = (&point.use_case, point.concurrency);
            let (input, output) = (use_case.input_tokens(), use_case.output_tokens());
            let use_case = use_case.name();
            format!("{name}_{gpus}_{concurrency}_{use_case}_{input}_{output}_{job}")
        };
        self.points.iter().map(folder).collect()
    }
}

fn row(point: &SweepPoint) -> String {
    let SweepPoint {
        use_case,
        concurrency,
        requests,
    } = point;
    let (name, input, output) = (
        use_case.name(),
        use_case.input_tokens(),
        use_case.output_tokens(),
    );
    format!("{name} {input} {output} {concurrency} {requests}")
}

# `just` lists these; https://just.systems has the program. Each is a line that can be typed as well.

_default:
    @just --list --unsorted

# All checks that need no Slurm
quick:
    tests/quick

# One test program, such as: just test report
test name *flags:
    cargo test --all-features --test {{ name }} {{ flags }}

# Everything, on a real Slurm (Debian, root); with NAME, tests whose names contain it
all *name:
    tests/run {{ name }}

# The golden files anew, and what changed in them
golden:
    SNAPSHOTS=overwrite cargo test --all-features --test golden
    git diff --stat tests/golden

# The documentation, in a browser
docs:
    cargo doc --all-features --no-deps --open

# A report of sample results
demo:
    cargo run --features cli -- report --demo

# A real Slurm on this machine (Debian, root); `just lab-down` stops it
lab:
    tests/lab/up

lab-down:
    tests/lab/down

# The oldest Rust, with the oldest dependencies
oldest:
    tests/oldest

# The checklist of a release
release:
    tests/release

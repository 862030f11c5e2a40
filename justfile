# The commands of this repository: CONTRIBUTING.md, `.ci/run` and the workflows call these recipes. `just` lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# Openings that no doc comment of src/ has (CONTRIBUTING.md, "Writing").
openings := '^\s*//[/!]? (What|Who|Whom|Whoever|Where|Why|How|When)\b'
# Words that no page has. CONTRIBUTING.md quotes them.
words := '\b(comma list|stands (twice|here)|whom|whoever|whose habits|good but for|anew|e-mails?|bad days|well again|the house|other doors|opens? the door|hands? it on|woken up|lives here|heals?|stranger|on its way|on bad days)\b'

# The list of recipes
default:
    @just --list --unsorted

# Formats the sources
fmt:
    cargo fmt

# Every check that needs only Rust, `just`, `typos` and Python
check: format clippy lint doc test

# Fails if the sources are not formatted
format:
    cargo fmt --check

# Runs the linter for each combination of features; a warning is an error
clippy:
    cargo clippy --all-targets --locked -- -D warnings
    cargo clippy --all-targets --locked --no-default-features -- -D warnings
    cargo clippy --all-targets --locked --no-default-features --features lambda -- -D warnings
    cargo clippy --all-targets --locked --no-default-features --features secrets-manager -- -D warnings
    cargo clippy --all-targets --locked --no-default-features --features dynamodb -- -D warnings

# Spelling, openings of doc comments, words of pages, links between pages
lint: spelling wording links

# Spelling in American English
spelling:
    typos

# Openings of doc comments and words of pages
wording:
    ! git grep -nE '{{ openings }}' -- src
    ! git grep -niE '{{ words }}' -- README.md CHANGELOG.md SECURITY.md docs

# Links between pages
links:
    python3 .ci/links.py

# The documentation of the crate, with private items
doc:
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --document-private-items --locked

# The tests, or those of a filter: just test --test it key_cache
test *arguments:
    cargo test --locked "$@"

# Licenses, sources, banned dependencies and known vulnerabilities
deny *checks:
    cargo deny --locked check "$@"

# The release binary, checked against the limits of Lambda
release:
    cargo build --release --locked
    .ci/artifact.sh target/release/bootstrap

# docs/ as a website in target/book
book:
    mdbook build
    python3 .ci/links.py target/book

# The two benchmarks that need only Rust
criterion *arguments:
    cargo bench --locked --bench verify "$@"
    cargo bench --locked --bench policy "$@"

# All measurements among the peers, into bench/results/report.md
bench:
    bench/build.sh
    bench/run.sh

# Builds and tests the harness, and runs it briefly on the release binary
bench-check: release
    .ci/bench.sh

# Fuzzes one target: just fuzz jwt -max_total_time=60
fuzz target *arguments:
    #!/usr/bin/env bash
    set -euo pipefail
    python3 fuzz/corpus.py unpack "$1"
    cp Cargo.lock fuzz/
    export RUSTC_BOOTSTRAP=1
    cargo fuzz run -s none "$1" -- "-dict=fuzz/words/$1" -max_len=8192 -max_total_time=600 "${@:2}"

# Keeps the inputs of fuzz/corpus that reach code of their own
fuzz-pack target:
    #!/usr/bin/env bash
    set -euo pipefail
    cp Cargo.lock fuzz/
    mkdir -p "fuzz/corpus/.$1"
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none "$1" "fuzz/corpus/.$1" "fuzz/corpus/$1" -- -set_cover_merge=1
    rm -r "fuzz/corpus/$1"
    mv "fuzz/corpus/.$1" "fuzz/corpus/$1"
    python3 fuzz/corpus.py pack "$1"

# The whole check: the release binary among real components; needs Debian and root
ci:
    .ci/run

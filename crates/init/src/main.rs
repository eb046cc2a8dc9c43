//! `meseta-init`: the first process of a container. See the library.

fn main() -> std::process::ExitCode {
    init::run()
}

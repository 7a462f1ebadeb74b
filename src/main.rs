//! The `clientsync` program; all of it is in the library.

fn main() -> std::process::ExitCode {
    clientsync::cli::main()
}

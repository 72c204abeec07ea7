//! Watches the built UI, so that a new build of it is embedded, and says when there is none.

fn main() {
    println!("cargo:rerun-if-changed=ui");
    if !std::path::Path::new("ui/index.html").exists() {
        println!("cargo:warning=the web UI is not built; run `cargo xtask ui` to have it in the binary");
    }
}

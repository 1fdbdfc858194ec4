//! Takes the handler for actix-web from the README of obs-metrics, so that the README compiles.

use std::path::Path;

const README: &str = "../../../crates/obs-metrics/README.md";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={README}");
    let readme = std::fs::read_to_string(README)?;
    let block = readme
        .split("```")
        .find(|block| block.contains("use actix_web"))
        .and_then(|block| block.split_once('\n'))
        .ok_or("the README of obs-metrics has no block with `use actix_web`")?
        .1;
    // The block ends with `let server = …;`. The handler is an item in it.
    let serve = format!(
        "async fn serve(listener: std::net::TcpListener) -> std::io::Result<()> {{\n\
         {block}\n\
         server.workers(1).disable_signals().listen(listener)?.run().await\n\
         }}\n"
    );
    let out_dir = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out_dir).join("readme.rs"), serve)?;
    Ok(())
}

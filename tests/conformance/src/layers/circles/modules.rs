//! The modules of a crate and the files that they are in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::case::{Outcome, failed};

/// Files of tests alone: unit tests, loom's models and the types that these run on.
const TESTS: [&str; 3] = ["tests.rs", "models.rs", "modelled.rs"];

pub(super) struct File {
    /// Below `src`.
    pub(super) path: PathBuf,
    /// Module path; empty for the crate's root.
    pub(super) module: Vec<String>,
    /// Tokens of the file without those of tests.
    pub(super) tokens: Vec<TokenTree>,
}

pub(super) struct Modules {
    pub(super) files: Vec<File>,
    by_path: HashMap<Vec<String>, usize>,
}

impl Modules {
    pub(super) fn read(src: &Path) -> Outcome<Self> {
        let mut files = Vec::new();
        let mut open = vec![src.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if is_shipped(&path) {
                    files.push(read(src, &path)?);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let by_path = files.iter().enumerate().map(|(number, file)| (file.module.clone(), number)).collect();
        Ok(Self { files, by_path })
    }

    /// The file of a module that has one.
    pub(super) fn file(&self, module: &[String]) -> Option<usize> {
        self.by_path.get(module).copied()
    }
}

fn is_shipped(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && !TESTS.iter().any(|tests| path.ends_with(tests))
}

fn read(src: &Path, path: &Path) -> Outcome<File> {
    let below = path.strip_prefix(src).unwrap_or(path).to_owned();
    let text = std::fs::read_to_string(path)?;
    let tokens = TokenStream::from_str(&text)
        .map_err(|err| failed("Rust that can be read", format!("{}: {err}", below.display())))?;
    let module = below.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    Ok(File { module: without_file_names(module), path: below, tokens: without_tests(tokens) })
}

/// `a/mod` is module `a`, `lib` and `main` are the root.
fn without_file_names(mut module: Vec<String>) -> Vec<String> {
    let is_root = module.len() == 1 && ["lib", "main"].contains(&module[0].as_str());
    if is_root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// Leaves out each item that stands below `#[cfg(test)]`, `#[cfg(all(test, …))]` or `#[cfg(doctest)]`.
pub(super) fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_attribute = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_attribute && tokens.peek().is_some_and(is_cfg_test) {
            // The item ends with its block or its semicolon.
            let _ = tokens.by_ref().skip(1).find(ends_an_item);
        } else {
            kept.push(token);
        }
    }
    kept
}

fn is_cfg_test(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else { return false };
    let text = group.stream().to_string().replace(' ', "");
    ["cfg(test", "cfg(all(test", "cfg(doctest"].iter().any(|start| text.starts_with(start))
}

fn ends_an_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

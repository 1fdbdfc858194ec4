//! Finds the files that a file needs, by the paths in its tokens.
//!
//! Names are followed through re-exports to the file that declares them, so that a folder's `mod.rs` does not tie
//! together what it lists. Macros are read like other code, as tokens.

use proc_macro2::{Delimiter, Spacing, TokenTree};

use super::modules::Modules;

/// Re-exports are followed this far. A longer chain is a circle of re-exports.
const MOST_STEPS: usize = 16;

/// A step from one file to another.
pub(super) struct Import {
    /// Number of the file that is needed.
    pub(super) file: usize,
    /// Path as it is written.
    pub(super) path: String,
}

/// A name that a `use` brings into a module.
struct Use {
    file: usize,
    module: Vec<String>,
    /// Name in that module. `None` stands for `*`.
    name: Option<String>,
    path: Vec<String>,
}

/// Path somewhere in the code of a module.
struct Mention {
    file: usize,
    module: Vec<String>,
    path: Vec<String>,
}

/// For each file, the files that it needs.
pub(super) fn of(modules: &Modules) -> Vec<Vec<Import>> {
    let mut found = Found { modules, uses: Vec::new(), mentions: Vec::new() };
    for (number, file) in modules.files.iter().enumerate() {
        found.read(number, &file.module, &file.tokens);
    }
    found.imports()
}

struct Found<'a> {
    modules: &'a Modules,
    uses: Vec<Use>,
    mentions: Vec<Mention>,
}

impl Found<'_> {
    fn read(&mut self, file: usize, module: &[String], tokens: &[TokenTree]) {
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            at += match (ident(rest.first()).as_deref(), rest) {
                (Some("use"), _) => self.read_use(file, module, rest),
                (Some("mod"), [_, TokenTree::Ident(name), TokenTree::Group(body), ..]) => {
                    self.read(file, &joined(module, &[name.to_string()]), &tokens_of(body));
                    3
                }
                (Some(_), _) => self.read_path(file, module, rest),
                (None, [TokenTree::Group(group), ..]) => {
                    self.read(file, module, &tokens_of(group));
                    1
                }
                _ => 1,
            };
        }
    }

    /// Reads a `use` up to its semicolon. Returns its number of tokens.
    fn read_use(&mut self, file: usize, module: &[String], tokens: &[TokenTree]) -> usize {
        let end = tokens.iter().position(|token| is_punct(Some(token), ';')).unwrap_or(tokens.len());
        let mut leaves = Vec::new();
        read_tree(&[], &tokens[1..end], &mut leaves);
        for (path, name) in leaves {
            self.uses.push(Use { file, module: module.to_vec(), name, path });
        }
        end
    }

    /// Reads `a::b::c`. Returns its number of tokens.
    fn read_path(&mut self, file: usize, module: &[String], tokens: &[TokenTree]) -> usize {
        let mut path = Vec::from_iter(ident(tokens.first()));
        let mut at = 1;
        while is_separator(&tokens[at..])
            && let Some(next) = ident(tokens.get(at + 2))
        {
            path.push(next);
            at += 3;
        }
        if path.len() > 1 {
            self.mentions.push(Mention { file, module: module.to_vec(), path });
        }
        at
    }

    fn imports(&self) -> Vec<Vec<Import>> {
        let mut imports: Vec<Vec<Import>> = self.modules.files.iter().map(|_| Vec::new()).collect();
        let uses = self.uses.iter().map(|import| (import.file, &import.module, &import.path));
        let mentions = self.mentions.iter().map(|mention| (mention.file, &mention.module, &mention.path));
        for (from, module, path) in uses.chain(mentions) {
            if let Some(file) = self.needed(module, path)
                && file != from
                && !imports[from].iter().any(|import| import.file == file)
            {
                imports[from].push(Import { file, path: path.join("::") });
            }
        }
        imports
    }

    /// The file that declares what the path names. A path to a module as such needs nothing yet: what is used of the
    /// module is a path of its own.
    fn needed(&self, module: &[String], path: &[String]) -> Option<usize> {
        let absolute = self.absolute(module, path)?;
        if self.modules.file(&absolute).is_some() {
            return None;
        }
        let macro_file = if let [name] = &absolute[..] { self.exported_macro(name) } else { None };
        macro_file.or_else(|| self.declared_in(&absolute, MOST_STEPS))
    }

    /// The file of a macro. `#[macro_export]` gives it a path in the crate's root, wherever it is declared.
    fn exported_macro(&self, name: &str) -> Option<usize> {
        self.modules.files.iter().position(|file| {
            file.tokens.windows(3).any(|tokens| {
                ident(tokens.first()).as_deref() == Some("macro_rules")
                    && is_punct(tokens.get(1), '!')
                    && ident(tokens.get(2)).as_deref() == Some(name)
            })
        })
    }

    /// The path from the crate's root on. `None` for another crate's.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(joined(module, rest)),
            "super" => {
                let (_, parent) = module.split_last()?;
                let relative = if rest.first().is_some_and(|next| next == "super") {
                    return self.absolute(parent, rest);
                } else {
                    rest
                };
                Some(joined(parent, relative))
            }
            _ if self.modules.file(&joined(module, std::slice::from_ref(first))).is_some() => {
                Some(joined(module, path))
            }
            _ => {
                let import = self.uses.iter().find(|import| {
                    import.module == module && import.name.as_ref() == Some(first) && import.path[0] != *first
                })?;
                Some(joined(&self.absolute(module, &import.path)?, rest))
            }
        }
    }

    fn declared_in(&self, path: &[String], steps: usize) -> Option<usize> {
        let depth = (0..=path.len()).rev().find(|&depth| self.modules.file(&path[..depth]).is_some())?;
        let file = self.modules.file(&path[..depth]);
        if steps == 0 {
            return file;
        }
        // The name itself, or the name of an inline module before it.
        for end in depth..path.len() {
            let (module, rest) = path.split_at(end);
            for import in self.uses.iter().filter(|import| import.module == module) {
                let target = self.absolute(module, &import.path);
                let leads_there = match &import.name {
                    Some(name) => *name == rest[0],
                    None => target.as_ref().is_some_and(|target| self.declares(target, &rest[0])),
                };
                if leads_there {
                    let further = if import.name.is_some() { &rest[1..] } else { rest };
                    return self.declared_in(&joined(&target?, further), steps - 1);
                }
            }
        }
        file
    }

    /// Whether the module's file declares the name at its top level.
    fn declares(&self, module: &[String], name: &str) -> bool {
        let Some(file) = self.modules.file(module) else { return false };
        let tokens = &self.modules.files[file].tokens;
        tokens.windows(2).any(|pair| {
            ident(pair.get(1)).as_deref() == Some(name)
                && ident(pair.first()).is_some_and(|keyword| DECLARE.contains(&keyword.as_str()))
        })
    }
}

/// Keywords before the name of an item.
const DECLARE: [&str; 9] = ["const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union"];

/// Adds each path of a `use` tree with its name there.
fn read_tree(prefix: &[String], tokens: &[TokenTree], leaves: &mut Vec<(Vec<String>, Option<String>)>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                for branch in tokens_of(group).split(|token| is_punct(Some(token), ',')) {
                    read_tree(&path, branch, leaves);
                }
                return;
            }
            TokenTree::Punct(punct) if punct.as_char() == '*' => {
                leaves.push((path, None));
                return;
            }
            TokenTree::Ident(word) if *word == "as" => {
                leaves.push((path, ident(tokens.get(at + 1))));
                return;
            }
            // `a::{self}` is `a`.
            TokenTree::Ident(word) if *word == "self" && !path.is_empty() => {}
            TokenTree::Ident(word) => path.push(word.to_string()),
            _ => {}
        }
        at += 1;
    }
    let name = path.last().cloned();
    if path.len() > prefix.len() || tokens.iter().any(|token| ident(Some(token)).as_deref() == Some("self")) {
        leaves.push((path, name));
    }
}

fn tokens_of(group: &proc_macro2::Group) -> Vec<TokenTree> {
    super::modules::without_tests(group.stream())
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// Whether the tokens begin with `::`.
fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens.first(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
        && is_punct(tokens.get(1), ':')
}

fn joined(module: &[String], rest: &[String]) -> Vec<String> {
    [module, rest].concat()
}

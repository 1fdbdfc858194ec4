//! Completion scripts, manual pages, and suggestions for mistyped commands.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::node::{Home, text_of};

/// Returns the command without a home and without any variable that could name one.
fn homeless(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearthnet"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn printed(args: &[&str]) -> String {
    let done = homeless(args).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
    text_of(&done.stdout)
}

/// Runs `program` with `args` on a file, if the program is installed.
fn accepted_by(program: &str, args: &[&str], file: &std::path::Path) {
    match Command::new(program).args(args).arg(file).stdin(Stdio::null()).output() {
        Ok(done) => assert!(done.status.success(), "{program} {}: {done:?}", file.display()),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{program}"),
    }
}

/// Returns the names of all commands and of their long options, by the manual pages in `folder`.
fn names(folder: &std::path::Path) -> BTreeSet<String> {
    printed(&["man", "--out", folder.to_str().unwrap()]);
    let mut names = BTreeSet::new();
    for page in std::fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let command = page.file_stem().unwrap().to_str().unwrap();
        names.extend(command.split('-').map(str::to_owned));
        let text = std::fs::read_to_string(&page).unwrap().replace("\\-", "-");
        let letter = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        let options =
            text.split("\\fB--").skip(1).map(|rest| rest.split(|at| !letter(at)).next().unwrap().to_owned());
        names.extend(options);
    }
    names
}

#[test]
fn each_shell_accepts_its_completion_script() {
    let folder = tempfile::tempdir().unwrap();
    let pages = tempfile::tempdir().unwrap();
    let names = names(pages.path());
    for known in ["hearthnet", "recent", "level", "export", "capability", "until", "slowest", "url"] {
        assert!(names.contains(known), "{known}: {names:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for name in &names {
            assert!(script.contains(name), "{shell} lacks {name}");
        }
        let file = folder.path().join(shell);
        std::fs::write(&file, script).unwrap();
        match shell {
            "bash" | "zsh" | "fish" => accepted_by(shell, &["-n"], &file),
            _ => {}
        }
    }
    let refused = homeless(&["completions", "cmd"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text_of(&refused.stderr).contains("[possible values: bash, elvish, fish, powershell, zsh]"));
}

#[test]
fn bash_completes_commands_and_options() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), printed(&["completions", "bash"])).unwrap();
    let complete = |words: &str| {
        let script = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _hearthnet hearthnet \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\"",
            file.path().display()
        );
        text_of(&Command::new("bash").args(["-c", &script]).output().unwrap().stdout)
    };
    assert_eq!(complete("hearthnet doc").trim(), "doctor");
    assert!(complete("hearthnet trace recent --ca").contains("--capability"));
}

#[test]
fn each_manual_page_is_accepted_by_the_formatters() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man/man1");
    let said = printed(&["man", "--out", pages.to_str().unwrap()]);
    let files: Vec<_> = std::fs::read_dir(&pages).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(files.len() >= 10 && said.contains(&format!("wrote {} pages", files.len())), "{said}");
    for file in &files {
        accepted_by("mandoc", &["-T", "lint", "-W", "error"], file);
        accepted_by("groff", &["-man", "-Tutf8", "-ww", "-z"], file);
    }
    let one = printed(&["man", "trace", "recent"]);
    assert_eq!(one, std::fs::read_to_string(pages.join("hearthnet-trace-recent.1")).unwrap());

    let refused = homeless(&["man", "docter"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text_of(&refused.stderr).contains("did you mean `doctor`?"), "{refused:?}");
}

#[test]
fn a_mistyped_command_or_option_is_refused_with_the_nearest_one() {
    let home = Home::new();
    for (args, wanted) in [
        (&["docter"][..], "'doctor'"),
        (&["completion"], "'completions'"),
        (&["trace", "recnet"], "'recent'"),
        (&["trace", "recent", "--capabilty", "x"], "'--capability'"),
        (&["log", "--folow"], "'--follow'"),
        (&["completions", "bsh"], "'bash'"),
    ] {
        let refused = home.run(args);
        let said = text_of(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("a similar") && said.contains(wanted), "{args:?}: {said}");
    }
}

//! Terminal during the view, and its restoration.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::terminal::{
    self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// Size of a terminal that does not know its own, such as a serial console.
const USUAL: Rect = Rect { x: 0, y: 0, width: 80, height: 24 };
/// Capacity for the changes of a whole screen, so that they are one write.
const WRITE_BYTES: usize = 32 << 10;

/// Whether the terminal is in the state of the view.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Alternate screen of the terminal. Dropping it restores the terminal, and so does a panic of any thread.
pub(super) struct Screen {
    canvas: Canvas,
    area: Rect,
}

type Output = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Pictures of the terminal: the present one and the next one.
struct Canvas(Option<Output>);

impl Screen {
    pub(super) fn enter() -> io::Result<Screen> {
        restore_at_panic();
        take()?;
        let area = area();
        match Canvas::new(area) {
            Ok(canvas) => Ok(Screen { canvas, area }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if self.area != area() {
            self.clear()?;
        }
        self.canvas.draw(picture)
    }

    /// Takes the terminal again after another program had it.
    pub(super) fn renew(&mut self) -> io::Result<()> {
        // Raw mode is set anew: the shell may have changed the mode while the process was stopped.
        restore();
        take()?;
        self.clear()
    }

    /// Makes the next picture a whole one of the present size.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.area = area();
        self.canvas = Canvas::new(self.area)?;
        execute!(io::stdout(), Clear(ClearType::All))
    }

    /// Gives the terminal back until [`renew`](Screen::renew).
    pub(super) fn release(&mut self) {
        restore();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

impl Canvas {
    fn new(area: Rect) -> io::Result<Canvas> {
        let backend = CrosstermBackend::new(BufWriter::with_capacity(WRITE_BYTES, io::stdout()));
        // A viewport that follows the size of the terminal asks it for the position of the cursor, and the answer would
        // arrive among the keys.
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        Terminal::with_options(backend, options).map(|terminal| Canvas(Some(terminal)))
    }

    fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |terminal| terminal.draw(picture).map(|_| ()))
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        let shown = self.0.as_mut().map(Terminal::show_cursor);
        // If the terminal is gone, ratatui's drop would print that on stderr, which is gone too, and panic.
        if let (Some(Err(_)), Some(terminal)) = (shown, self.0.take()) {
            std::mem::forget(terminal);
        }
    }
}

/// Returns the area of the terminal.
fn area() -> Rect {
    match terminal::size() {
        Ok((width @ 1.., height @ 1..)) => Rect { x: 0, y: 0, width, height },
        _ => USUAL,
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::Relaxed);
    execute!(io::stdout(), EnterAlternateScreen, cursor::Hide).inspect_err(|_| restore())
}

/// Restores mode, screen and cursor. A second call does nothing, so that it does not disturb what was printed since.
pub(super) fn restore() {
    // Relaxed: a thread that panics and one that ends the view may both come here, and either may do it.
    if !ENTERED.swap(false, Ordering::Relaxed) {
        return;
    }
    // The mode comes first, because it needs no write.
    restore_mode();
    let mut out = io::stdout();
    let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
    let _ = out.flush();
}

/// Restores the mode, which does not block on a terminal that takes no output.
pub(super) fn restore_mode() {
    let _ = disable_raw_mode();
}

/// Restores the terminal before the message of a panic is printed.
fn restore_at_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            usual(info);
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::*;
    use crate::cli::top::pty::Session;

    #[test]
    #[ignore = "run at a terminal by the test below"]
    fn panic_on_the_screen() {
        let mut screen = Screen::enter().unwrap();
        screen.draw(|frame| frame.render_widget("shown", frame.area())).unwrap();
        screen.draw(|_| panic!("on purpose")).unwrap();
    }

    #[test]
    fn a_panic_restores_the_terminal_before_its_message() {
        let mut command = Command::new(env::current_exe().unwrap());
        let test = concat!(module_path!(), "::panic_on_the_screen").split_once("::").unwrap().1;
        command.args([test, "--exact", "--ignored", "--nocapture"]).env("TERM", "xterm");
        let ended = Session::start(command, (80, 24)).end();
        assert!(ended.is_cooked, "{ended:?}");
        let at = |text| ended.output.find(text).unwrap_or_else(|| panic!("no {text:?} in {ended:?}"));
        assert!(at("shown") < at("\x1b[?1049l"), "{ended:?}");
        assert!(at("\x1b[?1049l") < at("on purpose"), "{ended:?}");
        assert_eq!(ended.output.matches("\x1b[?1049l").count(), 1, "{ended:?}");
    }
}

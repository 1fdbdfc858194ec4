//! `hearthnet call`: calls a capability and prints its answer.

mod answer;
mod body;
mod end;
mod printer;
mod request;
mod target;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use obs_facade::doctor::machine::HttpError;
use obs_facade::http::REQUEST_ID;
use serde_json::Value;
use tokio::time::timeout;

use self::end::End;
use self::printer::Printer;
use self::request::Caller;
use self::target::Target;
use crate::cli::ask;
use crate::cli::caps::known;
use crate::cli::node_url::{NodeUrl, UrlArg};
use crate::cli::output::say_on_stderr;
use crate::cli::overrides::Overrides;
use crate::config::Config;
use crate::failure::Failure;
use crate::nearest::did_you_mean;
use crate::wire::client;

/// Calls a capability and prints its answer. The trace ID of the call is on stderr.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct CallArgs {
    /// Capability to call.
    #[arg(value_name = "NAME[@VERSION]")]
    target: Target,
    /// Body of the call: `{"params": {…}, "input": {…}}`, or the input alone. `-` reads stdin, at most 1 MiB.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// Print a streamed answer as it comes. Without this option it is printed once it is whole.
    #[arg(long)]
    stream: bool,
    /// Print JSON: one object, or one a line for each frame of a stream.
    #[arg(long)]
    json: bool,
    /// Maximum silence of the node.
    #[arg(long, value_name = "SECS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    #[command(flatten)]
    node: UrlArg,
}

const HELP: &str = "The call is signed with the key of this node, if the key can be read.

Exit codes: 0 the call succeeded; 1 it failed, with the code of the bus in the message; 2 bad usage, such as a body that \
is no JSON; 3 no node answers; 4 invalid_signature; 130 interrupted.

Examples:
  hearthnet call experimental.echo --body '{\"text\": \"hello\"}'
  hearthnet call llm.chat --stream --body '{\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}'
  jq -n '{input: {text: \"hello\"}}' | hearthnet call experimental.echo --body - --json";

/// Exit code after Ctrl-C, as shells give it.
const INTERRUPTED: u8 = 130;

/// Runs the command.
pub(crate) fn run(args: &CallArgs, config: &Config, overrides: &Overrides) -> Result<ExitCode, Failure> {
    let mut body = body::read(args.body.as_deref(), io::stdin().lock())?;
    if args.stream {
        body::ask_for_stream(&mut body);
    }
    let node = args.node.node(config.local_address());
    let caller = Caller::load(config);
    if let Err(reason) = &caller {
        say_on_stderr(format_args!("the call is not signed: {reason}"));
    }
    let call = Call { args, node: &node, options: args.node.for_node(overrides), caller: caller.ok(), body };
    let mut printer = Printer::new(args.json, args.stream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::error(format!("cannot start the runtime: {error}")))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = call.run(&mut printer) => Some(ended),
            // Without a handler the signal itself ends the command, which is quiet too.
            Ok(()) = tokio::signal::ctrl_c() => None,
        }
    });
    printer.end_shown_line();
    match ended {
        None => Ok(ExitCode::from(INTERRUPTED)),
        Some(Ok(()) | Err(End::ReaderGone)) => Ok(ExitCode::SUCCESS),
        Some(Err(End::Failure(failure))) => Err(failure),
        Some(Err(End::AnotherServer)) => Err(ask::another_server(&node)),
        Some(Err(End::Refused { code, message })) => Err(refused(&code, &message, &args.target.name, &node)),
    }
}

/// Returns the failure of a call that the node or a peer refused.
fn refused(code: &str, message: &str, capability: &str, node: &NodeUrl) -> Failure {
    match code {
        "invalid_signature" => Failure::signature(format!("{code}: {message}")),
        "not_found" => Failure::error(format!("{code}: {message}{}", suggestion(capability, node))),
        _ => Failure::error(format!("{code}: {message}")),
    }
}

/// Returns a known capability with a similar name, or the way to the list.
fn suggestion(capability: &str, node: &NodeUrl) -> String {
    // The failure of the call is told in any case.
    let Ok(known) = known::of(node) else { return String::new() };
    let names: Vec<&str> = known.capabilities.iter().map(|capability| capability.name.as_str()).collect();
    if names.contains(&capability) {
        return String::new();
    }
    match did_you_mean(capability, names).as_str() {
        "" => "; `hearthnet caps` lists the capabilities".to_owned(),
        suggestion => suggestion.to_owned(),
    }
}

/// Call to make.
struct Call<'a> {
    args: &'a CallArgs,
    node: &'a NodeUrl,
    /// Options that make another command ask the same node.
    options: String,
    caller: Option<Caller>,
    body: Value,
}

impl Call<'_> {
    async fn run(&self, printer: &mut Printer) -> Result<(), End> {
        let patience = Duration::from_secs(self.args.timeout);
        let (headers, id) = request::headers(&self.args.target, self.caller.as_ref(), &self.body)?;
        let url = self.node.route("/bus/v1/call", &[]);
        let request = client::build([&url]).post(url).headers(headers);
        let sent = timeout(patience, request.body(self.body.to_string()).send()).await;
        let sent = sent.map_err(|_| {
            self.tell(&id);
            let seconds = patience.as_secs();
            Failure::error(format!("no answer within {seconds} s; raise the maximum with --timeout"))
        })?;
        let response = sent.map_err(|error| self.unreached(&id, &error))?;
        // A node repeats the ID that it records the call under.
        let theirs = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let id = theirs.filter(|id| id.parse::<ulid::Ulid>().is_ok()).map_or(id, str::to_owned);
        self.tell(&id);
        answer::print(response, &id, patience, printer).await
    }

    /// Tells the trace ID, and the command that shows the trace.
    fn tell(&self, id: &str) {
        say_on_stderr(format_args!("trace {id}, shown by `hearthnet trace show {id}{}`", self.options));
    }

    fn unreached(&self, id: &str, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            return not_connected(self.node, error);
        }
        self.tell(id);
        Failure::error(format!("no answer from the node on {}: {}", self.node, client::reason(error)))
    }
}

/// Returns the failure of a call without a connection.
fn not_connected(node: &NodeUrl, error: &reqwest::Error) -> Failure {
    let first: Option<&(dyn Error + 'static)> = error.source();
    let causes: Vec<_> = std::iter::successors(first, |&cause| cause.source()).collect();
    let kind = |cause: &&(dyn Error + 'static)| cause.downcast_ref().map(io::Error::kind);
    if causes.iter().filter_map(kind).any(|kind| kind == io::ErrorKind::ConnectionRefused) {
        return ask::no_answer(node, &HttpError::Refused);
    }
    // The outer ones only say that there is no connection.
    let reason = causes.last().map_or_else(|| "no connection".to_owned(), ToString::to_string);
    Failure::not_running(format!("no node is reached at {node}: {reason}; check the address"))
}

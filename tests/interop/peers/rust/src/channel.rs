//! The command channel: JSON lines in on standard input, out on standard output.

use std::{fmt, future::Future, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

pub type Result<T> = std::result::Result<T, Refusal>;

/// Why a request is not answered.
#[derive(Debug)]
pub struct Refusal {
    kind: &'static str,
    text: String,
}

impl Refusal {
    pub fn bad_request(text: impl fmt::Display) -> Self {
        Self::new("bad-request", text)
    }

    pub fn unsupported(text: impl fmt::Display) -> Self {
        Self::new("unsupported", text)
    }

    pub fn failed(text: impl fmt::Display) -> Self {
        Self::new("failed", text)
    }

    fn new(kind: &'static str, text: impl fmt::Display) -> Self {
        let text = text.to_string();
        Self { kind, text }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// What a library finds wrong has failed.
impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::failed(with_causes(&error))
    }
}

/// What answers requests.
pub trait Commands: Send + Sync + 'static {
    fn handle(&self, request: Map<String, Value>) -> impl Future<Output = Result<Value>> + Send;
}

/// Answer requests, each in a task of its own, until standard input ends.
pub async fn serve(commands: impl Commands) {
    let commands = Arc::new(commands);
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tokio::spawn(answer(line, commands.clone()));
    }
}

/// Tell of something; `fields` is a struct or a map.
pub fn emit(event: &str, fields: impl Serialize) {
    let mut message = Map::from_iter([("event".to_owned(), json!(event))]);
    match serde_json::to_value(fields) {
        Ok(Value::Object(fields)) => message.extend(fields),
        other => unreachable!("the fields of {event}: {other:?}"),
    }
    println!("{}", Value::Object(message));
}

async fn answer(line: String, commands: Arc<impl Commands>) {
    let mut id = Value::Null;
    let outcome = async {
        let mut request: Map<String, Value> =
            serde_json::from_str(&line).map_err(Refusal::bad_request)?;
        id = request.remove("id").unwrap_or_default();
        commands.handle(request).await
    };
    match outcome.await {
        Ok(ok) => println!("{}", json!({"id": id, "ok": ok})),
        Err(Refusal { kind, text }) => {
            eprintln!("request {line}: {text}");
            println!("{}", json!({"id": id, "error": text, "kind": kind}));
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

//! A scripted HTTP/1.1 server on loopback, down to the byte: it records what
//! came in and answers, or fails to, as a test says.
//!
//! It is the judge of what was sent, so it must never use the code under test.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request, as it came over the wire. The place in [`Server::hits`] is the
/// order of arrival over all connections.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// The method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Headers in order, names as they were spelled.
    pub(crate) headers: Vec<(String, String)>,
    /// The body's bytes.
    pub(crate) body: Vec<u8>,
}

impl Hit {
    /// The first header of a name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the server does about a request that it has read.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// An answer; `Content-Length` is added and the connection kept.
    Reply {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then one byte of the body every interval, for ever.
    Drip(Vec<u8>, Duration),
    /// These bytes, then body as fast as it is taken, for ever.
    Endless(Vec<u8>),
    /// The end of the connection, without a byte.
    Close,
    /// A reset of the connection, without a byte.
    Reset,
    /// Silence.
    Hang,
    /// The answer, after a while.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// An answer with a body and no headers of its own.
    pub(crate) fn reply(status: u16, body: &str) -> Self {
        Self::Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same reply, with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name.into(), value.into()));
        }
        self
    }
}

type Script = dyn Fn(&Hit) -> Answer + Send + Sync;

/// A running server; it stops when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    hits: Arc<Mutex<Vec<Hit>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Serves a script: a function from the request to what becomes of it.
    pub(crate) async fn new(script: impl Fn(&Hit) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(Some(Arc::new(script))).await
    }

    /// Serves answers in order; the last one stays.
    pub(crate) async fn scripted(answers: Vec<Answer>) -> Self {
        let next = Mutex::new(answers.into_iter().peekable());
        let last = Mutex::new(Answer::Close);
        Self::new(move |_| {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(answer) = next.next() {
                *last = answer;
            }
            last.clone()
        })
        .await
    }

    /// Ends every connection before it reads a byte.
    pub(crate) async fn slamming() -> Self {
        Self::serve(None).await
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has come in so far, in order of arrival.
    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn serve(script: Option<Arc<Script>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let hits = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&hits);
        let accepting = tokio::spawn(async move {
            // Connections end with the server: the set aborts its tasks when dropped.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(script) = script.clone() {
                    // An error only says that the client went away.
                    let log = Arc::clone(&log);
                    connections.spawn(async move { converse(stream, &*script, &log).await });
                }
            }
        });
        Self {
            address,
            hits,
            accepting,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads and answers the requests of one connection until either side ends it.
async fn converse(stream: TcpStream, script: &Script, log: &Mutex<Vec<Hit>>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(hit) = read(&mut stream).await? {
        let mut answer = script(&hit);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(hit);
        while let Answer::After(wait, then) = answer {
            tokio::time::sleep(wait).await;
            answer = *then;
        }
        match answer {
            Answer::Reply {
                status,
                headers,
                body,
            } => {
                let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
                for (name, value) in headers {
                    head = head + &name + ": " + &value + "\r\n";
                }
                head = head + "Content-Length: " + &body.len().to_string() + "\r\n\r\n";
                // In one piece: in two, the second would wait for a late acknowledgement.
                stream.write_all(&[head.as_bytes(), &body].concat()).await?;
            }
            Answer::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Drip(bytes, every) => {
                stream.write_all(&bytes).await?;
                loop {
                    tokio::time::sleep(every).await;
                    stream.write_all(b" ").await?;
                }
            }
            Answer::Endless(bytes) => {
                stream.write_all(&bytes).await?;
                loop {
                    stream.write_all(&[b' '; 8192]).await?;
                }
            }
            Answer::Close => return stream.shutdown().await,
            Answer::Reset => return stream.get_ref().set_zero_linger(),
            Answer::Hang | Answer::After(..) => std::future::pending().await,
        }
    }
    Ok(())
}

/// Reads one request with its body; `None` at the end of the connection.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Hit>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let mut hit = Hit {
        method: word(),
        target: word(),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = hit.header("content-length").unwrap_or("0");
    hit.body = vec![0; length.parse().map_err(io::Error::other)?];
    stream.read_exact(&mut hit.body).await?;
    Ok(Some(hit))
}

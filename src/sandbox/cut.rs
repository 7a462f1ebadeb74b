//! Connections that can be cut in the middle of an answer.
//!
//! An HTTP library finishes what it has begun, so the cut is made below it: the
//! stream refuses to take the bytes, and the library ends the connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: u8 = 0;
const RESET: u8 = 1;
const HALVE: u8 = 2;

/// Cuts one connection, from the answer on that is written next.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(Arc<AtomicU8>);

impl Cut {
    /// Resets the connection without a byte of the answer.
    pub(super) fn reset(&self) {
        self.0.store(RESET, Ordering::SeqCst);
    }

    /// Ends the connection in the middle of the answer's body.
    pub(super) fn halve(&self) {
        self.0.store(HALVE, Ordering::SeqCst);
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().cut.clone()
    }
}

/// A listener whose connections can be cut.
#[derive(Debug)]
pub(super) struct Cuttable(pub(super) TcpListener);

impl Listener for Cuttable {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // Accept errors are retried inside.
        let (tcp, address) = Listener::accept(&mut self.0).await;
        let io = Stream {
            tcp,
            cut: Cut::default(),
            left: None,
        };
        (io, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TcpStream,
    cut: Cut,
    /// The bytes that still go out, once the connection is being cut.
    left: Option<usize>,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.cut.0.load(Ordering::SeqCst) {
            WHOLE => Pin::new(&mut self.tcp).poll_write(context, bytes),
            RESET => {
                // The client then sees a reset and not a proper end; where this
                // machine cannot do it, an end without an answer says the same.
                let _ = self.tcp.set_zero_linger();
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            _ => {
                let left = self.left.unwrap_or_else(|| half(bytes));
                if left == 0 {
                    return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
                }
                let some = &bytes[..left.min(bytes.len())];
                let written = Pin::new(&mut self.tcp).poll_write(context, some);
                if let Poll::Ready(Ok(count)) = written {
                    self.left = Some(left - count);
                }
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// The length of an answer's head and half of its body. The library writes
/// both at once; where it does not, the head goes out alone.
fn half(answer: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    let head = answer
        .windows(END.len())
        .position(|window| window == END)
        .map_or(answer.len(), |at| at + END.len());
    head + (answer.len() - head) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_body_goes_out_behind_the_head() {
        assert_eq!(half(b"HTTP\r\n\r\n{}{}"), 10);
        assert_eq!(half(b"HTTP\r\n\r\n"), 8);
        assert_eq!(half(b"no head"), 7);
    }
}

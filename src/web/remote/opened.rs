//! What comes through a channel, as bytes to read.

use super::channel::Opener;
use bytes::Bytes;
use futures_util::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Opens the records of a body. A broken seal or a cut record is an error, and so are too many bytes.
pub struct Opened<S> {
    body: S,
    opener: Opener,
    /// Bytes that may still come.
    left: usize,
    text: Vec<u8>,
    /// How much of the text was read.
    at: usize,
}

impl<S> Opened<S> {
    /// Of a body of at most `most` bytes.
    pub fn new(body: S, opener: Opener, most: usize) -> Self {
        Opened { body, opener, left: most, text: Vec::new(), at: 0 }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let broken = |e| io::Error::new(io::ErrorKind::InvalidData, e);
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.text.clear();
        self.at = 0;
        self.opener.open(bytes, &mut self.text).map_err(broken)
    }
}

impl<S, E> AsyncRead for Opened<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let rest = &this.text[this.at..];
            if !rest.is_empty() {
                let taken = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..taken]);
                this.at += taken;
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                None if this.opener.is_whole() => return Poll::Ready(Ok(())),
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(bytes)) => this.take(&bytes)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Channel, Greeting, Offer, respond};
    use super::super::secret::Secret;
    use super::*;
    use tokio::io::AsyncReadExt;

    fn pair() -> (Channel, Channel) {
        let secret = Secret::random().unwrap();
        let (offer, first) = Offer::new(&secret).unwrap();
        let (server, _, second) = respond(&secret, &first, &Greeting::ours(None)).unwrap();
        (offer.accept(&second).unwrap().0, server)
    }

    async fn read(bytes: &[u8], piece: usize, channel: Channel, most: usize) -> io::Result<Vec<u8>> {
        let pieces: Vec<io::Result<Bytes>> =
            bytes.chunks(piece).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let mut opened = Opened::new(futures_util::stream::iter(pieces), channel.opener, most);
        let mut all = Vec::new();
        opened.read_to_end(&mut all).await.map(|_| all)
    }

    #[tokio::test]
    async fn a_text_comes_through_in_any_pieces() {
        let text: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        for piece in [1000, 65_536, 1 << 20] {
            let (mut client, server) = pair();
            let sealed = client.sealer.seal(&text).unwrap();
            assert!(read(&sealed, piece, server, sealed.len()).await.unwrap() == text, "{piece}");
        }
    }

    #[tokio::test]
    async fn what_is_cut_broken_or_too_long_is_an_error() {
        let text = vec![1; 100_000];
        let sealed = |change: fn(&mut Vec<u8>)| {
            let (mut client, server) = pair();
            let mut sealed = client.sealer.seal(&text).unwrap();
            change(&mut sealed);
            (sealed, server)
        };
        for (change, kind) in [
            ((|s| s.truncate(s.len() - 1)) as fn(&mut Vec<u8>), io::ErrorKind::UnexpectedEof),
            (|s| s[70_000] ^= 1, io::ErrorKind::InvalidData),
            (|s| s.push(0), io::ErrorKind::FileTooLarge),
        ] {
            let (bytes, server) = sealed(change);
            let most = 100_000 + 2 * 18;
            assert_eq!(read(&bytes, 4096, server, most).await.unwrap_err().kind(), kind);
        }
    }
}

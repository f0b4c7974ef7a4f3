// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

const lastWords = "last words"

// ender is a connection, or a stream of one, whose directions end apart.
type ender interface {
	io.Reader
	io.Writer
	CloseWrite() error
}

// talk is a WebSocket at the server: messages come back until the client ends its direction, which is answered by last
// words and the end of ours. Who says "bye" has us end first, and is told on the way how much came afterwards: nothing
// can be said any more, so the connection ends in good order only if that was one message.
func talk(r io.Reader, to ender) error {
	hasEnded, after := false, 0
	for {
		message, err := readMessage(r, true)
		switch {
		case err == io.EOF && hasEnded && after != 1:
			return fmt.Errorf("%d messages after our end", after)
		case err == io.EOF && hasEnded:
			return nil
		case err == io.EOF:
			if _, err := to.Write(frameOf(lastWords, false)); err != nil {
				return err
			}
			return to.CloseWrite()
		case err != nil:
			return err
		case hasEnded:
			after++
			continue
		}
		if _, err := to.Write(frameOf(message, false)); err != nil {
			return err
		}
		if message == "bye" {
			hasEnded = true
			if err := to.CloseWrite(); err != nil {
				return err
			}
		}
	}
}

const refusal = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"

func serveH1(r *bufio.Reader, conn *net.TCPConn) error {
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return err
		}
		key := request.Header.Get("Sec-WebSocket-Key")
		if key == "" {
			if _, err := io.WriteString(conn, refusal); err != nil {
				return err
			}
			continue
		}
		_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", acceptOf(key))
		if err != nil {
			return err
		}
		return talk(r, conn)
	}
}

func serveConn(conn *net.TCPConn, isPlain bool) {
	r := bufio.NewReaderSize(conn, 512)
	first, err := r.Peek(3)
	if err == nil && string(first) == "PRI" {
		err = serveH2(r, conn, isPlain)
	} else if err == nil {
		err = serveH1(r, conn)
	}
	if err != nil && err != io.EOF {
		conn.SetLinger(0) // not in good order: the other side shall see it
	}
	conn.Close()
}

func serve(port string, isPlain bool) error {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConn(conn.(*net.TCPConn), isPlain)
	}
}

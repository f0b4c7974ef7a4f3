// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const connectProtocol = http2.SettingID(8) // RFC 8441, section 3

var errReset = errors.New("stream reset")

// h2conn is a connection of HTTP/2 at either end. Bodies are short here: what comes is kept until it is read, and its
// window given back at once; nothing that goes is longer than the window.
type h2conn struct {
	framer   *http2.Framer
	lower    net.Conn
	mu       sync.Mutex // what is written, and what follows
	written  bytes.Buffer
	encoder  *hpack.Encoder
	decoder  *hpack.Decoder // the framer's own way would refuse :protocol
	streams  map[uint32]*h2stream
	last     uint32
	settings chan struct{} // closed when the other side's are there
	allows   bool          // WebSocket
	err      error
	onOpen   func(*h2stream) // of a server
}

// h2stream is one of its streams.
type h2stream struct {
	conn   *h2conn
	id     uint32
	mu     sync.Mutex
	more   *sync.Cond
	status string // of a client's
	fields map[string]string
	unread []byte
	isEOF  bool
	err    error
}

func newH2(r io.Reader, lower net.Conn) *h2conn {
	c := &h2conn{lower: lower, streams: map[uint32]*h2stream{}, settings: make(chan struct{})}
	c.framer = http2.NewFramer(lower, r)
	c.decoder = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.written)
	return c
}

func (c *h2conn) add(id uint32) *h2stream {
	s := &h2stream{conn: c, id: id}
	s.more = sync.NewCond(&s.mu)
	c.streams[id] = s
	return s
}

func (c *h2conn) stream(id uint32) *h2stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}

// writeHead sends fields, in pairs.
func (c *h2conn) writeHead(id uint32, fields ...string) error {
	c.written.Reset()
	for i := 0; i < len(fields); i += 2 {
		c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.written.Bytes(), EndHeaders: true})
}

func (s *h2stream) change(how func()) {
	s.mu.Lock()
	how()
	s.mu.Unlock()
	s.more.Broadcast()
}

func (s *h2stream) Read(to []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unread) == 0 && !s.isEOF && s.err == nil {
		s.more.Wait()
	}
	if len(s.unread) > 0 {
		n := copy(to, s.unread)
		s.unread = s.unread[n:]
		if len(s.unread) == 0 {
			s.unread = nil
		}
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	return 0, io.EOF
}

func (s *h2stream) Write(bytes []byte) (int, error) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return len(bytes), s.conn.framer.WriteData(s.id, false, bytes)
}

func (s *h2stream) CloseWrite() error {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	return s.conn.framer.WriteData(s.id, true, nil)
}

// reset ends it at once.
func (s *h2stream) reset(code http2.ErrCode) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.conn.framer.WriteRSTStream(s.id, code)
}

func (c *h2conn) onSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if v, ok := f.Value(connectProtocol); ok && v == 1 {
		c.allows = true
	}
	select {
	case <-c.settings:
	default:
		close(c.settings)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.framer.WriteSettingsAck()
}

func (c *h2conn) onData(f *http2.DataFrame) error {
	if s := c.stream(f.StreamID); s != nil {
		s.change(func() {
			s.unread = append(s.unread, f.Data()...)
			s.isEOF = s.isEOF || f.StreamEnded()
		})
	}
	if f.Length == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !f.StreamEnded() {
		c.framer.WriteWindowUpdate(f.StreamID, f.Length)
	}
	return c.framer.WriteWindowUpdate(0, f.Length)
}

// fieldsOf reads the rest of a head, too.
func (c *h2conn) fieldsOf(f *http2.HeadersFrame) (map[string]string, error) {
	block := append([]byte{}, f.HeaderBlockFragment()...)
	for isEnd := f.HeadersEnded(); !isEnd; {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return nil, err
		}
		more := frame.(*http2.ContinuationFrame) // the framer sees to that
		block = append(block, more.HeaderBlockFragment()...)
		isEnd = more.HeadersEnded()
	}
	decoded, err := c.decoder.DecodeFull(block)
	fields := map[string]string{}
	for _, field := range decoded {
		fields[field.Name] = field.Value
	}
	return fields, err
}

func (c *h2conn) onHead(f *http2.HeadersFrame) error {
	isEnd := f.StreamEnded()
	fields, err := c.fieldsOf(f)
	if err != nil {
		return err
	}
	s := c.stream(f.StreamID)
	isNew := s == nil && c.onOpen != nil
	if isNew {
		c.mu.Lock()
		s = c.add(f.StreamID)
		c.mu.Unlock()
	}
	if s == nil {
		return nil
	}
	s.change(func() {
		s.fields = fields
		s.status = fields[":status"]
		s.isEOF = s.isEOF || isEnd
	})
	if isNew {
		go c.onOpen(s)
	}
	return nil
}

// read takes frames until the connection ends, and tells all streams so.
func (c *h2conn) read() {
	err := c.readFrames()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	for _, s := range c.streams {
		s.change(func() {
			if !s.isEOF && s.err == nil {
				s.err = err
			}
		})
	}
}

func (c *h2conn) readFrames() error {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			err = c.onSettings(f)
		case *http2.DataFrame:
			err = c.onData(f)
		case *http2.HeadersFrame:
			err = c.onHead(f)
		case *http2.RSTStreamFrame:
			if s := c.stream(f.StreamID); s != nil {
				s.change(func() { s.err = errReset })
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.mu.Lock()
				err = c.framer.WritePing(true, f.Data)
				c.mu.Unlock()
			}
		}
		if err != nil {
			return err
		}
	}
}

// forget drops a stream that is over.
func (c *h2conn) forget(s *h2stream) {
	c.mu.Lock()
	delete(c.streams, s.id)
	c.mu.Unlock()
}

// serveStream answers one request at the server.
func (c *h2conn) serveStream(s *h2stream) {
	defer c.forget(s)
	isWebSocket := s.fields[":method"] == "CONNECT" && s.fields[":protocol"] == "websocket" &&
		s.fields["sec-websocket-version"] == "13" && s.fields["sec-websocket-key"] == ""
	status := "200"
	if s.fields[":method"] == "CONNECT" && !isWebSocket {
		status = "400"
	} else if s.fields[":path"] == "/refused" {
		status = "403"
	}
	c.mu.Lock()
	c.writeHead(s.id, ":status", status, "x-path", s.fields[":path"])
	c.mu.Unlock()
	if status == "200" && isWebSocket {
		if err := talk(s, s); err != nil && err != errReset {
			s.reset(http2.ErrCodeInternal)
		}
		return
	}
	fmt.Fprint(s, "plain")
	s.CloseWrite()
}

func serveH2(r *bufio.Reader, conn net.Conn, isPlain bool) error {
	if _, err := io.CopyN(io.Discard, r, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	c := newH2(r, conn)
	c.onOpen = c.serveStream
	said := []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1000}}
	if !isPlain {
		said = append(said, http2.Setting{ID: connectProtocol, Val: 1})
	}
	if err := c.framer.WriteSettings(said...); err != nil {
		return err
	}
	c.read()
	return c.err
}

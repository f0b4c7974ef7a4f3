// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// The bytes that every body here consists of, over and over: tests/lab/origin.py has the same.
var piece = func() []byte {
	made := make([]byte, 1<<16)
	for n := uint32(0); n < 1<<14; n++ {
		binary.BigEndian.PutUint32(made[4*n:], n*2654435761)
	}
	return made
}()

type repeated struct{ at int64 }

func (r *repeated) Read(into []byte) (int, error) {
	n := copy(into, piece[r.at%int64(len(piece)):])
	r.at += int64(n)
	return n, nil
}

// pattern gives the first n bytes of it.
func pattern(n int64) io.Reader {
	return io.LimitReader(&repeated{}, n)
}

// check reads a body to its end: its length, and whether it was the pattern.
func check(body io.Reader) (length int64, isIntact bool, err error) {
	got, wanted := make([]byte, 1<<15), make([]byte, 1<<15)
	expected := &repeated{}
	isIntact = true
	for {
		n, err := body.Read(got)
		io.ReadFull(expected, wanted[:n])
		isIntact = isIntact && bytes.Equal(got[:n], wanted[:n])
		length += int64(n)
		if err == io.EOF {
			return length, isIntact, nil
		}
		if err != nil {
			return length, false, err
		}
	}
}

// answer serves /bytes/N, and says of any other request what its body was.
func answer(w http.ResponseWriter, r *http.Request) {
	length, isIntact, err := check(r.Body)
	if err != nil {
		return // the client is gone
	}
	if text := strings.TrimPrefix(r.URL.Path, "/bytes/"); text != r.URL.Path {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			w.Header().Set("Content-Length", text)
			io.Copy(w, pattern(n))
			return
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"length": length, "intact": isIntact})
}

// answerOf prints what a server said to a body.
func answerOf(response *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(os.Stdout, response.Body)
}

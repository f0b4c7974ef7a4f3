// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Log keeps what a container says in a file, each line behind the time when it ended.
type Log struct {
	mutex   sync.Mutex
	file    *os.File
	begun   []byte // a line that has not ended yet
	changed chan struct{}
}

func newLog(path string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o644)
	return &Log{file: file, changed: make(chan struct{})}, err
}

// Write takes what the process says, in whatever pieces.
func (l *Log) Write(said []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.begun = append(l.begun, said...)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for {
		line, rest, ended := bytes.Cut(l.begun, []byte("\n"))
		if !ended {
			break
		}
		if _, err := fmt.Fprintf(l.file, "%s %s\n", now, line); err != nil {
			return 0, err
		}
		l.begun = rest
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(said), nil
}

func (l *Log) close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.file.Close()
}

// Asked is what `kubectl logs` wants of a log.
type Asked struct {
	since  time.Time
	tail   int // lines, from the end; less than 0: all
	stamps bool
	follow bool
}

// copy writes the lines that are wanted; with `follow` it goes on until `done`.
func (l *Log) copy(to io.Writer, asked Asked, done <-chan struct{}, flush func()) error {
	at := int64(0)
	first := true
	for {
		l.mutex.Lock()
		changed := l.changed
		l.mutex.Unlock()
		file, err := os.Open(l.file.Name())
		if err != nil {
			return err
		}
		lines, next, err := linesOf(file, at, asked.since)
		file.Close()
		if err != nil {
			return err
		}
		if first && asked.tail >= 0 && len(lines) > asked.tail {
			lines = lines[len(lines)-asked.tail:]
		}
		first, at = false, next
		for _, line := range lines {
			if !asked.stamps {
				_, line, _ = strings.Cut(line, " ")
			}
			if _, err := io.WriteString(to, line); err != nil {
				return err
			}
		}
		flush()
		if !asked.follow {
			return nil
		}
		select {
		case <-done:
			return nil
		case <-changed:
		}
	}
}

// linesOf are the whole lines from `at` on that are not older than `since`, and where the next one begins.
func linesOf(file *os.File, at int64, since time.Time) ([]string, int64, error) {
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		return nil, at, err
	}
	reader := bufio.NewReader(file)
	var lines []string
	for {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			return lines, at, nil
		}
		if err != nil {
			return nil, at, err
		}
		at += int64(len(line))
		stamp, _, _ := strings.Cut(line, " ")
		when, err := time.Parse(time.RFC3339Nano, stamp)
		if err == nil && !when.Before(since) {
			lines = append(lines, line)
		}
	}
}

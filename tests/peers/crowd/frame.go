// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	guid      = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	bytesMax  = 65535 // of a message here
	textFrame = 0x81
)

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// frameOf is a message in one frame; clients mask theirs.
func frameOf(message string, isMasked bool) []byte {
	made := []byte{textFrame, byte(len(message))}
	if len(message) > 125 {
		made = []byte{textFrame, 126, byte(len(message) >> 8), byte(len(message))}
	}
	if !isMasked {
		return append(made, message...)
	}
	mask := [4]byte{1, 2, 3, byte(len(message))}
	made[1] |= 0x80
	made = append(made, mask[:]...)
	for i := 0; i < len(message); i++ {
		made = append(made, message[i]^mask[i%4])
	}
	return made
}

// readMessage is the next one; io.EOF: the other side ended between two of them.
func readMessage(r io.Reader, isMasked bool) (string, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	if head[0] != textFrame || head[1]&0x80 != 0 != isMasked {
		return "", fmt.Errorf("a frame that begins with %x", head)
	}
	length := int(head[1] & 0x7f)
	if length == 126 {
		var more [2]byte
		if _, err := io.ReadFull(r, more[:]); err != nil {
			return "", err
		}
		length = int(binary.BigEndian.Uint16(more[:]))
	}
	if length > bytesMax {
		return "", errors.New("a frame that is too long")
	}
	var mask [4]byte
	if isMasked {
		if _, err := io.ReadFull(r, mask[:]); err != nil {
			return "", err
		}
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", err
	}
	for i := range text {
		text[i] ^= mask[i%4]
	}
	return string(text), nil
}

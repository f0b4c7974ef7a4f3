// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// What is not the same in go.mod's netstack and in go119.mod's, see glue_go119.go.

func address(ip []byte) tcpip.Address { return tcpip.AddrFromSlice(ip) }

func payload(frame []byte) buffer.Buffer { return buffer.MakeWithData(frame) }

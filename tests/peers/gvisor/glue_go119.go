// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package main

import (
	"gvisor.dev/gvisor/pkg/bufferv2"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// As glue.go, for the netstack of 2022, the last that Debian 12's Go builds.

func address(ip []byte) tcpip.Address { return tcpip.Address(ip) }

func payload(frame []byte) bufferv2.Buffer { return bufferv2.MakeWithData(frame) }

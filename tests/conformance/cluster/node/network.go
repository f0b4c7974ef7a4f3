// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	networkLimit = 30 * time.Second // a command that sets a link up takes milliseconds
	restSeconds  = 30               // that an address rests after its pod has gone: who knew it forgets it first
)

// Addresses gives the pods their numbers, each to one at a time, the one that has rested longest first.
type Addresses struct {
	mutex sync.Mutex
	free  []int
}

func newAddresses(first, last int) *Addresses {
	a := &Addresses{}
	for n := first; n <= last; n++ {
		a.free = append(a.free, n)
	}
	return a
}

func (a *Addresses) take() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if len(a.free) == 0 {
		return 0
	}
	n := a.free[0]
	a.free = a.free[1:]
	return n
}

func (a *Addresses) give(n int) {
	time.AfterFunc(restSeconds*time.Second, func() {
		a.mutex.Lock()
		defer a.mutex.Unlock()
		a.free = append(a.free, n)
	})
}

// Network is a pod's namespace with its eth0, and the other end of that in the switch.
type Network struct {
	namespace string
	address4  string
	address6  string
}

// As tests/lab/namespace.py makes its links: checksums by software, since what reads frames raw would see packets
// without them; no IPv6 of the switch's own at the port.
const plug = `
ip netns add "$POD"
ip -n "$SWITCH" link add "$PORT" mtu 1500 type veth peer name eth0 mtu 1500 netns "$POD"
ip netns exec "$POD" sh -ec '
	sysctl -qw net.ipv6.conf.eth0.accept_dad=0
	ethtool -K eth0 tx off gro off txvlan off
	ip link set lo up
	ip link set eth0 up
	ip address add "$ADDRESS4" dev eth0
	ip address add "$ADDRESS6" dev eth0 nodad
	ip route add default via "$ROUTER4"
	ip route add default via "$ROUTER6"
' >&2
ip netns exec "$SWITCH" sh -ec '
	sysctl -qw "net.ipv6.conf.$PORT.disable_ipv6=1"
	ethtool -K "$PORT" tx off gro off txvlan off
	ip link set "$PORT" master "$BRIDGE" up
' >&2
`

// makeNetwork plugs a namespace of its own into the bridge, for the pod of that number.
func makeNetwork(s *Settings, number int) (*Network, error) {
	if number == 0 {
		return nil, fmt.Errorf("no address is free: more than %d pods", s.LastPod-s.FirstPod+1)
	}
	made := &Network{namespace: fmt.Sprintf("%s-%d", s.Prefix, number),
		address4: nth(s.Pods4, number).String(), address6: nth(s.Pods6, number).String()}
	err := command(plug,
		"POD="+made.namespace, "SWITCH="+s.Switch, "BRIDGE="+s.Bridge, fmt.Sprintf("PORT=pod%d", number),
		fmt.Sprintf("ADDRESS4=%s/%d", made.address4, s.Pods4.Bits()), "ROUTER4="+nth(s.Pods4, 1).String(),
		fmt.Sprintf("ADDRESS6=%s/%d", made.address6, s.Pods6.Bits()), "ROUTER6="+nth(s.Pods6, 1).String())
	if err != nil {
		made.remove()
		return nil, err
	}
	return made, nil
}

func (n *Network) remove() {
	_ = command(`ip netns delete "$POD"`, "POD="+n.namespace) // it may not have been made
}

// nth is that address of a network.
func nth(network netip.Prefix, number int) netip.Addr {
	bytes := network.Addr().AsSlice()
	bytes[len(bytes)-1] += byte(number)
	address, _ := netip.AddrFromSlice(bytes)
	return address
}

// command runs a script of the shell with these variables; an error carries what it said.
func command(script string, variables ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), networkLimit)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-ec", script)
	c.Env = append(os.Environ(), variables...)
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}

// enter makes this goroutine's thread one of the namespace's, and of a host name of its own. The thread is the
// goroutine's until it ends, and ends with it: no other goroutine finds itself there.
func (n *Network) enter(hostname string) error {
	runtime.LockOSThread()
	handle, err := os.Open("/run/netns/" + n.namespace)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
		return err
	}
	return unix.Sethostname([]byte(hostname))
}

// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

const (
	execProtocol = "v4.channel.k8s.io"
	streamsLimit = 10 * time.Second // until a client has opened those that it said it would
)

// exec runs a command in a container for `kubectl exec`: output and errors out, nothing in.
func (n *Node) exec(w http.ResponseWriter, r *http.Request) {
	c := n.asked(w, r)
	if c == nil {
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{execProtocol}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streams := make(chan httpstream.Stream, 4)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r,
		func(s httpstream.Stream, _ <-chan struct{}) error { streams <- s; return nil })
	if connection == nil {
		return
	}
	defer connection.Close()
	query := r.URL.Query()
	wanted := 1
	for _, one := range []string{"input", "output", "error"} {
		if query.Get(one) == "1" || query.Get(one) == "true" {
			wanted++
		}
	}
	opened, err := collect(streams, wanted)
	if err != nil {
		fmt.Println("exec:", err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- c.runOnce(query["command"], opened) }()
	tellEnd(opened[corev1.StreamTypeError], <-ended)
}

// collect waits for that many streams; by kind.
func collect(streams <-chan httpstream.Stream, wanted int) (map[string]httpstream.Stream, error) {
	opened := map[string]httpstream.Stream{}
	limit := time.After(streamsLimit)
	for len(opened) < wanted {
		select {
		case s := <-streams:
			opened[s.Headers().Get(corev1.StreamType)] = s
		case <-limit:
			return nil, errors.New("the client did not open its streams")
		}
	}
	return opened, nil
}

// runOnce runs the command beside the container's process, on a thread of the pod's namespace.
func (c *Container) runOnce(argv []string, streams map[string]httpstream.Stream) error {
	if len(argv) == 0 {
		return errors.New("no command")
	}
	if err := c.pod.network.enter(c.pod.Name); err != nil {
		return err
	}
	command := c.command(argv...)
	command.Stdout, command.Stderr = io.Discard, io.Discard
	if out := streams[corev1.StreamTypeStdout]; out != nil {
		command.Stdout = out
	}
	if out := streams[corev1.StreamTypeStderr]; out != nil {
		command.Stderr = out
	}
	return command.Run()
}

// tellEnd writes how the command ended, as version 4 of the protocol has it: a Status.
func tellEnd(to io.Writer, err error) {
	status := metav1.Status{Status: metav1.StatusSuccess}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Message: err.Error(),
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{
				{Type: "ExitCode", Message: fmt.Sprint(exit.ExitCode())}}}}
	} else if err != nil {
		status = metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonInternalError,
			Message: err.Error()}
	}
	_ = json.NewEncoder(to).Encode(&status) // who has gone needs no answer
}

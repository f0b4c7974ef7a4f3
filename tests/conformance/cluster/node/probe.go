// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// probe asks whether the container is ready, as its readiness probe says, until the context is done.
func (c *Container) probe(ctx context.Context) {
	p := c.spec.ReadinessProbe
	every := time.Duration(max(p.PeriodSeconds, 1)) * time.Second
	limit := time.Duration(max(p.TimeoutSeconds, 1)) * time.Second
	next := time.Duration(p.InitialDelaySeconds) * time.Second
	good, bad := int32(0), int32(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		asked, cancel := context.WithTimeout(ctx, limit)
		err := c.ask(asked, p)
		cancel()
		if err == nil {
			good, bad = good+1, 0
		} else {
			good, bad = 0, bad+1
		}
		c.mutex.Lock()
		was := c.ready
		if good >= max(p.SuccessThreshold, 1) {
			c.ready = true
		} else if bad >= max(p.FailureThreshold, 1) {
			c.ready = false
		}
		changed := was != c.ready
		next = every
		if !c.ready { // it need not wait longer than its program
			next = askAgain
		}
		c.mutex.Unlock()
		if changed {
			c.pod.tell()
		}
	}
}

// ask is one question; nil when the answer is good.
func (c *Container) ask(ctx context.Context, p *corev1.Probe) error {
	switch {
	case p.HTTPGet != nil:
		return c.askHTTP(ctx, p.HTTPGet)
	case p.TCPSocket != nil:
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.at(p.TCPSocket.Port.IntValue()))
		if err == nil {
			connection.Close()
		}
		return err
	}
	return errors.New("this kind of probe is not known here")
}

func (c *Container) at(port int) string {
	return net.JoinHostPort(c.pod.network.address4, fmt.Sprint(port))
}

func (c *Container) askHTTP(ctx context.Context, get *corev1.HTTPGetAction) error {
	port := get.Port.IntValue()
	for _, p := range c.spec.Ports {
		if p.Name == get.Port.StrVal && p.Name != "" {
			port = int(p.ContainerPort)
		}
	}
	scheme := "http"
	if get.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%s%s", scheme, c.at(port), get.Path), nil)
	if err != nil {
		return err
	}
	for _, h := range get.HTTPHeaders {
		request.Header.Add(h.Name, h.Value)
	}
	// as a kubelet: who answers is asked, not who it is
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode >= 400 {
		return fmt.Errorf("answered %d", answer.StatusCode)
	}
	return nil
}

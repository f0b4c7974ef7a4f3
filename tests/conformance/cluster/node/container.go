// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	restartAfter = time.Second     // of one that has ended
	endLimit     = 2 * time.Second // from TERM to KILL, however long the pod would give
)

// Container is a process whose root is a folder, started again whenever it ends. The folder is made of the image's, and
// the program is called as the image: /bin/NAME.
type Container struct {
	spec  *corev1.Container
	pod   *Pod
	image string // the last part of its name, without tag
	root  string
	log   *Log
	done  chan struct{} // closed when it runs no more; nil: was never started

	mutex    sync.Mutex
	process  *os.Process // nil: does not run
	started  metav1.Time
	restarts int32
	last     string // why it does not run
	ready    bool
}

func newContainer(p *Pod, spec *corev1.Container) (*Container, error) {
	c := &Container{spec: spec, pod: p, last: "ContainerCreating"}
	c.image = path.Base(spec.Image)
	c.image, _, _ = strings.Cut(c.image, "@")
	c.image, _, _ = strings.Cut(c.image, ":")
	if _, err := os.Stat(c.ofImage("bin", c.image)); err != nil {
		return nil, fmt.Errorf("container %s: nothing stands in for image %q: %w", spec.Name, spec.Image, err)
	}
	if len(p.Spec.InitContainers) > 0 {
		return nil, errors.New("init containers are not run here")
	}
	c.root = filepath.Join(p.folder(), spec.Name)
	var err error
	c.log, err = newLog(filepath.Join(p.node.Folder, "logs", fmt.Sprintf("%s_%s_%s.log", p.Namespace, p.Name, spec.Name)))
	return c, err
}

// prepare makes the root: of the image, /etc and the volumes. It waits for Secrets and ConfigMaps that are not there yet.
func (c *Container) prepare(ctx context.Context) error {
	for _, folder := range []string{"etc", "tmp", "dev"} {
		if err := os.MkdirAll(filepath.Join(c.root, folder), 0o755); err != nil {
			return err
		}
	}
	if err := c.unpack(); err != nil {
		return err
	}
	if err := c.writeHosts(); err != nil {
		return err
	}
	return c.mount(ctx)
}

func (c *Container) ofImage(parts ...string) string {
	return filepath.Join(append([]string{c.pod.node.Images, c.image}, parts...)...)
}

// unpack makes the root of the image's: the same files, by hard links.
func (c *Container) unpack() error {
	return filepath.WalkDir(c.ofImage(), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(c.ofImage(), path)
		if err != nil {
			return err
		}
		target := filepath.Join(c.root, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return os.Link(path, target)
	})
}

// start runs the process, and runs it again when it has ended, until the context is done.
func (c *Container) start(ctx context.Context) {
	c.done = make(chan struct{})
	go c.keepRunning(ctx)
}

func (c *Container) keepRunning(ctx context.Context) {
	defer close(c.done)
	for ctx.Err() == nil {
		ended := make(chan error, 1)
		go func() { ended <- c.run(ctx) }() // the thread stays in the pod's namespace, and ends there
		err := <-ended
		c.mutex.Lock()
		c.process, c.ready, c.last = nil, false, fmt.Sprint("ended: ", err)
		c.restarts++
		c.mutex.Unlock()
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(os.Stderr, "%s/%s: %s: %v\n", c.pod.Namespace, c.pod.Name, c.spec.Name, err)
		c.pod.tell()
		select {
		case <-ctx.Done():
		case <-time.After(restartAfter):
		}
	}
}

// run is one life of the process, from its start to its end, on a thread of the pod's namespace.
func (c *Container) run(ctx context.Context) error {
	if err := c.pod.network.enter(c.pod.Name); err != nil {
		return err
	}
	command := c.command(c.arguments()...)
	environment, err := c.environment(ctx)
	if err != nil {
		return err
	}
	command.Env = append(command.Env, environment...)
	command.Stdout, command.Stderr = c.log, c.log
	if err := command.Start(); err != nil {
		return err
	}
	c.mutex.Lock()
	c.process, c.started, c.ready = command.Process, metav1.Now(), c.spec.ReadinessProbe == nil
	c.mutex.Unlock()
	c.pod.tell()
	life, over := context.WithCancel(ctx)
	defer over()
	if c.spec.ReadinessProbe != nil {
		go c.probe(life)
	}
	return command.Wait()
}

// command is one that runs in the container's root. The process dies with the thread that starts it.
func (c *Container) command(argv ...string) *exec.Cmd {
	program := argv[0]
	if !strings.Contains(program, "/") {
		program = "/bin/" + program
	}
	folder := c.spec.WorkingDir
	if folder == "" {
		folder = "/"
	}
	return &exec.Cmd{Path: program, Args: argv, Dir: folder, Env: []string{"PATH=/bin", "HOSTNAME=" + c.pod.Name},
		SysProcAttr: &syscall.SysProcAttr{Chroot: c.root, Setsid: true, Pdeathsig: syscall.SIGKILL}}
}

func (c *Container) arguments() []string {
	argv := append([]string{}, c.spec.Command...)
	if len(argv) == 0 {
		argv = []string{c.image}
	}
	return append(argv, c.spec.Args...)
}

// end ends the process and waits until it runs no more; its start's context is done.
func (c *Container) end() {
	defer c.log.close()
	if c.done == nil {
		return
	}
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(endLimit):
		c.signal(syscall.SIGKILL)
		<-c.done
	}
}

func (c *Container) signal(number syscall.Signal) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.process != nil {
		_ = c.process.Signal(number) // it may have ended just now
	}
}

// status is what the pod's status says of it.
func (c *Container) status() corev1.ContainerStatus {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	told := corev1.ContainerStatus{Name: c.spec.Name, Image: c.spec.Image, ImageID: c.image, Ready: c.ready,
		RestartCount: c.restarts, ContainerID: "process://" + string(c.pod.UID) + "-" + c.spec.Name}
	runs := c.process != nil
	told.Started = &runs
	if runs {
		told.State.Running = &corev1.ContainerStateRunning{StartedAt: c.started}
	} else {
		told.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating", Message: c.last}
	}
	return told
}

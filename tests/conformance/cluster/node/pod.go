// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is one pod from the time that it is seen to the time that nothing of it is left.
type Pod struct {
	*corev1.Pod
	node    *Node
	ctx     context.Context
	stop    context.CancelFunc
	number  int // of its addresses; 0: none yet
	network *Network
	started metav1.Time

	mutex      sync.Mutex
	containers []*Container
}

func newPod(n *Node, pod *corev1.Pod) *Pod {
	p := &Pod{Pod: pod, node: n, started: metav1.Now()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// live is a pod's whole life; it returns when nothing of it is left.
func (p *Pod) live() {
	defer p.node.forget(p.Pod)
	defer p.cleanUp()
	if err := p.begin(); err != nil {
		if p.ctx.Err() == nil {
			p.fail(err)
		}
	}
	<-p.ctx.Done()
	for _, c := range p.all() {
		c.end()
	}
}

// begin binds the pod, makes its network and starts its containers.
func (p *Pod) begin() error {
	if err := p.bind(); err != nil {
		return err
	}
	p.number = p.node.addresses.take()
	network, err := makeNetwork(p.node.Settings, p.number)
	if err != nil {
		return err
	}
	p.network = network
	var made []*Container
	for i := range p.Spec.Containers {
		c, err := newContainer(p, &p.Spec.Containers[i])
		if err != nil {
			return err
		}
		made = append(made, c)
	}
	p.mutex.Lock()
	p.containers = made
	p.mutex.Unlock()
	p.tell()
	for _, c := range made {
		if err := c.prepare(p.ctx); err != nil {
			return err
		}
		c.start(p.ctx)
	}
	return nil
}

// container is the one of that name, or nil.
func (p *Pod) container(name string) *Container {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, c := range p.containers {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

func (p *Pod) all() []*Container {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.containers)
}

// bind does the scheduler's work: there is but one node.
func (p *Pod) bind() error {
	if p.Spec.NodeName != "" {
		return nil
	}
	err := p.node.client.CoreV1().Pods(p.Namespace).Bind(p.ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: p.node.Name}}, metav1.CreateOptions{})
	if errors.IsConflict(err) { // it is bound: we bound it, before we were started again
		return nil
	}
	return err
}

func (p *Pod) cleanUp() {
	if p.network != nil {
		p.network.remove()
	}
	if p.number != 0 {
		p.node.addresses.give(p.number)
	}
	os.RemoveAll(p.folder())
}

func (p *Pod) folder() string {
	return filepath.Join(p.node.Folder, "pods", string(p.UID))
}

// fail says in status and in the log why the pod does not run.
func (p *Pod) fail(err error) {
	log.Printf("%s/%s: %v", p.Namespace, p.Name, err)
	p.patch(corev1.PodStatus{Phase: corev1.PodFailed, Reason: "NotRun", Message: err.Error()})
}

// tell writes the status: what there is of the pod now.
func (p *Pod) tell() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	status := corev1.PodStatus{Phase: corev1.PodRunning, HostIP: p.node.Address.String(), StartTime: &p.started,
		PodIP: p.network.address4, PodIPs: []corev1.PodIP{{IP: p.network.address4}, {IP: p.network.address6}}}
	ready := corev1.ConditionTrue
	for _, c := range p.containers {
		told := c.status()
		status.ContainerStatuses = append(status.ContainerStatuses, told)
		if !told.Ready {
			ready = corev1.ConditionFalse
		}
		if told.State.Waiting != nil && told.RestartCount == 0 {
			status.Phase = corev1.PodPending
		}
	}
	now := metav1.Now()
	for kind, is := range map[corev1.PodConditionType]corev1.ConditionStatus{
		corev1.PodScheduled: corev1.ConditionTrue, corev1.PodInitialized: corev1.ConditionTrue,
		corev1.ContainersReady: ready, corev1.PodReady: ready,
	} {
		status.Conditions = append(status.Conditions,
			corev1.PodCondition{Type: kind, Status: is, LastTransitionTime: now})
	}
	p.patch(status)
}

func (p *Pod) patch(status corev1.PodStatus) {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.UID}, "status": status})
	if err == nil {
		_, err = p.node.client.CoreV1().Pods(p.Namespace).Patch(p.ctx, p.Name, types.StrategicMergePatchType, data,
			metav1.PatchOptions{}, "status")
	}
	if err != nil && !errors.IsNotFound(err) && p.ctx.Err() == nil {
		log.Printf("%s/%s: status: %v", p.Namespace, p.Name, err)
		time.AfterFunc(time.Second, p.tell)
	}
}
